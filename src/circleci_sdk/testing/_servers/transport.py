"""An httpx transport to the fake, without a socket. Faults raise the same exceptions as with a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
import httpx

from circleci_sdk.testing._wire import messages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from circleci_sdk.testing._protocol.app import App


class FakeTransport(httpx.AsyncBaseTransport):
    """Sends requests to a fake in the same process, on asyncio and on trio."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Faults raise exceptions of httpx."""
        await anyio.lowlevel.checkpoint()
        transmission = self._app.handle(await _message(request))
        if transmission.delay:
            await _wait(transmission.delay, request)
        if transmission.drop:
            raise httpx.RemoteProtocolError("Server disconnected without transmission a response.", request=request)
        content = transmission.response.content
        headers = {**transmission.response.all_headers, "content-length": str(len(content))}
        if request.method == "HEAD":
            content = b""
        sent = content if transmission.body_share >= 1 else content[: int(len(content) * transmission.body_share)]
        return httpx.Response(
            transmission.response.status, headers=headers, stream=_Body(sent, len(content)), request=request
        )


class _Body(httpx.AsyncByteStream):
    """A body that may end early."""

    def __init__(self, sent: bytes, size: int) -> None:
        self._content = sent
        self._size = size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await anyio.lowlevel.checkpoint()
        yield self._content
        if len(self._content) < self._size:
            raise httpx.RemoteProtocolError(
                "peer closed connection without transmission complete message body "
                f"(received {len(self._content)} bytes, expected {self._size})"
            )


async def _message(request: httpx.Request) -> messages.Request:
    raw_path, _, query = request.url.raw_path.partition(b"?")
    host = request.headers.get("host", request.url.netloc.decode())
    return messages.Request(
        request.method,
        raw_path.decode("ascii"),
        tuple(parse_qsl(query.decode("ascii"), keep_blank_values=True)),
        {name.lower(): value for name, value in request.headers.items()},
        await request.aread(),
        f"{request.url.scheme}://{host}",
    )


async def _wait(delay: float, request: httpx.Request) -> None:
    """Delay a response, up to the read timeout of the request."""
    timeout = request.extensions.get("timeout", {}).get("read")
    if timeout is not None and timeout < delay:
        await anyio.sleep(timeout)  # noqa: TID251  # limits of calls are real time
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    await anyio.sleep(delay)  # noqa: TID251  # a slow response is slow in real time
