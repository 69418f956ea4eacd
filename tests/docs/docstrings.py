"""The examples in docstrings of the package, as a module for type checkers.

An example is a paragraph that is indented, and Python. Each becomes a function; the names that it uses and does not
define are imported, or are parameters of the function.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from tests.support.places import ROOT

_PARAGRAPHS: Final = re.compile(r"(?:\A|\n\n)((?:(?: {4,}[^\n]*|)\n?)+)")
NO_PYTHON: Final = ("CircleCIError\n", "_fake  ", "__main__  ", "python -m ", "    * 2026-12-07: ")
"""How the indented paragraphs begin that are no Python."""
LEFT_OUT: Final = ("_core/checks.py", "helpers/_shared/partial.py", "v1/", "v2/", "v3/")
"""Modules whose docstrings are for contributors, or are descriptions of the specs, which have no examples."""
GIVEN: Final = {
    "event": "Event",
    "fake": "FakeCircleCI",
    "last_week": "datetime",
    "my_bot": "Callable[[AsyncCircleCI], Awaitable[object]]",
    "my_script": "Callable[[CircleCI], object]",
    "router": "Router",
    "secret": "str",
    "step": "helpers.Step",
    "store": "Callable[[str, dict[str, Any]], object]",
}
"""Names that an example takes for granted, with their types; `circleci` too, a client."""
HEAD: Final = '''\
"""The examples in docstrings. Written by `DOCS=write python -m pytest tests/docs/test_docstrings.py`."""

# pyright: reportUnusedVariable=false, reportUnusedFunction=false, reportUnusedClass=false

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.applications import Starlette

from circleci_sdk import AsyncCircleCI, CircleCI, helpers
from circleci_sdk.limiters import RedisRateLimiter
from circleci_sdk.testing import FakeCircleCI, Job, Step, Workflow
from circleci_sdk.webhooks import Event, JobCompleted, Router, WebhookApp, WorkflowCompleted, follow
'''


class Example(NamedTuple):
    """An example, the module that it stands in, and the name of what it describes."""

    module: str
    owner: str
    source: str


@cache
def docstrings() -> tuple[tuple[str, str, str], ...]:
    """Each docstring, with its module and the name of what it describes."""
    return tuple(_docstrings())


def _docstrings() -> Iterator[tuple[str, str, str]]:
    package = ROOT / "src" / "circleci_sdk"
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package).as_posix()
        if module.startswith(LEFT_OUT):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, "" if isinstance(node, ast.Module) else node.name, ast.get_docstring(node) or ""


def examples() -> Iterator[Example]:
    for module, owner, text in docstrings():
        for match in _PARAGRAPHS.finditer(text):
            source = textwrap.dedent(match[1]).strip("\n")
            if source and not match[1].lstrip("\n").removeprefix("    ").startswith(NO_PYTHON):
                yield Example(module, owner, source)


def rendered() -> str:
    """The module."""
    functions: list[str] = []
    names: set[str] = set()
    for example in examples():
        stem = re.sub(r"\W+", "_", f"{example.module.removesuffix('.py')}_{example.owner}").strip("_").lower()
        name = next(one for one in (stem, *(f"{stem}_{count}" for count in range(2, 99))) if one not in names)
        names.add(name)
        functions.append(f"\n\nasync def {name}({', '.join(parameters(example))}) -> None:\n")
        functions.append(textwrap.indent(f"{example.source}\n", "    "))
    return HEAD + "".join(functions)


def parameters(example: Example) -> list[str]:
    """Of the function of an example: the names that it takes for granted."""
    try:
        tree = ast.parse(f"async def f():\n{textwrap.indent(example.source, '    ')}\n")
    except SyntaxError as error:
        raise AssertionError(
            f"{example.module}: an indented paragraph is no Python; name it in NO_PYTHON: {example.source}"
        ) from error
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    stored |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    known = {**GIVEN, "circleci": "CircleCI" if example.module.startswith("sync/") else "AsyncCircleCI"}
    return [f"{name}: {known[name]}" for name in sorted((used - stored) & known.keys())]
