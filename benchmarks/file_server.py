"""A server of files: raw asyncio in a separate process, with bytes prepared before the first request.

The number of a job says what it has: job 20_000_500 has 500 artifacts of 20,000 bytes, listed on one page.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from typing import Final

from .serving import Connection, pin, serve, target_of

_PIECE: Final = bytes(range(256)) * (1 << 12)
_LIST: Final = re.compile(rb"/project/.*/(\d+)/artifacts$")
_FILE: Final = re.compile(rb"/file/(\d+)/")
_COUNTS: Final = 1000


def job_of(count: int, size: int) -> int:
    """The number of the job that has these artifacts."""
    return size * _COUNTS + count


@cache
def _head(size: int, kind: str = "application/octet-stream") -> bytes:
    head = f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nETag: "{size}"\r\nContent-Length: {size}\r\n\r\n'
    return head.encode()


class _Connection(Connection):
    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._is_paused = False

    def respond(self, head: bytes, body: bytes) -> None:
        target = target_of(head)
        if found := _FILE.match(target):
            self._begin(int(found[1]))
        elif found := _LIST.search(target):
            self._list(int(found[1]))
        else:
            self.transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._write_more()

    def _begin(self, size: int) -> None:
        if size <= len(_PIECE):
            self.transport.write(_small(size))
            return
        self.transport.write(_head(size))
        self._left = size
        self._write_more()

    def _write_more(self) -> None:
        while self._left and not self._is_paused:
            size = min(self._left, len(_PIECE))
            self._left -= size
            self.transport.write(memoryview(_PIECE)[:size])

    def _list(self, job: int) -> None:
        host, port = self.transport.get_extra_info("sockname")
        size, count = divmod(job, _COUNTS)
        self.transport.write(_listing(f"http://{host}:{port}", count, size))


@cache
def _small(size: int) -> bytes:
    return _head(size) + _PIECE[:size]


@cache
def _listing(url: str, count: int, size: int) -> bytes:
    items = [
        {"path": f"{number}.bin", "node_index": 0, "url": f"{url}/file/{size}/{number}"} for number in range(count)
    ]
    body = json.dumps({"items": items, "next_page_token": None}).encode()
    return _head(len(body), "application/json") + body


if __name__ == "__main__":
    pin(0)
    asyncio.run(serve(_Connection))
