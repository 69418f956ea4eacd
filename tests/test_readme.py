"""The code of the README runs: every Python block, against the demo scenario of the fake over a real socket."""

from __future__ import annotations

import ast
import re
import types
from collections.abc import Iterator
from inspect import CO_COROUTINE
from pathlib import Path
from typing import Any

import anyio
import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI, ServedFake

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = [
    pytest.param(match[1], id=f"line-{README[: match.start()].count(chr(10)) + 2}")
    for match in re.finditer(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]


@pytest.fixture(scope="module")
def server() -> Iterator[ServedFake]:
    with FakeCircleCI.scenario("demo", speed=1000).serve() as server:
        yield server


async def run(source: str, names: dict[str, Any], file: str = "README.md") -> None:
    """Execute a block. If it does not await at its top level, it is a program of its own, without an event loop."""
    code = compile(source, file, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    function = types.FunctionType(code, names)
    if code.co_flags & CO_COROUTINE:
        await function()
    else:
        await anyio.to_thread.run_sync(function)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_block_runs(
    block: str, server: ServedFake, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setenv("CIRCLECI_TOKEN", "fake-token")
    monkeypatch.setenv("CIRCLECI_BASE_URL", server.base_url)
    monkeypatch.setenv("CIRCLECI_WEBHOOK_SECRET", "a-secret")
    async with AsyncCircleCI() as circleci:
        [newest] = await circleci.v2.pipelines.list_for_project("gh/acme/web").take(1)
        [workflow, *_] = await circleci.v2.pipelines.list_workflows(newest.id)
        public = {name: getattr(circleci_sdk, name) for name in circleci_sdk.__all__}
        await run(block, {**public, "circleci": circleci, "workflow_id": workflow.id})


def test_there_are_two_commands_for_newcomers() -> None:
    assert len(re.findall(r"^```sh$", README, re.MULTILINE)) == 2
