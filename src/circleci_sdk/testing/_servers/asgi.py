"""The fake as an ASGI application: every path and every method leads to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.websockets import WebSocketClose

from circleci_sdk.testing._protocol.messages import Arrival

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from circleci_sdk.testing._protocol.app import App
    from circleci_sdk.testing._protocol.messages import Sending

HangUp = Callable[["Scope"], None]


def asgi_app(app: App, hang_up: HangUp | None = None) -> Router:
    """An ASGI application over a fake. `hang_up` ends the connection of a request; servers differ in how."""

    async def response(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await WebSocketClose()(scope, receive, send)
            return
        try:
            arrival = await _arrival(Request(scope, receive))
        except ClientDisconnect:  # half a request does nothing
            return
        sending = app.handle(arrival)
        if sending.delay:
            await anyio.sleep(sending.delay)  # noqa: TID251  # a slow response is slow in real time
        if not sending.drop:
            await _send(sending, scope, receive, send)
        if hang_up is not None and (sending.drop or sending.keep < 1):
            hang_up(scope)

    return Router(default=response)


async def _send(sending: Sending, scope: Scope, receive: Receive, send: Send) -> None:
    content = sending.reply.content
    headers = {**sending.reply.all_headers, "content-length": str(len(content))}
    if sending.keep == 1:
        whole = b"" if scope["method"] == "HEAD" else content
        await Response(whole, sending.reply.status, headers)(scope, receive, send)
        return
    # A response that breaks off is none that Starlette knows.
    raw = Response(status_code=sending.reply.status, headers=headers).raw_headers
    await send({"type": "http.response.start", "status": sending.reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": content[: int(len(content) * sending.keep)], "more_body": True})


async def _arrival(request: Request) -> Arrival:
    scope = request.scope
    root: str = scope.get("root_path", "")
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return Arrival(
        request.method,
        # Mounted somewhere below, the API still begins at its own root.
        raw_path.partition(b"?")[0].decode("latin-1").removeprefix(root),
        tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        dict(request.headers),
        await request.body(),
        str(request.base_url.replace(path=root)).rstrip("/"),
    )
