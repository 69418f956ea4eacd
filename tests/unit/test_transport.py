"""The books of the lanes: every lane is in use, idle or closed, whatever becomes of its call."""

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

Fate = Literal["read", "unread", "half", "refused", "broken body", "broken end", "stuck"]
FATES: tuple[Fate, ...] = ("read", "unread", "half", "refused", "broken body", "broken end")


class Body(httpx.AsyncByteStream):
    def __init__(self, fate: Fate) -> None:
        self.fate = fate
        self.pieces = [b"two", b"one"]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self  # type: ignore[return-value]

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        if self.fate == "broken body" and len(self.pieces) == 1:
            raise httpx.ReadError("broken")
        return self.pieces.pop()

    async def aclose(self) -> None:
        if self.fate == "broken end":
            raise httpx.ReadError("broken at the end")


class Lane(httpx.AsyncBaseTransport):
    """One connection: says when it is used by two calls at once, or after it was closed."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self.closed = 0
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert not self.closed
        self.calls += 1
        fate: Fate = request.extensions["fate"]
        if fate == "stuck":
            await anyio.sleep_forever()
        if fate == "refused":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, stream=Body(fate))

    async def aclose(self) -> None:
        self.closed += 1


class Books:
    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.transport = ConnectionPool(self._make, self._route)

    def _route(self, url: httpx.URL) -> Route:
        return Route(url.host if url.host != "direct" else None, url.scheme == "https")

    def _make(self, route: Route) -> Lane:
        self.lanes.append(Lane(route))
        return self.lanes[-1]

    async def send(self, fate: Fate = "read", host: str = "direct", scheme: str = "http") -> httpx.Response:
        request = httpx.Request("GET", f"{scheme}://{host}/", extensions={"fate": fate})
        return await self.transport.handle_async_request(request)

    async def call(self, fate: Fate = "read", host: str = "direct", scheme: str = "http") -> None:
        try:
            response = await self.send(fate, host, scheme)
        except httpx.ConnectError:
            return
        try:
            if fate == "half":
                pieces = aiter(response.stream)  # type: ignore[arg-type]
                await anext(pieces)
                await pieces.aclose()  # type: ignore[attr-defined]
            elif fate != "unread":
                async for _ in response.stream:  # type: ignore[union-attr]
                    pass
        except httpx.ReadError:
            pass
        finally:
            try:
                await response.stream.aclose()  # type: ignore[union-attr]
            except httpx.ReadError:
                assert fate == "broken end"
            await response.stream.aclose()  # type: ignore[union-attr]  # a second time: no effect

    @property
    def open(self) -> int:
        assert all(lane.closed <= 1 for lane in self.lanes)
        return sum(not lane.closed for lane in self.lanes)


@pytest.mark.parametrize("fate", FATES)
async def test_only_a_lane_whose_call_ended_cleanly_is_kept(fate: Fate) -> None:
    books = Books()
    await books.call(fate)
    assert books.open == (fate == "read")
    await books.call()
    assert len(books.lanes) == (1 if fate == "read" else 2)
    await books.transport.aclose()
    assert books.open == 0


async def test_a_lane_whose_call_was_cancelled_is_closed() -> None:
    books = Books()
    with anyio.move_on_after(0.01):
        await books.call("stuck")
    assert [lane.closed for lane in books.lanes] == [1]


async def test_the_lane_used_last_is_used_first() -> None:
    books = Books()
    first, second = await books.send(), await books.send()
    for response in (first, second):
        async for _ in response.stream:  # type: ignore[union-attr]
            pass
        await response.stream.aclose()  # type: ignore[union-attr]
    for _ in range(3):
        await books.call()
    assert [lane.calls for lane in books.lanes] == [1, 4]
    await books.transport.aclose()


async def test_a_lane_keeps_to_its_proxy() -> None:
    books = Books()
    for host in ("direct", "one", "two", "one", "direct"):
        await books.call(host=host)
    assert [(lane.route.proxy, lane.calls) for lane in books.lanes] == [(None, 2), ("one", 2), ("two", 1)]
    await books.transport.aclose()


async def test_a_lane_that_was_made_without_certificates_carries_nothing_that_needs_them() -> None:
    books = Books()
    for scheme in ("http", "https", "http", "https"):
        await books.call(scheme=scheme)
    assert [(lane.route.secure, lane.calls) for lane in books.lanes] == [(False, 2), (True, 2)]
    await books.transport.aclose()


async def test_lanes_that_idled_too_long_are_closed_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(transport.time, "monotonic", lambda: now[0])
    books = Books()
    responses = [await books.send() for _ in range(3)]
    for response in responses:
        async for _ in response.stream:  # type: ignore[union-attr]
            pass
        await response.stream.aclose()  # type: ignore[union-attr]
    now[0] = KEEPALIVE + 1
    await books.call()  # finds out; the next one has the time
    await books.call()
    assert [lane.closed for lane in books.lanes] == [1, 1, 0]
    await books.transport.aclose()


async def test_a_lane_that_cannot_be_made_costs_nothing() -> None:
    def make(_: Route) -> httpx.AsyncBaseTransport:
        raise OSError("no more files")

    lanes = ConnectionPool(make, lambda url: Route(None, False))
    with pytest.raises(OSError, match="no more files"):
        await lanes.handle_async_request(httpx.Request("GET", "http://x/"))
    await lanes.aclose()


@given(st.lists(st.lists(st.sampled_from(FATES), min_size=1, max_size=6), max_size=6))
def test_any_crowd(rounds: list[list[Fate]]) -> None:
    """Whatever happens, in whatever order: no lane is used twice at once, closed twice, or lost."""

    async def live() -> None:
        books = Books()
        for fates in rounds:
            async with anyio.create_task_group() as crowd:
                for fate in fates:
                    crowd.start_soon(books.call, fate)
            assert books.open == len(books.transport._idle) <= max(len(each) for each in rounds)
        await books.transport.aclose()
        assert books.open == 0

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
def test_the_way_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str, proxy: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    secure = url.startswith("https")
    assert transport._router(None)(httpx.URL(url)) == Route(proxy, secure)
    assert transport._router("http://mine:1")(httpx.URL(url)) == Route("http://mine:1", secure)
