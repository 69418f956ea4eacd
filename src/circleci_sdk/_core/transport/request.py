"""The `httpx.Request` of a call."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Prepared

_SERVER_PARTS: Final = ("scheme", "host", "netloc", "raw_scheme", "raw_host", "port")


def build_request(prepared: Prepared, extensions: dict[str, Any]) -> httpx.Request:
    """The request that httpx would build, in every attribute, at less than half the cost."""
    origin, content = prepared.origin, prepared.content or b""
    url = httpx.URL(prepared.url) if origin is None else URL(origin, prepared.url)
    request = httpx.Request(
        prepared.method,
        url if origin is None else _server(origin),
        headers=_headers(prepared.headers, url.netloc),
        stream=_Content(content),
        extensions=extensions,
    )
    request.url = url
    vars(request)["_content"] = content  # so that hooks and transports can read it
    if content or prepared.method in ("POST", "PUT", "PATCH"):
        request.headers["Content-Length"] = str(len(content))
    return request


def without_query(request: httpx.Request) -> httpx.Request:
    """What an error may show of a request: signed links have their secret in the query."""
    url = request.url.copy_with(raw_path=request.url.raw_path.partition(b"?")[0])
    return httpx.Request(request.method, url, headers=[(b"Host", url.netloc)])


def is_sendable(host: str) -> bool:
    """Whether a host is one that requests can be sent to: it can be encoded, and has no part that is empty or long."""
    try:
        url = httpx.URL(f"https://{host}/")
        labels = url.raw_host.decode("ascii").removesuffix(".").split(".")
        return (
            bool(url.host) and sum(map(len, labels)) + len(labels) <= 254 and all(0 < len(one) < 64 for one in labels)
        )
    except (httpx.InvalidURL, ValueError):  # of idna too
        return False


class _Content(httpx.AsyncByteStream):
    """The body of a request. No generator: trio warns of one that a cancellation leaves unfinished."""

    def __init__(self, content: bytes) -> None:
        self._content = self._left = content

    def __aiter__(self) -> _Content:
        self._left = self._content
        return self

    async def __anext__(self) -> bytes:
        piece, self._left = self._left, b""
        if not piece:  # even an empty piece would pass through all layers below
            raise StopAsyncIteration
        return piece


class URL(httpx.URL):
    """The URL of a call to a known server. It is parsed only for parts that are not needed to send the request.

    That saves 19 of the 23 us that building a request takes, 3 % of a call.
    """

    scheme = host = netloc = raw_scheme = raw_host = port = raw_path = None  # type: ignore[assignment]  # properties of httpx

    def __init__(self, origin: str, url: str) -> None:
        self.__dict__.update(_server_parts(origin), raw_path=url[len(origin) :].encode(), _text=url)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_text":
            raise AttributeError(name)
        self.__dict__.update(vars(httpx.URL(self._text)))
        return object.__getattribute__(self, name)


@lru_cache(maxsize=64)
def _server(origin: str) -> httpx.URL:
    return httpx.URL(origin)


@lru_cache(maxsize=64)
def _server_parts(origin: str) -> dict[str, Any]:
    return {name: getattr(_server(origin), name) for name in _SERVER_PARTS}


@lru_cache(maxsize=64)
def _headers(headers: tuple[tuple[str, str], ...], host: bytes) -> httpx.Headers:
    """The headers that all requests of a client share; each request gets a copy."""
    return httpx.Headers([(b"Host", host), *((name.encode(), value.encode()) for name, value in headers)])
