"""The work of sync calls, counted: waits for the event loop, Python function calls, and what a call leaves behind.

Times would depend on the machine.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from circleci_sdk import CircleCI, NotFoundError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._engine.calls import Call, Dispatcher
from circleci_sdk._engine.wrapper import IteratorWrapper
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.testing import FakeCircleCI
from tests.support.clients import USER
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.sync_clients import ME, sync_client_on
from tests.support.work import Work, replace_network

WAITS = 1_000
ITEMS = 1_000_000


class Waits:
    """The number of waits for the event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        run = Dispatcher.run

        def counted(
            dispatcher: Dispatcher, function: Callable[..., Awaitable[Any]], /, *args: Any, **kwargs: Any
        ) -> Any:
            self.count += 1
            return run(dispatcher, function, *args, **kwargs)

        monkeypatch.setattr(Dispatcher, "run", counted)

    def of(self, function: Callable[[], object]) -> int:
        """The number of waits of a function."""
        before = self.count
        function()
        return self.count - before


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    return Waits(monkeypatch)


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_network(monkeypatch)


def test_a_call_waits_once(waits: Waits) -> None:
    fake = FakeCircleCI()
    fake.add_project("gh/acme/web")
    with CircleCI._of(fake.client()) as client:
        run = client.runs.start("gh/acme/web", branch="main")
        assert waits.of(client.v2.users.me) == 1
        assert waits.of(lambda: client.raw_response(client.v2.users.me)) == 1
        assert waits.of(lambda: client.request("GET", "/api/v2/me")) == 1
        assert waits.of(run.wait) == 1
        assert waits.of(lambda: client.v1.users.me()) == 1
        pager = client.v2.pipelines.list_for_project("gh/acme/web")
        assert waits.of(pager.page) == 1
        assert waits.of(lambda: pager.take(1)) == 1
        assert waits.of(pager.collect) == 1
        assert waits.of(lambda: client.with_options(timeout=3).runs.attach(run.id)) == 0


class _Numbers(Buffered[int]):
    """A million numbers, in buffers of a thousand."""

    def __init__(self) -> None:
        self._buffer: list[int] = []
        self._left = WAITS

    def _next_buffered(self) -> int | Unset:
        return self._buffer.pop() if self._buffer else UNSET

    async def _fill_buffer(self) -> None:
        if self._left == 0:
            raise StopAsyncIteration
        self._left -= 1
        self._buffer = list(range(ITEMS // WAITS))


def test_a_million_items_wait_once_for_each_buffer(waits: Waits) -> None:
    with CircleCI("token") as client:
        numbers: IteratorWrapper[_Numbers, int] = IteratorWrapper(client._dispatcher, _Numbers())
        assert waits.of(lambda: sum(1 for _ in numbers)) == WAITS + 1  # the last one finds the end


class _Both(Work):
    """Counts the function calls of the caller and of the event loop."""

    def __init__(self, client: CircleCI) -> None:
        super().__init__()
        self._client = client

    async def _count(self) -> None:
        super().__enter__()

    async def _stop(self) -> None:
        super().__exit__()

    def __enter__(self) -> Counter[str]:
        self._client._run(self._count)
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._client._run(self._stop)


@pytest.mark.usefixtures("instant")
def test_function_calls_of_a_call() -> None:
    """A seventh of those of this package are for the wait."""
    with CircleCI("token") as client:
        for _ in range(3):
            client.v2.users.me()
        with _Both(client) as calls:
            client.v2.users.me()
        assert calls["circleci_sdk"] <= 107
        assert calls["asyncio"] <= 70
        assert calls["anyio"] <= 55


def test_calls_leave_no_cycles(server: ScriptedServer) -> None:
    """Results would live until the garbage collector finds them, which takes long with large ones."""
    server.on("GET", ME, reply(json=USER))
    server.otherwise(reply(404))

    def calls() -> list[int]:
        return [id(one) for one in cast("list[object]", gc.get_objects()) if isinstance(one, Call)]

    with sync_client_on(server, max_retries=0) as client:
        client.v2.users.me()
        gc.collect()
        before = calls()
        gc.disable()
        try:
            for _ in range(8):
                client.v2.users.me()
                with pytest.raises(NotFoundError):
                    client.v2.jobs.get("gh/acme/web", 4000)
            assert len(set(calls()) - set(before)) <= 1
        finally:
            gc.enable()
