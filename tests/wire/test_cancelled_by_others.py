"""A call that gets a `CancelledError` of others fails like any other; its own cancellation ends it. Over sockets.

On asyncio only: on trio a cancellation belongs to a scope.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import httpx
import pytest

from circleci_sdk import AsyncCircleCI, CallError, CircleCIError, TransportError
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from tests.support.clients import ID, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.foreign import foreign_cancellation
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

PLACES: Final = {
    "auth": "not_sent",
    "on_request": "not_sent",
    "transport": "unknown",
    "on_response": "processed",
}
"""Where functions of the user run in a call, and what is known of the request then."""
Use = Callable[[], Coroutine[Any, Any, object]]


class Function:
    """A function of the user: it returns a token, a wait of zero, or nothing. Its call number `at` does something."""

    def __init__(self, place: str, at: int, action: Use) -> None:
        self.place, self.at, self.action = place, at, action
        self.calls = 0

    async def __call__(self, *_: object) -> Any:
        self.calls += 1
        if self.calls == self.at:
            await self.action()
        return "token" if self.place == "auth" else None

    async def acquire(self, *_: object) -> None:
        await self()

    async def observe(self, *_: object) -> None: ...


@asynccontextmanager
async def client_with(api: ScriptedServer, function: Function, **options: Any) -> AsyncGenerator[AsyncCircleCI]:
    """A client that calls the function at its place."""
    async with _Transport(function) as transport:
        name = "rate_limiter" if function.place == "acquire" else function.place
        given: Any = transport if function.place == "transport" else function
        async with client_on(api, FakeClock(), **{name: given}, **options) as client:
            yield client


class _Transport(httpx.AsyncHTTPTransport):
    def __init__(self, function: Function) -> None:
        super().__init__()
        self._function = function

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._function()
        return await super().handle_async_request(request)


@pytest.fixture
def api(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", "/api/v2/me", reply(json=USER))

    def page(request: Request) -> Response:
        start = int(dict(request.query).get("page-token", "0"))
        items = [{"name": f"NAME_{number}", "value": "xxxx"} for number in range(start, start + 2)]
        return reply(json={"items": items, "next_page_token": str(start + 2) if start < 8 else None})

    server.on("GET", "/api/v2/project/gh/acme/web/envvar", page)
    return server


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("place", PLACES)
async def test_a_call_fails(api: ScriptedServer, place: str) -> None:
    function = Function(place, 1, foreign_cancellation)
    async with client_with(api, function, max_concurrency=1, max_retries=0) as client:
        with pytest.raises(CallError, match=r"v2\.users\.me.*was cancelled, though this call was not") as caught:
            await client.v2.users.me()
        assert caught.value.request_outcome == PLACES[place]
        assert isinstance(caught.value, TransportError) is (place == "transport")
        assert (await client.v2.users.me()).id == ID  # no slot is lost
        assert client._session.resources().slots.value == 1  # pyright: ignore[reportPrivateUsage]  # slots have no public name


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_transport_awaited_is_tried_again(api: ScriptedServer) -> None:
    function = Function("transport", 1, foreign_cancellation)
    async with client_with(api, function) as client:
        assert (await client.v2.users.me()).id == ID
    assert function.calls == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("at", [1, 3, 5])
async def test_a_list_that_is_read_ahead_does_not_end_early(api: ScriptedServer, place: str, at: int) -> None:
    function = Function(place, at, foreign_cancellation)
    found: list[str] = []
    async with client_with(api, function, max_retries=0) as client:
        pager = client.v2.projects.list_env_vars("gh/acme/web")
        async with pager.prefetch(3) as items:
            with pytest.raises(CallError, match="was cancelled"):
                async for item in items:
                    found.append(item.name)  # noqa: PERF401  # what came before the error counts
            with pytest.raises(CallError):  # no end of the list either
                await anext(items)
        found += [item.name async for item in pager.resume(pager.next)]
    assert found == [f"NAME_{number}" for number in range(10)]


def cancel_children(*_: object) -> Coroutine[Any, Any, None]:
    """What a careless shutdown of another library does: cancel all tasks but the one of the test."""

    async def cancel() -> None:
        own = asyncio.current_task()
        assert own is not None
        own.cancel()
        await anyio.lowlevel.checkpoint()

    return cancel()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 2])
async def test_reading_ahead_in_a_task_that_others_cancel(api: ScriptedServer, times: int) -> None:
    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        for _ in range(times):
            asyncio.get_running_loop().call_soon(task.cancel)
        await anyio.sleep_forever()

    async with (
        client_on(api, FakeClock(), on_request=Function("on_request", 3, cancel)) as client,
        client.v2.projects.list_env_vars("gh/acme/web").prefetch(3) as items,
    ):
        with pytest.raises(CircleCIError, match=r"prefetch.*was cancelled"):
            async for _ in items:
                pass


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("action", [foreign_cancellation, cancel_children])
@pytest.mark.parametrize("at", range(5))
async def test_concurrent_work_ends_with_an_error(action: Use, at: int) -> None:
    async def work(item: int) -> int:
        await run_until_idle()
        if item == at:
            await action()
        return item

    with pytest.raises(CircleCIError, match="was cancelled"):
        await map_concurrently(work, range(5), limit=2)


async def by_scope(call: Use, reached: anyio.Event) -> bool:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await reached.wait()
        tasks.cancel_scope.cancel()
    return True


async def by_task(call: Use, reached: anyio.Event) -> bool:
    task = asyncio.ensure_future(call())
    await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def by_timeout(call: Use, reached: anyio.Event) -> bool:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60) as limit, anyio.create_task_group() as tasks:

            async def soon() -> None:
                await reached.wait()
                limit.reschedule(0)

            tasks.start_soon(soon)
            await call()
    return True


async def one(client: AsyncCircleCI) -> object:
    return await client.v2.users.me()


async def ahead(client: AsyncCircleCI) -> object:
    async with client.v2.projects.list_env_vars("gh/acme/web").prefetch(3) as items:
        return [item async for item in items]


async def several(client: AsyncCircleCI) -> object:
    return await map_concurrently(lambda _: client.v2.users.me(), range(4), limit=2)


@pytest.mark.parametrize(
    ("anyio_backend", "way"),
    [*(("asyncio", way) for way in (by_scope, by_task, by_timeout)), ("trio", by_scope)],  # trio has scopes only
    scope="module",
)
@pytest.mark.parametrize("use", [one, ahead, several])
@pytest.mark.parametrize("place", [*PLACES, "acquire"])
async def test_an_own_cancellation_passes_through(api: ScriptedServer, place: str, use: Any, way: Any) -> None:
    reached, others = anyio.Event(), list[BaseException]()

    async def stay() -> None:
        reached.set()
        await anyio.sleep_forever()

    function = Function(place, 1, stay)
    async with client_with(api, function, max_concurrency=2) as client:

        async def call() -> None:
            try:
                await use(client)
            except Exception as error:
                others.append(error)
                raise

        with anyio.fail_after(10):
            assert await way(call, reached)
            assert others == []
            assert (await client.v2.users.me()).id == ID
        assert client._session.resources().slots.value == 2  # pyright: ignore[reportPrivateUsage]  # slots have no public name
