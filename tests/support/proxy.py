"""A real forward proxy: tunnels for https, responses of its own for absolute-form requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tests.support.scripted_server import ScriptedServer


class Proxy(ScriptedServer):
    """Opens the requested tunnels and records their targets in `tunnels`. All host names lead to this machine.

    `passwords` are the received credentials. With `refuses` every CONNECT gets that status, with `breaks` the
    connection is closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.tunnels: list[str] = []
        self.passwords: list[str] = []
        self.refuses: int | None = None
        self.breaks = False

    async def _tunnel(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = head.split(" ")[1]
        self.tunnels.append(target)
        for line in head.splitlines():
            name, _, value = line.partition(": ")
            if name.lower() == "proxy-authorization":
                self.passwords.append(value)
        if self.breaks:
            return
        if self.refuses is not None:
            writer.write(f"HTTP/1.1 {self.refuses} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        self._writers.add(there_writer)
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))
        finally:
            there_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
