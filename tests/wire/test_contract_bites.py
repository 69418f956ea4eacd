"""The contract test fails on an error in a spec, and on any difference between an operation and the facts.

For errors in the specs the package is generated from a modified copy of the specs, and the contract runs against it.
That package is consistent in itself: types, calls and responses agree, but not with the API.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from circleci_sdk import AsyncCircleCI
from tests.support import places
from tests.support.calls import TOKEN
from tests.support.contract import check_operation
from tests.support.facts import Operation, Shape, operations
from tests.support.responses import MismatchError
from tests.support.scripted_server import ScriptedServer

OPERATIONS: Final = operations(places.facts())
SPECS: Final = places.ROOT / "openapi"
PACKAGE: Final = places.ROOT / "src" / "circleci_sdk"
RIGHT: Final = "v2.users.get"
"""An operation without a mistake."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Replacements in one file, the operation that is then wrong, and the expected message."""

    file: str
    replaced: tuple[tuple[str, str], ...]
    operation: str
    words: str


MISTAKES: Final = {
    "a swapped parameter": Mistake(
        "v2/rollback.yaml",
        (
            (" current_version: {type", " target_version: {x-python-name: current_version, type"),
            (" target_version: {type", " current_version: {x-python-name: target_version, type"),
        ),
        "v2.deploys.rollback",
        "v2.deploys.rollback body: expected",
    ),
    "a wrong path": Mistake(
        "v2/job.yaml",
        (("/project/{project-slug}/job/{job-number}:", "/project/{project-slug}/jobs/{job-number}:"),),
        "v2.jobs.get",
        "v2.jobs.get path: expected",
    ),
    "a wrong method": Mistake(
        "v2/schedule.yaml",
        (("    patch:\n", "    put:\n"),),
        "v2.schedules.update",
        "v2.schedules.update method: expected",
    ),
    "a query under another name": Mistake(
        "v2/deploy.yaml",
        (("- name: component-name", "- name: component_name"),),
        "v2.deploys.list_components",
        "v2.deploys.list_components query: expected",
    ),
    "a date-time that is a string": Mistake(
        "v2/deploy.yaml",
        (("last_deployed_at: {type: string, format: date-time}", "last_deployed_at: {type: string}"),),
        "v2.deploys.list_component_versions",
        "v2.deploys.list_component_versions[0].last_deployed_at: expected datetime",
    ),
    "a renamed field": Mistake(
        "v2/groups.yaml",
        (("        description: {type: string}", "        details: {type: string}"),),
        "v2.groups.get",
        "Group declares no field description",
    ),
}


def test_each_mistake_fails_its_operation_alone(tmp_path: Path) -> None:
    source = generate(tmp_path)
    operations = {mistake.operation for mistake in MISTAKES.values()} | {RIGHT}
    cases = [f"tests/wire/test_contract.py::test_contract[trio-{operation}]" for operation in sorted(operations)]

    result = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *cases, source=source)

    assert result.returncode == 1, result.stderr
    assert f"{len(MISTAKES)} failed, 1 passed" in result.stdout
    assert RIGHT not in result.stdout
    assert [name for name, mistake in MISTAKES.items() if mistake.words not in result.stdout] == []


def generate(folder: Path) -> Path:
    """A source folder with the package, generated from the specs with all mistakes."""
    specs, source = folder / "openapi", folder / "src"
    shutil.copytree(SPECS, specs)
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for mistake in MISTAKES.values():
        file = specs / mistake.file
        text = file.read_text(encoding="utf-8")
        for old, new in mistake.replaced:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {mistake.file}"
            text = text.replace(old, new)
        file.write_text(text, encoding="utf-8")
    result = python("-m", "codegen", "--specs", str(specs), "--out", str(source / PACKAGE.name))
    assert result.returncode == 0, result.stderr
    return source


def python(*arguments: str, source: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(source)} if source else None
    return subprocess.run(
        [sys.executable, *arguments], cwd=places.ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI(TOKEN, base_url=server.url, max_retries=0) as client:
        yield client


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_every_operation_is_checked(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """With changed facts, every operation fails."""
    made = [(operation, name, changed) for operation in OPERATIONS for name, changed in changes(operation)]
    assert len(made) > 1000

    unseen = [
        f"{operation.label}: {name}" for operation, name, changed in made if await passes(client, server, changed)
    ]

    assert unseen == []


async def passes(client: AsyncCircleCI, server: ScriptedServer, operation: Operation) -> bool:
    try:
        await check_operation(client, server, operation)
    except MismatchError:
        return False
    return True


def changes(operation: Operation) -> Iterator[tuple[str, Operation]]:
    """The facts about an operation with one change."""
    yield "another path", replace(operation, path=operation.path + "/more")
    yield "another method", replace(operation, method="PUT" if operation.method != "PUT" else "POST")
    for one, other in pairwise(operation.arguments):
        if (one.place, one.shape) == (other.place, other.shape) and one.shape.kind != "boolean":
            swapped = {one: replace(other, name=one.name), other: replace(one, name=other.name)}
            arguments = tuple(swapped.get(argument, argument) for argument in operation.arguments)
            yield f"{one.name} and {other.name}", replace(operation, arguments=arguments)
    for number, success in enumerate(operation.successes):
        shape = success.shape or Shape("any")
        for place, field in enumerate(shape.fields):
            renamed = replace(field, name=field.name + "_x")
            fields = (*shape.fields[:place], renamed, *shape.fields[place + 1 :])
            response = replace(success, shape=replace(shape, fields=fields))
            successes = (*operation.successes[:number], response, *operation.successes[number + 1 :])
            yield f"field {field.name}", replace(operation, successes=successes)
