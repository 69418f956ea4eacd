"""The door: an ASGI app that takes deliveries, responses at once and hands the work on."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from circleci_sdk._core.errors import ConfigError, DecodeError, SignatureError
from circleci_sdk._public import public

from .events import delivery_id
from .verify import MAX_BODY, header, parse, verify

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup

    from .kinds import Event
    from .router import Router
    from .verify import Secret

logger: Final = logging.getLogger("circleci_sdk")

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_Response: TypeAlias = tuple[int, str]
_NOT_RUNNING: Final[_Response] = (
    503,
    "The receiver is not running. If it is mounted into another app, give that app its lifespan.",
)


@public("circleci_sdk.webhooks")
class WebhookApp:
    """An ASGI app that receives the deliveries of webhooks and gives them to a router.

    It returns as soon as a delivery is verified, read and found to be new; handlers run after that, in a task group
    that lives as long as the app.

    Args:
        router: who gets the events.
        secret: the signing secret of the webhook, or several of them while it is being changed. None takes
            deliveries from anybody who knows the address.
        max_body: bytes of the largest body that is read.
        max_running: deliveries that may be worked on at once. Further ones are given 503, and CircleCI
            sends them again later.
        shutdown_timeout: seconds for handlers to finish at shutdown; then they are cancelled and reported.
        read_timeout: seconds in which a delivery has to be read and claimed. CircleCI waits 10 seconds for a response.

    Alone: `uvicorn.run(WebhookApp(router, secret=...))`. Inside another app, which has to pass its lifespan on,
    since a part of an app hears nothing of start and end:

        hooks = WebhookApp(router, secret=...)
        app = Starlette(routes=[Route("/circleci", hooks)], lifespan=hooks.lifespan)
        app = FastAPI(lifespan=hooks.lifespan)
        app.mount("/circleci", hooks)       # responses under /circleci/, with the slash; without it there is a redirect

    Anywhere else: `async with hooks:` around the time in which requests come.

    Responses: 200 taken, or known already; 400 not a delivery; 401 not signed, or not with this secret; 405 not a
    POST; 408 the body took too long; 413 the body is too large; 503 not running, too busy, or the store failed.
    """

    def __init__(
        self,
        router: Router,
        *,
        secret: Secret | None,
        max_body: int = MAX_BODY,
        max_running: int = 1000,
        shutdown_timeout: float = 25.0,
        read_timeout: float = 8.0,
    ) -> None:
        if secret is not None:
            _check_secret(secret)
        self._router = router
        self._secret = secret
        self._max_body = max_body
        self._max_running = max_running
        self._grace = shutdown_timeout
        self._patience = read_timeout
        self._tasks: TaskGroup | None = None
        self._running = 0
        self._idle: Any = None

    def __repr__(self) -> str:
        return f"<WebhookApp, {self._running} deliveries being worked on>"

    def lifespan(self, app: object = None) -> Self:
        """For the `lifespan` of Starlette or FastAPI; `app` is theirs and not looked at."""
        return self

    async def __aenter__(self) -> None:
        """Begin to take deliveries."""
        from anyio import create_task_group

        if self._tasks is not None:
            raise ConfigError("The receiver is running already; one app is entered once at a time.")
        tasks = create_task_group()
        await tasks.__aenter__()
        self._tasks = tasks

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take no more deliveries, let handlers finish for a while, and cancel what is left."""
        from anyio import Event, move_on_after

        tasks, self._tasks = self._tasks, None
        assert tasks is not None
        try:
            if self._running and kind is None:
                self._idle = Event()
                with move_on_after(self._grace):
                    await self._idle.wait()
        finally:
            tasks.cancel_scope.cancel()
            # The error of the block is not handed to the task group, which would wrap it in a group of its own.
            await tasks.__aexit__(None, None, None)
            self._idle = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the app."""
        match scope["type"]:
            case "http":
                status, sentence = await self._response(scope, receive)
                await _respond(send, status, sentence)
            case "lifespan":
                await self._live(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise ConfigError(f"The receiver speaks HTTP; it cannot serve {other!r}.")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _response(self, scope: Scope, receive: Receive) -> _Response:
        from anyio import fail_after

        if scope["method"] != "POST":
            return 405, "This address takes the deliveries of a CircleCI webhook, by POST."
        if self._tasks is None:
            return _NOT_RUNNING
        try:
            with fail_after(self._patience):
                body = await _read(scope, receive, self._max_body)
        except TimeoutError:
            return 408, "The body took too long."
        if body is None:
            return 413, f"The body is larger than {self._max_body} bytes."
        try:
            event = parse(body, scope["headers"], secret=self._secret, max_body=self._max_body)
        except SignatureError as error:
            logger.info("webhooks: a delivery was refused: %s", error)
            return 401, str(error)
        except DecodeError as error:
            logger.warning("webhooks: %s", error)
            return 400, str(error)
        return await self._take(event)

    async def _take(self, event: Event) -> _Response:
        from anyio import fail_after

        if self._running >= self._max_running:
            return 503, "Too many deliveries are being worked on; send this one again later."
        # From here on the place is taken: claims that are under way count.
        self._running += 1
        handed_on = False
        try:
            # A sender that hangs up must not leave a delivery that is claimed and never handled.
            with fail_after(self._patience, shield=True):
                new = await self._router.claim(event)
                if not new:
                    return 200, "This delivery is known already."
                if self._tasks is None:
                    await self._router.release(event)
                    return _NOT_RUNNING
            self._tasks.start_soon(self._work, event)
            handed_on = True
        except Exception:
            logger.exception("webhooks: the store failed on delivery %s", delivery_id(event))
            return 503, "The delivery could not be noted; send it again later."
        else:
            return 200, "Taken."
        finally:
            if not handed_on:
                self._finished()

    async def _work(self, event: Event) -> None:
        try:
            await self._router.dispatch(event)
        finally:
            self._finished()

    def _finished(self) -> None:
        self._running -= 1
        if not self._running and self._idle is not None:
            self._idle.set()


def _check_secret(secret: Secret) -> None:
    """Refuse an empty secret now, not with the first delivery."""
    with suppress(SignatureError):
        verify(b"", "v1=00", secret)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The body, or None if it is too large. What the sender announces is believed only when it is too much."""
    announced = header(scope["headers"], "content-length")
    if announced is not None and announced.isascii() and announced.isdecimal() and int(announced[:18]) > limit:
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _respond(send: Send, status: int, sentence: str) -> None:
    content = f"{sentence}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
