"""Serves an ASGI app on a socket, on asyncio and on trio: one request for each connection."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import SocketStream


@asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[str]:
    """The URL of the app, whose lifespan is not part of it."""

    async def respond(stream: SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, _, body = data.partition(b"\r\n\r\n")
            first, *lines = head.split(b"\r\n")
            headers = [
                (name.strip().lower(), value.strip()) for name, _, value in (one.partition(b":") for one in lines)
            ]
            length = int(dict(headers).get(b"content-length", b"0"))
            while len(body) < length:
                body += await stream.receive()

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            async def send(message: dict[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    given = b"".join(b"%s: %s\r\n" % pair for pair in message["headers"])
                    await stream.send(b"HTTP/1.1 %d X\r\nconnection: close\r\n%s\r\n" % (message["status"], given))
                else:
                    await stream.send(message.get("body", b""))

            method, path, _ = first.split(b" ")
            await app(
                {"type": "http", "method": method.decode(), "path": path.decode(), "headers": headers}, receive, send
            )

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, respond)
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()
