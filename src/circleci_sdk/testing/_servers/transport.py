"""The door without a socket: an httpx transport. Faults raise the exceptions that a socket would."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
import httpx

from circleci_sdk.testing._protocol.messages import Arrival

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from circleci_sdk.testing._protocol.app import App


class FakeTransport(httpx.AsyncBaseTransport):
    """Carries requests to a fake in the same process, on asyncio and on trio."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Response one request. Raises the exceptions of httpx where a fault asks for them."""
        await anyio.lowlevel.checkpoint()
        sending = self._app.handle(await _arrival(request))
        if sending.delay:
            await _wait(sending.delay, request)
        if sending.drop:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        content = sending.reply.content
        headers = {**sending.reply.all_headers, "content-length": str(len(content))}
        if request.method == "HEAD":
            content = b""
        kept = content if sending.keep >= 1 else content[: int(len(content) * sending.keep)]
        return httpx.Response(sending.reply.status, headers=headers, stream=_Body(kept, len(content)), request=request)


class _Body(httpx.AsyncByteStream):
    """A body that ends where a fault cuts it."""

    def __init__(self, kept: bytes, size: int) -> None:
        self._kept = kept
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await anyio.lowlevel.checkpoint()
        yield self._kept
        if len(self._kept) < self._size:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body "
                f"(received {len(self._kept)} bytes, expected {self._size})"
            )


async def _arrival(request: httpx.Request) -> Arrival:
    raw_path, _, query = request.url.raw_path.partition(b"?")
    host = request.headers.get("host", request.url.netloc.decode())
    return Arrival(
        request.method,
        raw_path.decode("ascii"),
        tuple(parse_qsl(query.decode("ascii"), keep_blank_values=True)),
        {name.lower(): value for name, value in request.headers.items()},
        await request.aread(),
        f"{request.url.scheme}://{host}",
    )


async def _wait(delay: float, request: httpx.Request) -> None:
    """Let a response take its time, and the caller lose patience first if it has less."""
    patience = request.extensions.get("timeout", {}).get("read")
    if patience is not None and patience < delay:
        await anyio.sleep(patience)  # noqa: TID251  # limits of calls are real time
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    await anyio.sleep(delay)  # noqa: TID251
