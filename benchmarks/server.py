"""The benchmark server: raw asyncio in a separate process, with responses prepared before the first request.

The project in the path selects the behavior, for either API version:

    web      a single page of pipelines
    listing  a hundred pages
    slow     the same, each page after 20 ms
    limited  calls per second as set by the query parameter `branch`, then 429
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from . import responses

LATENCY: Final = 0.02
_TOKEN: Final = re.compile(rb"page-token=p(\d+)")
_RATE: Final = re.compile(rb"branch=r(\d+)")


def _reply(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\nX-Request-Id: 5034460f\r\n" + headers
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


class _Window:
    """A rate limit with a window of one second."""

    def __init__(self) -> None:
        self.started = 0.0
        self.used = 0
        self.rejected = 0
        self.served = 0

    def response(self, rate: int, ready: bytes) -> bytes:
        now = time.monotonic()
        if now - self.started >= 1:
            self.started, self.used = now, 0
        left = rate - self.used
        headers = b"X-RateLimit-Limit: %d\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: 1\r\n"
        if left <= 0:
            self.rejected += 1
            return _reply(b'{"message":"Too many"}', b"429 Too Many Requests", headers % (rate, 0))
        self.used += 1
        self.served += 1
        return _reply(ready, headers=headers % (rate, left - 1))


class _Responses:
    def __init__(self) -> None:
        self.body = responses.page()
        self.page = _reply(self.body)
        self.pages = [
            _reply(
                responses.page(f"p{number + 1}" if number + 1 < responses.PAGES else None, number * responses.PAGE_SIZE)
            )
            for number in range(responses.PAGES)
        ]
        self.build = _reply(responses.build())
        self.window = _Window()

    def to(self, target: bytes) -> tuple[bytes, float]:
        """The response and its delay in seconds."""
        if b"listing" in target or b"slow" in target:
            found = _TOKEN.search(target)
            return self.pages[int(found[1]) if found else 0], LATENCY if b"slow" in target else 0.0
        if b"limited" in target:
            found = _RATE.search(target)
            return self.window.response(int(found[1]) if found else 100, self.body), 0.0
        if b"/v1.1/" in target:
            return self.build, 0.0
        if b"/counts" in target:
            counts = {"served": self.window.served, "rejected": self.window.rejected}
            self.window = _Window()
            return _reply(json.dumps(counts).encode()), 0.0
        return self.page, 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, ready: _Responses) -> None:
        self._ready = ready
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            response, delay = self._ready.to(head.split(b" ", 2)[1])
            if delay:
                asyncio.get_running_loop().call_later(delay, self._transport.write, response)
            else:
                self._transport.write(response)


async def _serve() -> None:
    ready = _Responses()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(ready), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def pin(core: int) -> None:
    """Pin this process to one core, where the operating system supports it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextmanager
def running(program: str = "server") -> Generator[str]:
    """Run a server in another process; yields its URL."""
    root = Path(__file__).parent.parent
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{program}"], stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    pin(0)
    asyncio.run(_serve())
