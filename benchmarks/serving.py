"""What the servers share: a process of their own, and connections that are cut into requests."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path


def pin(core: int) -> None:
    """Pin this process to one core, where the operating system supports it."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


@contextmanager
def started(program: str, *arguments: str) -> Generator[bytes]:
    """Run a server in another process; yields the line that it prints when it listens."""
    command = [sys.executable, "-m", f"benchmarks.{program}", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    assert process.stdout is not None
    try:
        yield process.stdout.readline()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def running(program: str = "server") -> Generator[str]:
    """Run a server that prints its port; yields its URL."""
    with started(program) as line:
        yield f"http://127.0.0.1:{int(line)}"


async def serve(connection: Callable[[], Connection], describe: Callable[[int], str] = str) -> None:
    """Listen, print what `describe` makes of the port, and serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0, backlog=512)
    print(describe(server.sockets[0].getsockname()[1]), flush=True)
    async with server:
        await server.serve_forever()


class Connection(asyncio.Protocol):
    """A connection to a client. `respond` is called with each request."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            size = 0 if head.startswith(b"GET ") else int(dict(headers_of(head)).get(b"content-length", 0))
            if len(rest) < size:
                return
            self._received = rest[size:]
            self.respond(head, rest[:size])

    def respond(self, head: bytes, body: bytes) -> None:
        """Write the response to this request, now or later."""
        raise NotImplementedError


def target_of(head: bytes) -> bytes:
    """The path and the query of a request."""
    return head.split(b" ", 2)[1]


def headers_of(head: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a request, in lower case."""
    fields = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return [(name.lower(), value.strip()) for name, _, value in fields]
