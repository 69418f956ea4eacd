"""The work of calls without a network: a transport that returns at once, and a count of function calls."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest

from circleci_sdk._core.options import Network

USER: Final = b'{"id":"5034460f-c7c4-4c43-9457-de07e2029e7b","login":"ada","name":"Ada"}'
PAGE: Final = b'{"items":[],"next_page_token":null}'
HEADERS: Final = [(b"Content-Type", b"application/json"), *((b"X-Header-%d" % number, b"1") for number in range(12))]


class _Stream(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content


class _Instant(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = USER if request.url.raw_path.endswith(b"/me") else PAGE
        return httpx.Response(200, headers=HEADERS, stream=_Stream(content))


def replace_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clients' own transport return at once: an empty page, or a user."""

    def open_transport(network: Network) -> httpx.AsyncBaseTransport:
        return _Instant()

    monkeypatch.setattr("circleci_sdk._core.transport.http.open_transport", open_transport)


class Work:
    """Counts the Python function calls of this thread in its block by package."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def _seen(self, frame: Any, event: str, argument: object) -> None:
        if event == "call":
            self.calls[str(frame.f_globals.get("__name__")).partition(".")[0]] += 1

    def __enter__(self) -> Counter[str]:
        sys.setprofile(self._seen)
        return self.calls

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
