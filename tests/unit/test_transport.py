"""The connection pool: every connection is in use, idle or closed, for any outcome of its call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk._core.transport import connections as transport
from circleci_sdk._core.transport.connections import KEEPALIVE, ConnectionPool, Route

Outcome = Literal["read", "unread", "half", "refused", "broken body", "broken end", "stuck"]
OUTCOMES: tuple[Outcome, ...] = ("read", "unread", "half", "refused", "broken body", "broken end")


class Body(httpx.AsyncByteStream):
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.pieces = [b"two", b"one"]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # type: ignore[return-value]  # its own iterator

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        if self.outcome == "broken body" and len(self.pieces) == 1:
            raise httpx.ReadError("broken")
        return self.pieces.pop()

    async def aclose(self) -> None:
        if self.outcome == "broken end":
            raise httpx.ReadError("broken at the end")


class Connection(httpx.AsyncBaseTransport):
    """One connection; fails when used after it was closed."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.closed = 0
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.closed
        self.calls += 1
        outcome: Outcome = request.extensions["outcome"]
        if outcome == "stuck":
            await anyio.sleep_forever()
        if outcome == "refused":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, stream=Body(outcome))

    async def aclose(self) -> None:
        self.closed += 1


class PoolHarness:
    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.transport = ConnectionPool(self._make, self._route)

    def _route(self, url: httpx.URL) -> Route:
        return Route(url.host if url.host != "direct" else None, url.raw_scheme, b"", None)

    def _make(self, route: Route) -> Connection:
        self.connections.append(Connection(route))
        return self.connections[-1]

    async def send(self, outcome: Outcome = "read", host: str = "direct", scheme: str = "http") -> httpx.Response:
        request = httpx.Request("GET", f"{scheme}://{host}/", extensions={"outcome": outcome})
        return await self.transport.handle_async_request(request)

    async def call(self, outcome: Outcome = "read", host: str = "direct", scheme: str = "http") -> None:
        try:
            response = await self.send(outcome, host, scheme)
        except httpx.ConnectError:
            return
        try:
            if outcome == "half":
                pieces = aiter(response.stream)  # type: ignore[arg-type]  # an async stream
                await anext(pieces)
                await pieces.aclose()  # type: ignore[attr-defined]  # an async stream
            elif outcome != "unread":
                async for _ in response.stream:  # type: ignore[union-attr]  # an async stream
                    pass
        except httpx.ReadError:
            pass
        finally:
            try:
                await response.stream.aclose()  # type: ignore[union-attr]  # an async stream
            except httpx.ReadError:
                assert outcome == "broken end"
            await response.stream.aclose()  # type: ignore[union-attr]  # a second time: no effect

    @property
    def open(self) -> int:
        assert all(connection.closed <= 1 for connection in self.connections)
        return sum(not connection.closed for connection in self.connections)


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_connection_is_kept_only_after_a_complete_call(outcome: Outcome) -> None:
    pool = PoolHarness()
    await pool.call(outcome)
    assert pool.open == (outcome == "read")
    await pool.call()
    assert len(pool.connections) == (1 if outcome == "read" else 2)
    await pool.transport.aclose()
    assert pool.open == 0


async def test_connection_of_a_cancelled_call_is_closed() -> None:
    pool = PoolHarness()
    with anyio.move_on_after(0.01):
        await pool.call("stuck")
    assert [connection.closed for connection in pool.connections] == [1]


async def test_last_used_connection_is_used_first() -> None:
    pool = PoolHarness()
    first, second = await pool.send(), await pool.send()
    for response in (first, second):
        async for _ in response.stream:  # type: ignore[union-attr]  # an async stream
            pass
        await response.stream.aclose()  # type: ignore[union-attr]  # an async stream
    for _ in range(3):
        await pool.call()
    assert [connection.calls for connection in pool.connections] == [1, 4]
    await pool.transport.aclose()


async def test_connection_is_reused_for_its_proxy_only() -> None:
    pool = PoolHarness()
    for host in ("direct", "one", "two", "one", "direct"):
        await pool.call(host=host)
    assert [(connection.route.proxy, connection.calls) for connection in pool.connections] == [
        (None, 2),
        ("one", 2),
        ("two", 1),
    ]
    await pool.transport.aclose()


async def test_connection_without_certificates_is_not_used_for_https() -> None:
    pool = PoolHarness()
    for scheme in ("http", "https", "http", "https"):
        await pool.call(scheme=scheme)
    assert [(connection.route.scheme, connection.calls) for connection in pool.connections] == [
        (b"http", 2),
        (b"https", 2),
    ]
    await pool.transport.aclose()


async def test_expired_idle_connections_are_closed_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(transport.time, "monotonic", lambda: now[0])
    pool = PoolHarness()
    responses = [await pool.send() for _ in range(3)]
    for response in responses:
        async for _ in response.stream:  # type: ignore[union-attr]  # an async stream
            pass
        await response.stream.aclose()  # type: ignore[union-attr]  # an async stream
    now[0] = KEEPALIVE + 1
    await pool.call()  # finds the first expired connection; the next call closes it
    await pool.call()
    assert [connection.closed for connection in pool.connections] == [1, 1, 0]
    await pool.transport.aclose()


async def test_failed_creation_leaves_no_connection() -> None:
    def make(_: Route) -> httpx.AsyncBaseTransport:
        raise OSError("no more files")

    connections = ConnectionPool(make, lambda url: Route(None, b"http", b"x", None))
    with pytest.raises(OSError, match="no more files"):
        await connections.handle_async_request(httpx.Request("GET", "http://x/"))
    await connections.aclose()


@given(st.lists(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=6), max_size=6))
def test_any_sequence_of_outcomes(rounds: list[list[Outcome]]) -> None:
    """For any outcomes in any order, no connection is closed twice or lost, and none is used after it was closed."""

    async def live() -> None:
        pool = PoolHarness()
        for outcomes in rounds:
            async with anyio.create_task_group() as tasks:
                for outcome in outcomes:
                    tasks.start_soon(pool.call, outcome)
            assert pool.open == len(pool.transport._idle) <= max(len(each) for each in rounds)
        await pool.transport.aclose()
        assert pool.open == 0

    anyio.run(live)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://circleci.com/", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://circleci.com/", "http://p:1"),
        ({"HTTPS_PROXY": "p:1"}, "https://circleci.com/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://circleci.com/", None),
        ({"ALL_PROXY": "socks5://p:1"}, "https://circleci.com/", "socks5://p:1"),
        ({"ALL_PROXY": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https://circleci.com/", "http://q:1"),
        *(
            ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": exempt}, url, proxy)
            for exempt, url, proxy in (
                ("circleci.com", "https://circleci.com/", None),
                ("circleci.com", "https://app.circleci.com/", None),
                ("circleci.com", "https://notcircleci.com/", "http://p:1"),
                (".circleci.com", "https://app.circleci.com/", None),
                ("example.com, circleci.com", "https://circleci.com/", None),
                ("CircleCI.com", "https://circleci.com/", None),
                ("circleci.com:8443", "https://circleci.com:8443/", None),
                ("circleci.com:8443", "https://circleci.com/", "http://p:1"),
                ("127.0.0.1", "https://127.0.0.1:8443/", None),
                ("::1", "https://[::1]:8443/", None),
                ("*", "https://circleci.com/", None),
                ("", "https://circleci.com/", "http://p:1"),
            )
        ),
    ],
)
def test_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sent = httpx.URL(url)
    server = sent.raw_scheme, sent.raw_host, sent.port
    assert transport._router(None)(sent) == Route(proxy, *server)
    assert transport._router("http://mine:1")(sent) == Route("http://mine:1", *server)
