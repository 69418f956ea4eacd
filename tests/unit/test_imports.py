"""Lazy loading: no heavy module before its first use, and only the models in use.

Times depend on the machine, so the budgets count modules, each in a fresh interpreter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Collection
from typing import Final

import pytest

import circleci_sdk

HEAVY: Final = ("httpx", "httpcore", "h11", "anyio", "pydantic", "pydantic_core", "asyncio", "ssl", "email", "trio")


def loaded_by(code: str) -> set[str]:
    """The modules loaded by this code in a fresh interpreter."""
    script = (
        f"import sys, json; before = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout))


def of_package(modules: Collection[str], package: str) -> set[str]:
    return {module for module in modules if module == package or module.startswith(f"{package}.")}


def roots(modules: Collection[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_package_loads_few_modules() -> None:
    modules = loaded_by("import circleci_sdk")
    assert of_package(modules, "circleci_sdk") == {"circleci_sdk", "circleci_sdk._public", "circleci_sdk._version"}
    assert not roots(modules) & set(HEAVY)
    assert len(modules) < 15


@pytest.mark.parametrize("name", circleci_sdk.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    modules = loaded_by(f"from circleci_sdk import {name}")
    assert not of_package(modules, "circleci_sdk.v1") | of_package(modules, "circleci_sdk.v2")
    assert "httpx" not in modules
    assert ("pydantic" in modules) == (name == "UnknownStr")


def test_client_is_created_without_httpx_and_pydantic() -> None:
    modules = loaded_by(
        "from circleci_sdk import AsyncCircleCI; client = AsyncCircleCI('token'); client.v2.jobs; client.v1.builds"
    )
    assert not roots(modules) & {"httpx", "httpcore", "pydantic", "anyio"}
    assert of_package(modules, "circleci_sdk.v2.models") == set()
    assert of_package(modules, "circleci_sdk.v2.resources") == {
        "circleci_sdk.v2.resources",
        "circleci_sdk.v2.resources.jobs",
    }
    assert len(of_package(modules, "circleci_sdk")) < 48


@pytest.mark.parametrize(
    ("resource", "model", "homes"),
    [
        ("v2.jobs", "JobDetails", {"_jobs", "_shared"}),
        ("v2.users", "User", {"_shared"}),
        ("v2.insights", "FlakyTests", {"_insights"}),
        ("v2.schedules", "Schedule", {"_schedules", "_shared"}),
        ("v1.users", "UserRepo", {"_users", "_shared"}),
    ],
)
def test_resource_loads_its_own_models_only(resource: str, model: str, homes: set[str]) -> None:
    version = resource.partition(".")[0]
    package = f"circleci_sdk.{version}.models"
    code = f"from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token').{resource}; from {package} import {model}"
    modules = loaded_by(code)
    private = {module.rpartition(".")[2] for module in of_package(modules, package) if module != package}
    assert homes >= private
    assert private
    other = "v1" if version == "v2" else "v2"
    assert not of_package(modules, f"circleci_sdk.{other}")
    assert "httpx" not in modules


def test_call_loads_its_own_models_only() -> None:
    """A complete call with a decoded response, on a mock transport."""
    modules = loaded_by(
        "import asyncio, httpx\n"
        "from circleci_sdk import AsyncCircleCI\n"
        "user = {'id': '1', 'login': 'ada', 'name': 'Ada'}\n"
        "transport = httpx.MockTransport(lambda request: httpx.Response(200, json=user))\n"
        "async def main():\n"
        "    async with AsyncCircleCI('token', transport=transport) as client:\n"
        "        assert (await client.v2.users.me()).login == 'ada'\n"
        "asyncio.run(main())\n"
    )
    assert of_package(modules, "circleci_sdk.v2.models") == {"circleci_sdk.v2.models", "circleci_sdk.v2.models._shared"}
    assert "trio" not in roots(modules)
    assert not of_package(modules, "circleci_sdk.helpers")


def test_operation_tables_load_no_models() -> None:
    modules = loaded_by("from circleci_sdk import v1, v2; assert len(v1.OPERATIONS) + len(v2.OPERATIONS) > 140")
    assert not roots(modules) & {"pydantic", "httpx", "anyio"}


def test_missing_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        circleci_sdk.nonsense  # type: ignore[attr-defined]  # noqa: B018  # reading it is the test
    assert set(circleci_sdk.__all__) <= set(dir(circleci_sdk))
    assert len(set(circleci_sdk.__all__)) == len(circleci_sdk.__all__)
