"""Connections: lanes of one connection each, and the way through proxies.

httpx 0.28 loses a slot of its pool for ever when a call is cancelled while its connection is being opened, and
scans the whole pool for each request. A lane is a transport with a single connection: nobody ever waits inside
the pool, and a lane whose call did not end cleanly is thrown away with its connection.
"""

from __future__ import annotations

import os
import ssl
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import getproxies, proxy_bypass

import anyio
import httpx

from circleci_sdk._core.errors import ConfigError

KEEPALIVE: Final = 5.0
"""Seconds that an idle connection is kept."""


@dataclass(slots=True)
class ConnectionOptions:
    """How connections are made. `proxy` None means: as the environment says, like plain httpx."""

    verify: bool | ssl.SSLContext = True
    proxy: str | None = None
    http2: bool = False
    max_concurrency: int = 50


class Route(NamedTuple):
    """What requests that use the same lane have in common."""

    proxy: str | None
    secure: bool


class _Lane:
    __slots__ = ("idle_since", "route", "transport")

    def __init__(self, transport: httpx.AsyncBaseTransport, route: Route) -> None:
        self.transport = transport
        self.route = route
        self.idle_since = 0.0


class _Body(httpx.AsyncByteStream):
    """The body of a response; at its end the lane is given back, or thrown away if it was not read to the end."""

    def __init__(self, inner: httpx.AsyncByteStream, lane: _Lane, owner: LaneTransport) -> None:
        self._inner = inner
        self._lane = lane
        self._owner: LaneTransport | None = owner
        self._complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk
        self._complete = True

    async def aclose(self) -> None:
        owner, self._owner = self._owner, None
        if owner is None:
            return
        clean = False
        try:
            if self._complete:
                await self._inner.aclose()
                clean = True
        finally:
            await owner.take_back(self._lane, clean=clean)


class LaneTransport(httpx.AsyncBaseTransport):
    """Lanes, made as they are needed; the one used last is used first, so few stay warm.

    The books (idle and dead lanes) are only changed in code without `await`, so that no cancellation finds them
    half done.
    """

    def __init__(self, make: Callable[[Route], httpx.AsyncBaseTransport], route: Callable[[httpx.URL], Route]) -> None:
        self._make = make
        self._route = route
        self._idle: deque[_Lane] = deque()
        self._dead: set[_Lane] = set()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._dead:
            await self._bury()
        lane = self._take(self._route(request.url))
        try:
            response = await lane.transport.handle_async_request(request)
        except BaseException:
            await self.take_back(lane, clean=False)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Body(response.stream, lane, self)
        return response

    def _take(self, route: Route) -> _Lane:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].route == route:
                lane = self._idle[index]
                del self._idle[index]
                return lane
        return _Lane(self._make(route), route)

    async def take_back(self, lane: _Lane, *, clean: bool) -> None:
        """Keep the connection of a call that ended cleanly; close any other, whatever state it is in."""
        if not clean or self._closed:
            self._dead.add(lane)
            await self._bury()
            return
        lane.idle_since = now = time.monotonic()  # noqa: TID251  # real sockets idle in real time
        self._idle.append(lane)
        while now - self._idle[0].idle_since > KEEPALIVE:  # the last one is this one
            self._dead.add(self._idle.popleft())  # closed by the next call, or by aclose

    async def _bury(self) -> None:
        with anyio.CancelScope(shield=True):
            while self._dead:
                await self._dead.pop().transport.aclose()

    async def aclose(self) -> None:
        """Close what is idle now; calls under way end in peace, and their connections with them."""
        self._closed = True
        self._dead.update(self._idle)
        self._idle.clear()
        await self._bury()


class SharedLanes(LaneTransport):
    """Lanes for HTTP/2, where calls share connections: one lane for each route.

    A call that was cancelled while its headers were being sent leaves a connection that its server no longer
    understands. So when one call does not end cleanly, later calls get a new lane; those under way keep the old one.
    """

    def __init__(self, make: Callable[[Route], httpx.AsyncBaseTransport], route: Callable[[httpx.URL], Route]) -> None:
        super().__init__(make, route)
        self._calls: Counter[_Lane] = Counter()
        self._open: dict[Route, _Lane] = {}

    def _take(self, route: Route) -> _Lane:
        if route not in self._open:
            self._open[route] = _Lane(self._make(route), route)
        lane = self._open[route]
        self._calls[lane] += 1
        return lane

    async def take_back(self, lane: _Lane, *, clean: bool) -> None:
        self._calls[lane] -= 1
        if not clean and self._open.get(lane.route) is lane:
            del self._open[lane.route]
        await self._close_unused()

    async def aclose(self) -> None:
        self._open.clear()
        await self._close_unused()

    async def _close_unused(self) -> None:
        unused = {lane for lane, calls in self._calls.items() if not calls and lane not in self._open.values()}
        for lane in unused:
            del self._calls[lane]
        self._dead |= unused
        await self._bury()


def open_transport(options: ConnectionOptions) -> httpx.AsyncBaseTransport:
    """The transport of a client that brought none of its own."""

    @cache
    def trust() -> ssl.SSLContext:
        return options.verify if isinstance(options.verify, ssl.SSLContext) else _trust(options)

    connections = options.max_concurrency if options.http2 else 1
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEPALIVE
    )

    def make(route: Route) -> httpx.AsyncBaseTransport:
        # Reading the certificates is the longest step to a first call, and a server on this machine needs none.
        verify = trust() if route.secure else _trust_nobody()
        try:
            return httpx.AsyncHTTPTransport(verify=verify, http2=options.http2, proxy=route.proxy, limits=limits)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConfigError(f"The proxy cannot be used: {error}") from None

    return (SharedLanes if options.http2 else LaneTransport)(make, _router(options.proxy))


def preload() -> None:
    """Make a connection's worth of objects and forget them: httpx loads what lies below when the first one is made."""
    httpx.AsyncHTTPTransport(verify=_trust(ConnectionOptions()))


def _trust(options: ConnectionOptions) -> ssl.SSLContext:
    """Whom to trust. All clients of a process share it: it takes as long as a thousand lanes, and most memory."""
    told = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")]
    changed = [_changed(path) for path in told[:2]]
    try:
        # With HTTP/2 in the key: httpcore writes the protocols that it offers into the context.
        return _context(bool(options.verify), options.http2, *told, *changed)
    except OSError as error:
        raise ConfigError(f"SSL_CERT_FILE or SSL_CERT_DIR: the certificates cannot be read: {error}") from None


@cache
def _trust_nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _changed(path: str | None) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns if path else None
    except OSError:
        return None


@lru_cache(maxsize=8)
def _context(verify: bool, *key: object) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=verify)


def _router(proxy: str | None) -> Callable[[httpx.URL], Route]:
    """Which way a request goes: through the given proxy, else through that of the environment."""
    if proxy is not None:
        return lambda url: Route(proxy, url.scheme == "https")
    proxies = getproxies()
    if not any(scheme in proxies for scheme in ("http", "https", "all")):
        return lambda url: Route(None, url.scheme == "https")

    def from_environment(url: httpx.URL) -> Route:
        found = proxies.get(url.scheme) or proxies.get("all")
        if not found or proxy_bypass(url.host) or proxy_bypass(f"{url.host}:{url.port}"):
            found = None
        elif "://" not in found:
            found = f"http://{found}"
        return Route(found, url.scheme == "https")

    return from_environment
