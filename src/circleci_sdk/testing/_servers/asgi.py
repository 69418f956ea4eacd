"""The fake as an ASGI application for all paths and methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.websockets import WebSocketClose

from circleci_sdk.testing._wire import messages

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from circleci_sdk.testing._protocol.app import App
    from circleci_sdk.testing._wire.messages import Transmission

HangUp = Callable[["Scope"], None]


def asgi_app(app: App, hang_up: HangUp | None = None) -> Router:
    """An ASGI application over a fake. `hang_up` closes the connection of a request, which depends on the server."""

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        try:
            message = await _message(Request(scope, receive))
        except ClientDisconnect:  # incomplete requests have no effect
            return
        transmission = app.handle(message)
        if transmission.delay:
            await anyio.sleep(transmission.delay)  # noqa: TID251  # a slow response is slow in real time
        if not transmission.drop:
            await _send(transmission, scope, receive, send)
        if hang_up is not None and (transmission.drop or transmission.body_share < 1):
            hang_up(scope)

    return Router(default=endpoint)


async def _send(transmission: Transmission, scope: Scope, receive: Receive, send: Send) -> None:
    content = transmission.response.content
    headers = {**transmission.response.all_headers, "content-length": str(len(content))}
    if transmission.body_share == 1:
        whole = b"" if scope["method"] == "HEAD" else content
        await Response(whole, transmission.response.status, headers)(scope, receive, send)
        return
    # Starlette has no truncated responses.
    raw = Response(status_code=transmission.response.status, headers=headers).raw_headers
    part = content[: int(len(content) * transmission.body_share)]
    await send({"type": "http.response.start", "status": transmission.response.status, "headers": raw})
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _message(request: Request) -> messages.Request:
    scope = request.scope
    root: str = scope.get("root_path", "")
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return messages.Request(
        request.method,
        # Mounted somewhere below, the API still begins at its own root.
        raw_path.partition(b"?")[0].decode("latin-1").removeprefix(root),
        tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        dict(request.headers),
        await request.body(),
        str(request.base_url.replace(path=root)).rstrip("/"),
    )
