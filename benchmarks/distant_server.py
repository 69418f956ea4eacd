"""A server at a distance: each response comes 50 ms after its request. In another process, raw asyncio.

A fake makes the responses. Each is kept, so that it takes no time when it is asked for again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from .serving import Connection, headers_of, pin, serve, started, target_of
from .sites import Site, site

LATENCY: Final = 0.05
_SENT_ANEW: Final = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})


class _Connection(Connection):
    def __init__(self, responses: _Responses) -> None:
        super().__init__()
        self._responses = responses

    def respond(self, head: bytes, body: bytes) -> None:
        method, url = head.partition(b" ")[0].decode(), f"https://circleci.com{target_of(head).decode()}"
        begun = asyncio.get_running_loop().time()
        request = httpx.Request(method, url, headers=headers_of(head), content=body)
        self._responses.send(self.transport, begun, request)


class _Responses:
    def __init__(self, place: Site) -> None:
        self._fake = place.fake.transport()
        self._ready: dict[tuple[str, str], bytes] = {}
        self._calls = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, transport: asyncio.Transport, begun: float, request: httpx.Request) -> None:
        """Respond when its time has come."""
        if request.url.path == "/calls":
            transport.write(_raw(200, [], json.dumps(self._calls).encode()))
            self._calls = 0
            return
        self._calls += 1
        key = request.method, str(request.url)
        if key in self._ready:
            asyncio.get_running_loop().call_at(begun + LATENCY, transport.write, self._ready[key])
            return
        task = asyncio.ensure_future(self._make(key, transport, begun, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _make(
        self, key: tuple[str, str], transport: asyncio.Transport, begun: float, request: httpx.Request
    ) -> None:
        response = await self._fake.handle_async_request(request)
        self._ready[key] = _raw(response.status_code, response.headers.raw, await response.aread())
        asyncio.get_running_loop().call_at(begun + LATENCY, transport.write, self._ready[key])


def _raw(status: int, headers: list[tuple[bytes, bytes]], content: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d OK" % status]
    lines += [b"%s: %s" % header for header in headers if header[0].lower() not in _SENT_ANEW]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(content), b"", content])


async def _serve(pipelines: int) -> None:
    place = site(pipelines)
    facts = {"failed": place.failed, "revision": place.revision, "contexts": place.contexts}
    await serve(
        partial(_Connection, _Responses(place)),
        lambda port: json.dumps({"url": f"http://127.0.0.1:{port}", **facts}),
    )


@dataclass(frozen=True, slots=True)
class DistantSite:
    """The site behind the server at `url`."""

    url: str
    failed: str
    revision: str
    contexts: tuple[str, ...]

    def calls(self) -> int:
        """The requests since this was asked last."""
        count: int = httpx.get(f"{self.url}/calls").json()
        return count


@contextmanager
def distant(pipelines: int) -> Generator[DistantSite]:
    """Run the server in another process."""
    with started("distant_server", str(pipelines)) as line:
        facts = json.loads(line)
        yield DistantSite(facts["url"], facts["failed"], facts["revision"], tuple(facts["contexts"]))


if __name__ == "__main__":
    pin(0)
    asyncio.run(_serve(int(sys.argv[1])))
