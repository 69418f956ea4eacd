"""Connections, pooled one by one, and the route through proxies.

httpx 0.28 loses a slot of its pool for ever when a call is cancelled while its connection is being opened, and
scans the whole pool for each request. Here each connection is a transport of its own: no request waits inside a pool
of httpx, and a connection whose call did not end cleanly is closed.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx

from circleci_sdk._core.cancellation import finish
from circleci_sdk._core.errors import ConfigError

from .direct import DirectTransport, is_replaced

if TYPE_CHECKING:
    from circleci_sdk._core.options import Network

KEEPALIVE: Final = 5.0
"""Seconds that an idle connection is kept."""
_LIMITS: Final = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE)


class Route(NamedTuple):
    """What requests over the same connection have in common: the proxy, and the server."""

    proxy: str | None
    scheme: bytes
    host: bytes
    port: int | None


class _Connection:
    __slots__ = ("idle_since", "route", "stream", "transport")

    def __init__(self, transport: httpx.AsyncBaseTransport, route: Route) -> None:
        self.transport = transport
        self.route = route
        self.idle_since = 0.0
        self.stream: Any = None

    @property
    def is_usable(self) -> bool:
        """Whether it can send the next request. The transports of httpx see to it themselves."""
        return not isinstance(self.transport, DirectTransport) or (
            _now() - self.idle_since <= KEEPALIVE and self.transport.is_open
        )

    def shut_down(self) -> None:
        """End the TCP connection without the event loop that it belongs to; the collector closes its socket."""
        with suppress(Exception):  # it has ended already, or its loop gives no access to it
            self.stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class _Body(httpx.AsyncByteStream):
    """The body of a response. Its end returns the connection to the pool, or closes it if the body was not read."""

    def __init__(self, inner: httpx.AsyncByteStream, connection: _Connection, pool: ConnectionPool) -> None:
        self._inner = inner
        self._connection = connection
        self._pool: ConnectionPool | None = pool
        self._complete = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            yield chunk
        self._complete = True

    async def aclose(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        clean = False
        try:
            if self._complete:
                await self._inner.aclose()
                clean = True
        finally:
            await pool.release(self._connection, clean=clean)


class ConnectionPool(httpx.AsyncBaseTransport):
    """Connections, opened on demand; the one used last is used first, so that few stay idle for long.

    The bookkeeping (idle and dead connections) only changes in code without `await`, so that no cancellation leaves
    it half done.
    """

    def __init__(self, make: Callable[[Route], httpx.AsyncBaseTransport], route: Callable[[httpx.URL], Route]) -> None:
        self._make = make
        self._route = route
        self._idle: deque[_Connection] = deque()
        self._dead: set[_Connection] = set()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._dead:
            await self._close_dead()
        connection = self._take(self._route(request.url))
        try:
            response = await connection.transport.handle_async_request(request)
        except BaseException:  # a cancellation too leaves it in an unknown state
            await self.release(connection, clean=False)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)
        connection.stream = response.extensions.get("network_stream")
        response.stream = _Body(response.stream, connection, self)
        return response

    def _take(self, route: Route) -> _Connection:
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].route == route:
                connection = self._idle[index]
                del self._idle[index]
                if connection.is_usable:
                    return connection
                self._dead.add(connection)
        return _Connection(self._make(route), route)

    async def release(self, connection: _Connection, *, clean: bool) -> None:
        """Keep the connection of a call that ended cleanly; close any other, whatever state it is in."""
        if not clean or self._closed:
            self._dead.add(connection)
            await self._close_dead()
            return
        connection.idle_since = now = _now()
        self._idle.append(connection)
        while now - self._idle[0].idle_since > KEEPALIVE:  # the last one is this one
            self._dead.add(self._idle.popleft())  # closed by the next call, or by aclose

    async def _close_dead(self) -> None:
        with suppress(Exception):  # nothing is lost with a dead connection, and an error may be on its way
            await finish(self._close_all_dead)

    async def _close_all_dead(self) -> None:
        while self._dead:
            with suppress(Exception):  # the others are to be closed all the same
                await self._dead.pop().transport.aclose()

    async def aclose(self) -> None:
        """Close the idle connections; requests in flight finish normally, and their connections are closed then."""
        self._closed = True
        self._dead.update(self._idle)
        self._idle.clear()
        await self._close_dead()

    def shut_down(self) -> None:
        """The same from outside of the event loop, which does not run."""
        self._closed = True
        for connection in (*self._idle, *self._dead):
            connection.shut_down()
        self._idle.clear()
        self._dead.clear()


def _now() -> float:
    return time.monotonic()  # noqa: TID251  # real sockets idle in real time


def open_transport(network: Network) -> httpx.AsyncBaseTransport:
    """The transport of a client that was given none."""

    @cache
    def certificates() -> ssl.SSLContext:
        return network.verify if isinstance(network.verify, ssl.SSLContext) else _certificates(network.verify)

    def make(route: Route) -> httpx.AsyncBaseTransport:
        # Reading the certificates is the longest step to a first call, and plain http needs none.
        verify = certificates() if route.scheme == b"https" else _no_certificates()
        if route.proxy is None and not is_replaced():
            return DirectTransport(route.scheme, route.host, route.port, verify)
        try:
            return httpx.AsyncHTTPTransport(verify=verify, proxy=route.proxy, limits=_LIMITS)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            raise ConfigError(f"The proxy cannot be used: {error}") from None

    return ConnectionPool(make, _router(network.proxy))


def preload() -> None:
    """Make the objects of one connection and drop them: httpx imports its dependencies for the first one."""
    httpx.AsyncHTTPTransport(verify=_certificates(True))


def _certificates(verify: bool) -> ssl.SSLContext:
    """An SSL context that all clients of a process share: making one takes long, and holds most of their memory."""
    environment = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")]
    try:
        return _context(verify, *environment)
    except OSError as error:
        raise ConfigError(f"SSL_CERT_FILE or SSL_CERT_DIR: the certificates cannot be read: {error}") from None


@cache
def _no_certificates() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(maxsize=8)
def _context(verify: bool, *environment: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=verify)


def _router(proxy: str | None) -> Callable[[httpx.URL], Route]:
    """Chooses the proxy of a request: the given one, else that of the environment."""
    proxies = getproxies() if proxy is None else {}
    if not any(scheme in proxies for scheme in ("http", "https", "all")):
        return lambda url: Route(proxy, url.raw_scheme, url.raw_host, url.port)

    def from_environment(url: httpx.URL) -> Route:
        found = proxies.get(url.scheme) or proxies.get("all")
        if not found or proxy_bypass(url.host) or proxy_bypass(f"{url.host}:{url.port}"):
            found = None
        elif "://" not in found:
            found = f"http://{found}"
        return Route(found, url.raw_scheme, url.raw_host, url.port)

    return from_environment
