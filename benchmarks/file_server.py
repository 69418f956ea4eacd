"""A server of files: raw asyncio in a separate process, with bytes prepared before the first request.

The number of a job says what it has: job 20_000_500 has 500 artifacts of 20,000 bytes, listed on one page.
"""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from typing import Final

from .server import pin

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


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._left = 0
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            target = head.split(b" ", 2)[1]
            if found := _FILE.match(target):
                self._begin(int(found[1]))
            elif found := _LIST.search(target):
                self._list(int(found[1]))
            else:
                self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._write_more()

    def _begin(self, size: int) -> None:
        if size <= len(_PIECE):
            self._transport.write(_small(size))
            return
        self._transport.write(_head(size))
        self._left = size
        self._write_more()

    def _write_more(self) -> None:
        while self._left and not self._is_paused:
            size = min(self._left, len(_PIECE))
            self._left -= size
            self._transport.write(memoryview(_PIECE)[:size])

    def _list(self, job: int) -> None:
        host, port = self._transport.get_extra_info("sockname")
        size, count = divmod(job, _COUNTS)
        self._transport.write(_listing(f"http://{host}:{port}", count, size))


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


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    pin(0)
    asyncio.run(_serve())
