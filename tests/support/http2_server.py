"""A small HTTP/2 server over TLS in a thread of its own, for what the scripted server does not speak.

It returns each request with the same JSON, at once or when it is released, and counts what it sees as the scripted
server does.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import anyio.to_thread
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.support.scripted_server import PATIENCE, end_all


class Http2Server:
    def __init__(self, tls: ssl.SSLContext, response: object) -> None:
        tls.set_alpn_protocols(["h2"])
        self.requests: list[dict[str, str]] = []
        self.connections = self.ended = self.max_concurrent = 0
        self._concurrent = 0
        self._tls = tls
        self._content = json.dumps(response).encode()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http2-server", daemon=True)

    def hold(self) -> None:
        self._loop.call_soon_threadsafe(self._open.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    async def seen(self, requests: int, *, ended: int = 0) -> None:
        """Wait until so many requests came and so many connections are over."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(
                    lambda: len(self.requests) >= requests and self.ended >= ended, timeout=PATIENCE
                )

        assert await anyio.to_thread.run_sync(wait), f"{len(self.requests)} requests, {self.ended} connections ended"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(PATIENCE)
        self.url = f"https://localhost:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    # From here on everything runs in the thread of the server.

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)

    async def _stop(self) -> None:
        self._server.close()
        await end_all(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        streams: dict[int, asyncio.Task[None]] = {}
        with suppress(asyncio.CancelledError, ConnectionError, ssl.SSLError):
            try:
                writer.write(connection.data_to_send())
                while data := await reader.read(65536):
                    for event in connection.receive_data(data):
                        match event:
                            case RequestReceived(headers=headers):
                                self._count({str(name): str(value) for name, value in headers})
                            case StreamEnded(stream_id=int(number)):
                                response = self._response(connection, writer, number)
                                streams[number] = self._loop.create_task(response)
                            case StreamReset(stream_id=int(number)):
                                streams[number].cancel()
                            case _:
                                pass
                    writer.write(connection.data_to_send())
            finally:
                for stream in streams.values():
                    stream.cancel()
                writer.close()
                self._count()

    def _count(self, request: dict[str, str] | None = None) -> None:
        """One more request, or one connection less."""
        with self._changed:
            if request is None:
                self.ended += 1
            else:
                self.requests.append(request)
            self._changed.notify_all()

    async def _response(self, connection: H2Connection, writer: asyncio.StreamWriter, number: int) -> None:
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            await self._open.wait()
            with suppress(ProtocolError):  # the client may have left meanwhile
                connection.send_headers(number, [(":status", "200"), ("content-type", "application/json")])
                connection.send_data(number, self._content, end_stream=True)
                writer.write(connection.data_to_send())
        finally:
            self._concurrent -= 1
