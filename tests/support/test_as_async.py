"""The sync client in the form of the async one: what it cannot hide, and that its lists of tests are up to date."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI, AsyncPager, Pager
from circleci_sdk._engine.wrapper import Wrapper
from circleci_sdk.helpers import Run
from circleci_sdk.testing import FakeCircleCI
from tests.support.as_async import as_async, function_as_async
from tests.support.clients import sync_clients
from tests.support.faces import FILES, TESTS


@pytest.fixture
async def circleci() -> AsyncIterator[Any]:
    fake = FakeCircleCI()
    fake.add_project("gh/acme/web")
    async with as_async(fake.sync_client()) as client:
        yield client


async def test_objects_pass_for_async_ones(circleci: Any) -> None:
    assert isinstance(circleci, AsyncCircleCI)
    assert isinstance(circleci.v2.pipelines.list_for_project("gh/acme/web"), AsyncPager)
    assert isinstance(circleci.runs.attach("5034460f-c7c4-4c43-9457-de07e2029e7b"), Run)
    assert circleci.v2 is circleci.v2


async def test_calls_are_those_of_the_sync_client(circleci: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pager, "collect", lambda pager: ["from the sync pager"])
    assert await circleci.v2.pipelines.list_for_project("gh/acme/web").collect() == ["from the sync pager"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("leak", ["coroutine", "iterator", "block"])
async def test_what_is_async_is_refused(leak: str) -> None:
    async def coroutine() -> None: ...

    async def iterator() -> AsyncIterator[int]:
        yield 1

    class Block:
        async def __aenter__(self) -> None: ...
        async def __aexit__(self, *error: object) -> None: ...

    made: Any = {"coroutine": coroutine, "iterator": iterator, "block": Block}[leak]()
    with pytest.raises(AssertionError, match="is async"):
        await function_as_async(lambda: made)()
    if leak == "coroutine":
        made.close()


def test_another_class_is_refused() -> None:
    class Runs(Wrapper[Any]):
        __slots__ = ()

    client: Any = Runs(None, AsyncCircleCI("token"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # it is not used
    with pytest.raises(AssertionError, match="is not the sync form"):
        as_async(client)


def test_functions_of_webhooks_are_replaced_for_a_module_that_has_them() -> None:
    import tests.webhooks.test_registration as module

    before = module.register
    with sync_clients(module):
        assert module.register is not before
    assert module.register is before


def test_every_test_that_is_left_out_is_there() -> None:
    missing: list[str] = []
    for path, left_out in FILES.items():
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
        missing += [f"{path}: {name}" for name in left_out if name not in names]
    assert missing == []
