"""Clients and transports of a library with the classes of httpx under another name, such as httpx2.

Requests and responses are translated at the border, so that everything above knows one library only.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx

from .auth import Token

_BASES: Final = ("AsyncClient", "AsyncBaseTransport")
_NEEDED: Final = (*_BASES, "Request", "Response", "AsyncByteStream")


def library_of(given: object) -> Any:
    """The library whose client or transport this is; None for httpx itself, and for objects of no such library."""
    for cls in type(given).__mro__:
        library = sys.modules.get(cls.__module__.partition(".")[0])
        if library is not httpx and cls.__name__ in _BASES and all(hasattr(library, name) for name in _NEEDED):
            return library
    return None


class Translated(httpx.AsyncBaseTransport):
    """A transport that sends by the classes of another library."""

    def __init__(self, library: Any, send: Callable[[Any], Awaitable[Any]]) -> None:
        self._library = library
        self._send = send

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._library.Request(
            request.method,
            str(request.url),
            headers=request.headers.raw,
            content=request.content,
            extensions=request.extensions,
        )
        try:
            response = await self._send(sent)
        finally:
            Token.take_off(sent.headers)
        headers = response.headers.raw
        stream: httpx.AsyncByteStream = _Body(response)
        if response.is_stream_consumed:  # and decompressed, by a transport that logs bodies
            headers = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
            stream = httpx.ByteStream(response.content)
        return httpx.Response(
            response.status_code, headers=headers, stream=stream, extensions=dict(response.extensions)
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: Any) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._response.stream)

    async def aclose(self) -> None:
        await self._response.aclose()
