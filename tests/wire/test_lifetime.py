"""Lifetime: deadlines, ownership, event loops, and resources left after a client."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    CallError,
    CircleCIError,
    ClientClosedError,
    ConnectionFailedError,
    RateLimitError,
    RequestTimeoutError,
    Timeout,
)
from tests.support.clients import CREATED, SLUG, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.scripted_server import Response, ScriptedServer, closed_port, hang, reply

Call: TypeAlias = Callable[[AsyncCircleCI], Awaitable[Any]]

SHORT: Final = 0.4
LONG_BODY: Final = {"padding": "x" * 5000}


async def get(client: AsyncCircleCI) -> object:
    return await client.v2.users.me()


async def trigger(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.trigger(SLUG, branch="main")


async def stay(*_: object) -> str:
    await anyio.sleep_forever()
    return ""


class StayingTransport(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError


def drip(status: int) -> Response:
    return reply(status, json={**CREATED, **LONG_BODY}).dripping(500, pause=0.02)


# Deadlines.


@dataclass(frozen=True)
class Row:
    """A call with an exceeded deadline, and the expected error."""

    name: str
    response: Response | None
    request_outcome: str
    because: str = "deadline"
    call: Call = trigger
    options: Mapping[str, Any] = field(default_factory=lambda: {"timeout": SHORT})


ROWS: Final = [
    Row("no response", hang(), "unknown"),
    Row("no response to a GET", hang(), "unknown", call=get),
    Row("a slow head", reply(201, json=CREATED).after(9), "unknown"),
    Row("a dripping success", drip(201), "processed"),
    Row("a dripping 503", drip(503), "unknown"),
    Row("a dripping 404", drip(404), "rejected"),
    Row("a dripping 429", drip(429), "rejected"),
    Row("a hook before", None, "not_sent", options={"timeout": SHORT, "on_request": stay}),
    Row("a hook after", reply(201, json=CREATED), "processed", options={"timeout": SHORT, "on_response": stay}),
    Row("a source of tokens", None, "not_sent", options={"timeout": SHORT, "auth": stay}),
    Row("a transport of somebody else", None, "unknown", options={"timeout": SHORT, "transport": StayingTransport()}),
    Row(
        "a hook before a transport of somebody else",
        None,
        "not_sent",
        options={"timeout": SHORT, "on_request": stay, "transport": StayingTransport()},
    ),
    Row(
        "reading",
        hang(),
        "unknown",
        "unknown_outcome",
        options={"timeout": Timeout(total=5, read=SHORT)},
    ),
    Row(
        "a dripping success with a limit for reading only",
        reply(201, json=CREATED).dripping(2, pause=4),
        "processed",
        "not_retryable",
        options={"timeout": Timeout(total=5, read=SHORT)},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_deadline(server: ScriptedServer, row: Row) -> None:
    if row.response is not None:
        server.script([row.response])
    async with client_on(server, **row.options) as client:
        with pytest.raises(RequestTimeoutError) as caught, anyio.fail_after(5):
            await row.call(client)
    error = caught.value
    assert isinstance(error, TimeoutError)
    assert (error.retry_stop_reason, error.request_outcome, error.attempts) == (row.because, row.request_outcome, 1)
    assert 0 < error.elapsed < 4
    assert len(server.requests) == (row.response is not None)


@pytest.mark.parametrize(
    ("timeout", "because", "attempts"),
    [(Timeout(connect=0.05), "attempts_exhausted", 3), (SHORT, "deadline", 1)],
    ids=["connect", "total"],
)
async def test_deadline_while_connecting(
    server: ScriptedServer, timeout: Timeout | float, because: str, attempts: int
) -> None:
    """The server accepts the connection and never completes the TLS handshake: nothing was sent."""
    clock = None if because == "deadline" else FakeClock()
    async with client_on(server.url.replace("http:", "https:"), clock, timeout=timeout) as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await trigger(client)
        await server.disconnected(attempts)  # not only when the client is closed or collected
    error = caught.value
    assert (error.retry_stop_reason, error.request_outcome, error.attempts) == (because, "not_sent", attempts)


@pytest.mark.parametrize("kind", ["own", "http_client", "transport"])
async def test_deadline_while_waiting_for_a_slot(server: ScriptedServer, kind: str) -> None:
    hold = server.latch()
    server.script([reply(json=USER).held_by(hold)])
    async with httpx.AsyncClient() as borrowed, httpx.AsyncHTTPTransport() as transport:
        options = {"own": {}, "http_client": {"http_client": borrowed}, "transport": {"transport": transport}}[kind]
        async with client_on(server, max_concurrency=1, **options) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(get, client)
            await server.seen(1)
            with pytest.raises(RequestTimeoutError) as caught:
                await trigger(client.with_options(timeout=SHORT))
            assert (caught.value.retry_stop_reason, caught.value.request_outcome) == ("deadline", "not_sent")
            hold.open()
    assert len(server.requests) == 1


async def test_no_request_after_the_deadline(server: ScriptedServer) -> None:
    """For example, the deadline expired in a hook."""
    clock = FakeClock()

    async def dawdle(_: object) -> None:
        clock.now += 30

    server.script([reply(503)])
    async with client_on(server, clock, timeout=20, on_response=dawdle) as client:
        with pytest.raises(CallError) as caught:
            await get(client)
    assert caught.value.retry_stop_reason == "deadline"
    assert len(server.requests) == 1


async def test_without_timeouts(server: ScriptedServer) -> None:
    server.script([reply(json=USER).after(0.05)])
    async with client_on(server, timeout=None) as client:
        await get(client)


# Ownership.


async def test_own_connections_are_closed(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    async with client_on(server) as client, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(get, client)
    await server.disconnected(server.connections)


@pytest.mark.parametrize("kind", ["http_client", "transport"])
async def test_borrowed_client_stays_open(server: ScriptedServer, kind: str) -> None:
    server.otherwise(reply(json=USER))
    closed: list[str] = []

    class Transport(httpx.AsyncHTTPTransport):
        async def aclose(self) -> None:
            closed.append("transport")
            await super().aclose()

    transport = Transport()
    borrowed: Any = httpx.AsyncClient(transport=transport) if kind == "http_client" else transport
    for _ in range(2):
        async with client_on(server, **{kind: borrowed}) as client:
            await get(client)
    assert (closed, server.connections) == ([], 1)
    await borrowed.aclose()
    await server.disconnected(1)


async def test_borrowed_client_runs_its_hooks_but_follows_no_redirect(server: ScriptedServer) -> None:
    """Its hooks run; its redirects, credentials and default headers do not apply to our calls."""
    server.script([reply(307, headers={"Location": "/elsewhere"}), reply(json=USER)])
    seen: list[str] = []

    async def note(request: httpx.Request) -> None:
        seen.append(request.url.path)

    habits: dict[str, Any] = {"auth": ("ada", "secret"), "headers": {"X-Mine": "1"}, "event_hooks": {"request": [note]}}
    async with (
        httpx.AsyncClient(follow_redirects=True, **habits) as borrowed,
        client_on(server, http_client=borrowed) as client,
    ):
        with pytest.raises(CircleCIError, match="307"):
            await trigger(client)
        await get(client)
    assert seen == [f"/api/v2/project/{SLUG}/pipeline", "/api/v2/me"]
    assert all(
        "authorization" not in request.headers and "x-mine" not in request.headers for request in server.requests
    )


async def test_use_after_close(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    client = client_on(server)
    view = client.with_options(timeout=5)
    pager = client.v2.pipelines.list(org_slug="gh/acme")
    await get(client)
    await client.aclose()
    await client.aclose()
    for again in (client, view):
        with pytest.raises(ClientClosedError, match="The client is closed"):
            await get(again)
        with pytest.raises(ClientClosedError):
            await again.request("GET", "/api/v2/me")
    with pytest.raises(ClientClosedError):
        await pager
    assert len(server.requests) == 1


async def test_unused_client_closes(server: ScriptedServer) -> None:
    async with client_on(server):
        pass
    assert server.connections == 0


async def test_closing_a_view_does_not_close_the_client(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    async with client_on(server) as client:
        async with client.with_options(timeout=5) as view:
            await get(view)
        await view.aclose()
        await get(view)
        await get(client)
    assert server.connections == 1


async def test_close_during_calls(server: ScriptedServer) -> None:
    """They finish normally, then their connections are closed; no new call starts."""
    hold = server.latch()
    server.script([reply(json=USER), reply(json=USER).held_by(hold), reply(json=USER).held_by(hold)])
    responses: list[object] = []

    async def keep(client: AsyncCircleCI) -> None:
        responses.append(await get(client))

    client = client_on(server)
    await get(client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keep, client)
        tasks.start_soon(keep, client)
        await server.seen(3)
        await client.aclose()
        with pytest.raises(ClientClosedError):
            await get(client)
        hold.open()
    assert len(responses) == 2
    await server.disconnected(server.connections)


@contextmanager
def noted() -> Iterator[list[str]]:
    """Resource warnings about clients of this package in the block."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
        gc.collect()
        said += [str(one.message) for one in caught if "AsyncCircleCI" in str(one.message)]


async def _forget(client: AsyncCircleCI, use: Callable[[AsyncCircleCI], Awaitable[object]]) -> list[Any]:
    """Use a client, drop its last reference, and return the resources that the test must close."""
    await use(client)
    return [resources.http for resources in client._session._loops.values()]


async def test_unclosed_client_emits_a_resource_warning(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    with noted() as said:
        https = await _forget(client_on(server), get)
        gc.collect()
    assert said == [
        "An AsyncCircleCI was not closed and may leave connections open; use `async with` or await aclose()."
    ]
    for http in https:
        await http.aclose()


async def _nothing(_: AsyncCircleCI) -> None:
    pass


async def _open_only(client: AsyncCircleCI) -> None:
    client._session.resources()


async def _refused(client: AsyncCircleCI) -> None:
    with pytest.raises(ConnectionFailedError):
        await get(client)


async def _and_close(client: AsyncCircleCI) -> None:
    await get(client)
    await client.aclose()


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        (_nothing, ""),
        (_open_only, ""),
        (_refused, "closed port"),
        (_and_close, ""),
        (get, "http_client"),
        (get, "transport"),
    ],
)
async def test_unclosed_client_without_connections_emits_no_warning(
    server: ScriptedServer, use: Callable[[AsyncCircleCI], Awaitable[object]], kind: str
) -> None:
    server.otherwise(reply(json=USER))
    with closed_port() as url, noted() as said:
        async with httpx.AsyncClient() as borrowed, httpx.AsyncHTTPTransport() as transport:
            options = {"http_client": {"http_client": borrowed}, "transport": {"transport": transport}}.get(kind, {})
            address = url if kind == "closed port" else server.url
            await _forget(client_on(address, FakeClock(), max_retries=0, **options), use)
            gc.collect()
    assert said == []


@pytest.mark.load
async def test_a_thousand_clients_leave_no_resources(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    left: list[weakref.ref[object]] = []

    async def live() -> None:
        async with client_on(server) as client:
            await client.request("GET", "/api/v2/me")
            left.extend((weakref.ref(client._session.resources().http), weakref.ref(client)))

    await live()
    before = _open_files()
    for _ in range(1000):
        await live()
    await server.disconnected(1001)
    gc.collect()
    assert _open_files() <= before
    assert [reference for reference in left if reference() is not None] == []


def _open_files() -> int:
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.exists() else 0


# Event loops.


@contextmanager
def loops() -> Iterator[None]:
    """asyncio warns about connections of a closed loop when they are collected."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        yield
        gc.collect()


async def _many_calls(client: AsyncCircleCI, last: bool) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(get, client)
    if last:
        await client.aclose()


def _one_after_the_other(server: ScriptedServer, backends: tuple[str, str]) -> int:
    client = client_on(server, max_concurrency=2)
    anyio.run(_many_calls, client, False, backend=backends[0])
    first = server.connections
    anyio.run(_many_calls, client, True, backend=backends[1])
    return first


@pytest.mark.parametrize(
    "backends", [("asyncio", "asyncio"), ("trio", "trio"), ("asyncio", "trio"), ("trio", "asyncio")], ids="-".join
)
def test_one_client_in_two_loops(server: ScriptedServer, backends: tuple[str, str]) -> None:
    """Connections and locks belong to the loop of their creation; no task waits for resources of another loop."""
    server.otherwise(reply(json=USER))
    with loops():
        first = _one_after_the_other(server, backends)
    assert len(server.requests) == 10
    assert server.connections > first


def _in_two_threads(server: ScriptedServer, backends: tuple[str, str]) -> list[BaseException]:
    client = client_on(server, max_retries=0, timeout=10)
    failures: list[BaseException] = []

    async def be_rejected() -> None:
        with pytest.raises(RateLimitError):
            await get(client)

    def run(backend: str) -> None:
        try:
            anyio.run(_many_calls, client, False, backend=backend)
        except BaseException as error:
            failures.append(error)

    anyio.run(be_rejected)
    threads = [threading.Thread(target=run, args=(backend,), daemon=True) for backend in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    anyio.run(client.aclose)
    return failures


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("trio", "trio"), ("asyncio", "trio")], ids="-".join)
def test_one_client_in_two_threads_after_a_429(server: ScriptedServer, backends: tuple[str, str]) -> None:
    """The queue of a rate limit belongs to all loops: a call wakes in its own loop, whichever loop is ahead of it."""
    server.script([reply(429, headers={"Retry-After": "0.2"})])
    server.otherwise(reply(json=USER))
    with loops():
        failures = _in_two_threads(server, backends)
    assert failures == []
    assert len(server.requests) == 11


def _again_and_again(server: ScriptedServer) -> int:
    client = client_on(server)
    for _ in range(5):
        anyio.run(get, client)
    remembered = len(client._session._loops)
    anyio.run(client.aclose)
    return remembered


def test_state_of_closed_loops_is_removed(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    with loops():
        assert _again_and_again(server) == 1


async def test_max_concurrency(server: ScriptedServer) -> None:
    hold = server.latch()
    server.otherwise(reply(json={}).held_by(hold))
    async with client_on(server, max_concurrency=20) as client, anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(client.request, "GET", f"/api/v2/{number}")
        await server.seen(20)
        await run_until_idle()
        assert server.concurrent == 20
        hold.open()
    assert {request.path for request in server.requests} == {f"/api/v2/{number}" for number in range(1000)}
    assert (server.max_concurrent, server.connections) == (20, 20)


@pytest.mark.parametrize("place", ["on_request", "on_response", "auth"])
async def test_hook_calls_its_own_client(server: ScriptedServer, place: str) -> None:
    """No slot is held while a hook or a source of tokens waits."""
    inner: list[object] = []

    async def call_again(*_: object) -> str:
        if not inner:
            inner.append(None)
            inner[0] = await client.v2.users.me()
        return "token"

    server.otherwise(reply(json=USER))
    hook: dict[str, Any] = {place: call_again}
    async with client_on(server, max_concurrency=1, timeout=10, **hook) as client:
        assert await get(client) == inner[0]
    assert (len(server.requests), server.max_concurrent) == (2, 1)
