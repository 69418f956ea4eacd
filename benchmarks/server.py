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
import re
import time
from functools import partial
from typing import Final

from . import responses
from .serving import Connection, pin, serve, target_of

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


class _Connection(Connection):
    def __init__(self, ready: _Responses) -> None:
        super().__init__()
        self._ready = ready

    def respond(self, head: bytes, body: bytes) -> None:
        response, delay = self._ready.to(target_of(head))
        if delay:
            asyncio.get_running_loop().call_later(delay, self.transport.write, response)
        else:
            self.transport.write(response)


if __name__ == "__main__":
    pin(0)
    asyncio.run(serve(partial(_Connection, _Responses())))
