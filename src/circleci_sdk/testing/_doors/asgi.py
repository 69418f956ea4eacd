"""The fake as an ASGI application: plain ASGI, for one path that takes everything needs no framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from circleci_sdk.testing._wire.messages import Arrival

if TYPE_CHECKING:
    from circleci_sdk.testing._wire.app import App

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HangUp = Callable[[Scope], None]


class AsgiApp:
    """An ASGI application over a fake. `hang_up` ends the connection of a request; servers differ in how."""

    def __init__(self, app: App, hang_up: HangUp | None = None) -> None:
        self._app = app
        self._hang_up = hang_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            return
        sending = self._app.handle(await _arrival(scope, receive))
        if sending.delay:
            import anyio

            await anyio.sleep(sending.delay)  # noqa: TID251  # a slow answer is slow in real time
        if sending.drop:
            if self._hang_up is not None:
                self._hang_up(scope)
            return
        content = sending.reply.content
        headers = {**sending.reply.all_headers, "content-length": str(len(content))}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": sending.reply.status, "headers": raw})
        if sending.keep < 1:
            await send({"type": "http.response.body", "body": content[: int(len(content) * sending.keep)]} | _MORE)
            if self._hang_up is not None:
                self._hang_up(scope)
            return
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


_MORE = {"more_body": True}


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _arrival(scope: Scope, receive: Receive) -> Arrival:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return Arrival(
        scope["method"],
        raw_path.partition(b"?")[0].decode("latin-1"),
        tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True)),
        headers,
        body,
        f"{scope.get('scheme', 'http')}://{headers.get('host', 'localhost')}",
    )
