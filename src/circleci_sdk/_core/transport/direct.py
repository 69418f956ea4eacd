"""A connection to one server without a proxy: that of httpcore, without the pool that httpx puts around it.

For one connection that pool takes an eighth of the time of a call: for each request it searches its requests and
connections twice, asks all layers of the socket whether the server has closed it, and wraps the body in two streams.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import AsyncIterator
from importlib import import_module
from types import FunctionType
from typing import Any

import httpx


def _httpcore() -> Any:
    """The library below httpx; that of an alias that stands in for httpx has a name like it."""
    return import_module(httpx.__name__.replace("httpx", "httpcore"))


def is_replaced() -> bool:
    """Whether a tool has replaced what a request passes in httpx, to trace requests or to respond in tests."""
    return any(
        type(cls.handle_async_request) is not FunctionType  # wrappers seem to be what they wrap
        or not cls.handle_async_request.__globals__["__name__"].startswith(cls.__module__)
        for cls in (httpx.AsyncHTTPTransport, _httpcore().AsyncConnectionPool)
    )


class DirectTransport(httpx.AsyncBaseTransport):
    """One connection to one server, opened by its first request. One request at a time."""

    def __init__(self, scheme: bytes, host: bytes, port: int | None, verify: ssl.SSLContext) -> None:
        self._httpcore: Any = _httpcore()
        self._server: dict[str, Any] = {"scheme": scheme, "host": host, "port": port}
        origin = self._httpcore.URL(**self._server).origin
        self._connection: Any = self._httpcore.AsyncHTTPConnection(origin, ssl_context=verify)
        self._socket: Any = None

    @property
    def is_open(self) -> bool:
        """Whether it can send another request: the last response has ended, and the server has not closed it."""
        return self._connection.is_available() and not _is_readable(self._socket) and not is_replaced()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._httpcore.Request(
            request.method,
            self._httpcore.URL(**self._server, target=request.url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            received = await self._connection.handle_async_request(sent)
        except Exception as error:  # of any layer below
            _raise_as_httpx(error)
            raise
        if self._socket is None:  # asking for it takes long
            self._socket = received.extensions["network_stream"].get_extra_info("socket")
        stream = _Body(received.stream)
        return httpx.Response(received.status, headers=received.headers, stream=stream, extensions=received.extensions)

    async def aclose(self) -> None:
        await self._connection.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._stream:
                yield piece
        except Exception as error:  # of any layer below
            _raise_as_httpx(error)
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()


def _raise_as_httpx(error: Exception) -> None:
    """Raise the exception of httpx with the same name, for one of httpcore."""
    kind = getattr(httpx, type(error).__name__, None)
    if kind is not None and type(error).__module__.startswith("httpcore"):
        raise kind(str(error)) from error


def _is_readable(socket: Any) -> bool:
    """Whether an idle socket has something to read: the end of the connection."""
    number = socket.fileno()
    if number < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([number], [], [], 0)[0])
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))
