"""Every example of the reference runs against the fake, and is a success."""

from __future__ import annotations

import ast
import textwrap
import types
import warnings
from pathlib import Path
from typing import Any

import pytest

import circleci_sdk.v1
import circleci_sdk.v2
import circleci_sdk.v3
from codegen.reference.__main__ import VERSIONS
from codegen.reference.api import read_api
from codegen.reference.examples import example
from tests.codegen.reference.example_project import ExampleProject

SPECS = Path(__file__).parents[3] / "openapi"
APIS = [read_api(SPECS / folder, name) for folder, name in VERSIONS]
EXAMPLES = {api.label(operation): example(operation, api) for api in APIS for operation in api.operations}


TABLES = (circleci_sdk.v1.OPERATIONS, circleci_sdk.v2.OPERATIONS, circleci_sdk.v3.OPERATIONS)


def test_each_operation_has_an_example() -> None:
    assert sorted(EXAMPLES) == sorted(operation.label for table in TABLES for operation in table.values())


def variables(code: str) -> list[str]:
    """The names that an example takes as given."""
    names = [node for node in ast.walk(ast.parse(textwrap.dedent(code))) if isinstance(node, ast.Name)]
    stored = {node.id for node in names if isinstance(node.ctx, ast.Store)} | {"circleci", "print"}
    return list(dict.fromkeys(node.id for node in names if node.id not in stored))


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("label", EXAMPLES)
async def test_an_example_runs(label: str, anyio_backend: str) -> None:
    project = ExampleProject()
    code = EXAMPLES[label]
    compiled = compile(code, label, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with project.circleci:
        names: dict[str, Any] = await project.values(label, variables(code))
        project.fake.requests.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            await types.FunctionType(compiled, names)()
    [request, *_] = project.fake.requests
    assert request.operation == label
    assert request.status is not None
    assert request.status < 300
