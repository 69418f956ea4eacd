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

from circleci_sdk import AsyncCircleCI, DecodeError, PaginationError
from tests.support import places, v3_contract, v3_facts
from tests.support.calls import TOKEN
from tests.support.contract import check_operation
from tests.support.facts import Operation, Shape, operations
from tests.support.responses import MismatchError
from tests.support.scripted_server import ScriptedServer
from tests.support.v3_facts import V3Operation
from tests.support.v3_rows import Tree

OPERATIONS: Final = operations(places.facts())
SPECS: Final = places.ROOT / "openapi"
PACKAGE: Final = places.ROOT / "src" / "circleci_sdk"
RIGHT: Final = ("v2.users.get", "v3.groups.list")
"""Operations without a mistake."""


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
    "a reference that is an attribute": Mistake(
        "v3/workflow.yaml",
        (
            ("      required: [id, attributes, references]\n", "      required: [id, attributes]\n"),
            ("        references:\n", "        links:\n"),
        ),
        "v3.workflows.get",
        "v3.workflows.get.",
    ),
    "a cursor that is not sent": Mistake(
        "v3/project.yaml",
        (("x-paging: {style: cursor}", "x-paging: {style: all}"),),
        "v3.projects.list",
        "v3.projects.list: next is None",
    ),
    "a page size beside a cursor": Mistake(
        "v3/provider.yaml",
        ((", size-at-start: true", ""),),
        "v3.repositories.list",
        "page_size and page_token: expected at most one of them",
    ),
    "a bearer token in place of the other one": Mistake(
        "v3/catalog.yaml",
        (("      x-auth: circle-token\n", ""),),
        "v3.catalog.get_offerings",
        "v3.catalog.get_offerings header Circle-Token: expected",
    ),
    "a member of a body beside its object": Mistake(
        "v3/run.yaml",
        (
            (
                "                    limit: {type: integer,",
                "                    size: {x-python-name: page_size, type: integer,",
            ),
        ),
        "v3.runs.search",
        "v3.runs.search",
    ),
    "a member of a nested object": Mistake(
        "v3/deploy.yaml",
        (("x-python-name: target_version, description", "x-python-name: version, description"),),
        "v3.deployments.list",
        "Deployment declares no field target_version",
    ),
}


def test_each_mistake_fails_its_operation_alone(tmp_path: Path) -> None:
    source = generate(tmp_path)
    operations = {mistake.operation for mistake in MISTAKES.values()} | {*RIGHT}
    names = {
        operation: "test_contract_of_v3" if operation.startswith("v3") else "test_contract" for operation in operations
    }
    cases = [
        f"tests/wire/test_contract.py::{name}[{face}-{operation}]"
        for operation, name in sorted(names.items())
        for face in ("trio", "sync")
    ]

    result = python("-m", "pytest", "-q", "-p", "no:cacheprovider", *cases, source=source)

    assert result.returncode == 1, result.stderr
    assert f"{2 * len(MISTAKES)} failed, {2 * len(RIGHT)} passed" in result.stdout
    assert [operation for operation in RIGHT if operation in result.stdout] == []
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
async def test_every_operation_of_v3_is_checked(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """With changed facts, every operation fails."""
    made = [(name, changed) for operation in v3_facts.operations() for name, changed in v3_changes(operation)]
    assert len(made) > 1000

    unseen = [f"{changed.label}: {name}" for name, changed in made if await passes_as_v3(client, server, changed)]

    assert unseen == []


async def passes_as_v3(client: AsyncCircleCI, server: ScriptedServer, operation: V3Operation) -> bool:
    try:
        await v3_contract.check_operation(client, server, operation)
    except (MismatchError, DecodeError, PaginationError):
        return False
    return True


def v3_changes(operation: V3Operation) -> Iterator[tuple[str, V3Operation]]:
    """The facts about an operation of v3 with one change: of the request, of one argument, of one member."""
    yield "another path", replace(operation, path=operation.path + "/more")
    yield "another method", replace(operation, method="PUT")
    yield "another header for the token", replace(operation, bearer=not operation.bearer)
    for one, other in pairwise(operation.arguments):
        if (one.place, one.shape) == (other.place, other.shape) and one.shape.kind != "boolean":
            swapped = {one: replace(other, name=one.name), other: replace(one, name=other.name)}
            arguments = tuple(swapped.get(argument, argument) for argument in operation.arguments)
            yield f"{one.name} and {other.name}", replace(operation, arguments=arguments)
    for argument in operation.arguments:
        if argument.place != "path":
            changed = tuple(
                replace(each, wire=f"{each.wire}_x") if each is argument else each for each in operation.arguments
            )
            yield f"{argument.wire} in the request", replace(operation, arguments=changed)
    if operation.row.response and operation.row.form in {"json", "lines"}:
        for place, changed_tree in changed_trees(operation.row.response):
            yield place, replace(operation, row=replace(operation.row, response=changed_tree))


def changed_trees(tree: Tree, place: str = "") -> Iterator[tuple[str, Tree]]:
    """A structure with another name or another type of one member, at any depth."""
    for number, member in enumerate(tree.members):
        here = f"{place}.{member.name}"
        if here not in UNREAD:
            changed = [(here, replace(member, name=f"{member.name}_x"))]
            if member.tree.kind in {"str", "uuid", "time", "bool", "base64"}:
                changed.append((f"{here} as a number", replace(member, tree=replace(member.tree, kind="float"))))
            elif member.tree.kind in {"int", "float", "constant"}:
                changed.append((f"{here} as a string", replace(member, tree=replace(member.tree, kind="uuid"))))
            changed += [(path, replace(member, tree=inner)) for path, inner in changed_trees(member.tree, here)]
            for path, other in changed:
                yield path, replace(tree, members=(*tree.members[:number], other, *tree.members[number + 1 :]))
    if tree.items:
        yield from ((path, replace(tree, items=inner)) for path, inner in changed_trees(tree.items, f"{place}[]"))
    for number, variant in enumerate(tree.variants):
        for path, other in changed_trees(variant, f"{place}|"):
            yield path, replace(tree, variants=(*tree.variants[:number], other, *tree.variants[number + 1 :]))


UNREAD: Final = (".page", ".meta")
"""Members of lists that the contract itself makes."""


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
