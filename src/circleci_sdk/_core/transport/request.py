"""What httpx is asked to send, out of a prepared call."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Prepared

_PLAIN: Final = re.compile(
    r"(https?://[^/?#@]+)"
    r"((?:/(?!\.)[\w.~-]*(?:%[0-9A-F]{2}[\w.~-]*)*)+"
    r"(?:\?[\w.~&=-]*(?:%[0-9A-F]{2}[\w.~&=-]*)*)?)",
    re.ASCII,
)
"""What `wire.build_url` writes: a server without a password, which is remembered, and what is escaped already."""


def full_request(prepared: Prepared, extensions: dict[str, Any]) -> httpx.Request:
    """With all that httpx offers, for whoever looks at it."""
    return httpx.Request(
        prepared.method, prepared.url, headers=prepared.headers, content=prepared.content, extensions=extensions
    )


def lean_request(prepared: Prepared, extensions: dict[str, Any]) -> httpx.Request:
    """The same on the wire. httpx takes as long to fill in what we know already as it takes to send the request."""
    url = _address(prepared.url)
    content = prepared.content or b""
    request = httpx.Request(
        prepared.method,
        url,
        headers=_usual_headers(prepared.headers, url.netloc),
        stream=_Content(content),
        extensions=extensions,
    )
    request.url = url  # httpx has made a copy that knows the server alone
    if content or prepared.method in ("POST", "PUT", "PATCH"):
        request.headers["Content-Length"] = str(len(content))
    return request


def without_query(request: httpx.Request) -> httpx.Request:
    """What an error may know of a request: signed links have their secret in the query."""
    return httpx.Request(request.method, request.url.copy_with(raw_path=request.url.raw_path.partition(b"?")[0]))


class _Content(httpx.AsyncByteStream):
    """The body of a request. trio complains of a generator that a cancellation leaves in the middle; this is none."""

    def __init__(self, content: bytes) -> None:
        self._pieces = [content] if content else []  # even an empty piece goes through all layers below

    def __aiter__(self) -> _Content:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop()


class _Address(httpx.URL):
    """The address of a call on a known server. httpx takes as long to parse one as to write the request."""

    def __init__(self, server: httpx.URL, target: bytes) -> None:
        super().__init__(server)
        self._target = target

    @property
    def raw_path(self) -> bytes:
        """Path and query, as they go on the wire."""
        return self._target


def _address(url: str) -> httpx.URL:
    # Anything that httpx would change, such as what is not escaped yet or a step upwards, is left to httpx.
    if (plain := _PLAIN.fullmatch(url)) is None:
        return httpx.URL(url)
    return _Address(_server(plain[1]), plain[2].encode())


@lru_cache(maxsize=64)
def _server(origin: str) -> httpx.URL:
    return httpx.URL(origin)


@lru_cache(maxsize=64)
def _usual_headers(headers: tuple[tuple[str, str], ...], host: bytes) -> httpx.Headers:
    """What all requests of a client have in common; each request gets a copy."""
    return httpx.Headers([(b"Host", host), *((name.encode(), value.encode()) for name, value in headers)])
