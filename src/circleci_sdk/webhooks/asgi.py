"""An ASGI app that receives deliveries, responds at once and calls handlers in the background."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, cast

from circleci_sdk._core.cancellation import FINISH_SECONDS, finish, is_failure
from circleci_sdk._core.checks import at_least, check, got, instance
from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.errors import ConfigError, DecodeError, InvalidArgumentError
from circleci_sdk._core.logs import logger
from circleci_sdk._public import public

from .errors import SignatureError
from .event_fields import delivery_id
from .pressure import Pressure
from .router import Router
from .seconds import check_seconds
from .verification import MAX_BODY, header, parse, verify

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup
    from starlette.routing import BaseRoute

    from circleci_sdk._core.clock import Clock

    from .claims import Claims
    from .event_types import Event
    from .handling import Progress, Running
    from .types import Secret


Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

_LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts to release what a failing store may have claimed, at most."""

_Response: TypeAlias = tuple[int, str]
_NOT_RUNNING: Final[_Response] = (
    503,
    "The receiver is not running. An app that contains it must use its lifespan.",
)


@public("circleci_sdk.webhooks")
class WebhookApp:
    """An ASGI app that receives deliveries of webhooks and dispatches them to a router.

    It responds as soon as a delivery is verified, decoded and claimed. Handlers run afterwards, in a task group with
    the lifetime of the app. A delivery is handled at most once, since the app has responded before the handlers run:
    CircleCI does not send it again after a failure. The id is released then, so that a manual redelivery runs the
    handlers that did not succeed. `Router.handle` handles at least once.

    Args:
        router: the router for the events.
        secret: the signing secret of the webhook, or several during a rotation. None accepts unauthenticated
            deliveries.
        max_body: limit of the body in bytes.
        max_running: maximum number of deliveries in progress. Further ones get 503, and CircleCI sends them again.
        shutdown_timeout: seconds until running handlers are cancelled and reported at shutdown.
        read_timeout: seconds until a delivery must be read, and as many until it must be claimed. CircleCI waits 10
            seconds for a response.
        handler_timeout: seconds until a handler is cancelled and has failed, with a `TimeoutError`. None has no limit:
            a handler may wait for a run.

    Deliveries in progress use up `max_running`, also those whose handlers hang. From half of it on, and when all are in
    progress, a warning names the handler that runs longest, at most once a minute.

    Alone: `uvicorn.run(WebhookApp(router, secret=...))`. It responds under every path. Inside another app, which must
    use its lifespan:

        hooks = WebhookApp(router, secret=secret)
        app = Starlette(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)
        app = FastAPI(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)

    Not with `app.mount("/circleci", hooks)`: the outer app then redirects `/circleci` to `/circleci/` with 307.
    CircleCI follows no redirect, so that each delivery to the URL without the final slash is lost.

    Elsewhere: `async with hooks:` while requests are received.

    Responses: 200 accepted, or a duplicate; 400 no JSON object; 401 missing or wrong signature; 405 not a POST;
    408 read timeout; 413 body too large; 503 not running, too many deliveries, or a failure of the store.
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
        handler_timeout: float | None = None,
    ) -> None:
        if secret is not None:
            _check_secret(secret)
        check("WebhookApp", router=(router, instance("a Router", Router)))
        check("WebhookApp", max_body=(max_body, at_least(1)), max_running=(max_running, at_least(1)))
        check_seconds("WebhookApp", "shutdown_timeout", shutdown_timeout, least=0)
        check_seconds("WebhookApp", "read_timeout", read_timeout)
        check_seconds("WebhookApp", "handler_timeout", handler_timeout, optional=True)
        self._router = router
        self._secret = secret
        self._max_body = max_body
        self._max_running = max_running
        self._shutdown_timeout = shutdown_timeout
        self._read_timeout = read_timeout
        self._handler_timeout = handler_timeout
        self._pressure = Pressure(max_running)
        self._clock: Clock = SystemClock()
        self._releases = False
        self._tasks: TaskGroup | None = None
        self._running = 0
        self._idle: Any = None

    def __repr__(self) -> str:
        return f"<WebhookApp, {self._running} deliveries in progress>"

    def lifespan(self, app: object = None) -> Self:
        """For the `lifespan` of Starlette or FastAPI. `app` is ignored."""
        return self

    def routes(self, path: str) -> list[BaseRoute]:
        """The routes for the `routes` of Starlette, FastAPI or their routers: `path` with and without a final slash.

        Args:
            path: the path of the webhook's URL, such as `/circleci`. With or without a final slash is the same.

        Raises:
            InvalidArgumentError: the path does not begin with a slash, or has a `?` or `#`.
            ImportError: Starlette is not installed.
        """
        if not isinstance(cast("object", path), str) or not path.startswith("/") or "?" in path or "#" in path:
            raise InvalidArgumentError(
                f"WebhookApp.routes: path: expected the path of a URL, such as /circleci, got {got(path, quotes=True)}."
            )
        try:
            from starlette.routing import Route
        except ImportError as error:
            raise ImportError(
                "WebhookApp.routes needs Starlette, which FastAPI contains. Install it with: pip install starlette"
            ) from error
        without = path.rstrip("/")
        return [Route(spelling, self) for spelling in (without, f"{without}/") if spelling]

    async def __aenter__(self) -> None:
        """Start to accept deliveries."""
        from anyio import create_task_group

        if self._tasks is not None:
            raise ConfigError("WebhookApp: the receiver is running already.")
        tasks = create_task_group()
        await tasks.__aenter__()
        self._tasks = tasks

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Accept no more deliveries, wait for handlers up to `shutdown_timeout`, and cancel the rest."""
        from anyio import Event, current_time, move_on_after

        tasks, self._tasks = self._tasks, None
        assert tasks is not None
        try:
            if self._running and kind is None:
                self._idle = Event()
                with move_on_after(self._shutdown_timeout):
                    await self._idle.wait()
        finally:
            tasks.cancel_scope.cancel()
            # The task group would wrap the error of the block in an exception group.
            await tasks.__aexit__(None, None, None)
            self._idle = None
            if self._claims.unreleased:
                await self._claims.release_rest(until=current_time() + FINISH_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or the lifespan of the app."""
        match scope["type"]:
            case "http":
                status, text = await self._response(scope, receive)
                await _respond(send, status, text)
            case "lifespan":
                await self._run_lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1000})
            case other:
                raise ConfigError(f"WebhookApp: expected an HTTP request, got {other!r}.")

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _response(self, scope: Scope, receive: Receive) -> _Response:
        from anyio import fail_after

        if scope["method"] != "POST":
            return 405, "This URL accepts deliveries of CircleCI webhooks, by POST."
        if self._tasks is None:
            return _NOT_RUNNING
        try:
            with fail_after(self._read_timeout):
                body = await _read(scope, receive, self._max_body)
        except TimeoutError:
            return 408, "Timeout while reading the body."
        if body is None:
            return 413, f"The body is larger than {self._max_body} bytes."
        try:
            event = parse(body, scope["headers"], secret=self._secret, max_body=self._max_body)
        except SignatureError as error:
            logger.info("webhooks: a delivery was rejected: %s", error)
            return 401, str(error)
        except DecodeError as error:
            logger.warning("webhooks: %s", error)
            return 400, str(error)
        return await self._accept(event)

    async def _accept(self, event: Event) -> _Response:
        # Counted before the claim, so that concurrent claims count too.
        self._pressure.note(self._running + 1, self._longest, self._clock.monotonic())
        if self._running >= self._max_running:
            return 503, "Too many deliveries are in progress; send this one again later."
        self._running += 1
        # To its end: a disconnect must not leave a delivery that is claimed but never handled.
        return await finish(partial(self._claim, event), seconds=self._read_timeout + FINISH_SECONDS)

    async def _claim(self, event: Event) -> _Response:
        started = False
        try:
            progress = await self._router._begin(event, self._read_timeout)  # pyright: ignore[reportPrivateUsage]  # the router and its app
            if progress is None:
                return 200, "Duplicate delivery."
            if self._tasks is None:
                await self._router.release(event)
                return _NOT_RUNNING
            self._tasks.start_soon(self._dispatch, event, progress)
            started = True
        except BaseException as error:  # whatever the user's store raises
            if not is_failure(error):
                raise
            logger.exception("webhooks: the store failed on delivery %s", delivery_id(event))
            return 503, "The store failed; send the delivery again later."
        else:
            return 200, "Accepted."
        finally:
            if not started:
                self._finished()

    async def _dispatch(self, event: Event, progress: Progress) -> None:
        try:
            await self._router._handle(event, progress, self._handler_timeout)  # pyright: ignore[reportPrivateUsage]  # the router and its app
        except BaseException as error:  # it would end the task group, and with it all other deliveries
            if not is_failure(error, in_child=True):
                raise
            what = "the store failed" if isinstance(error, Exception) else "others cancelled the task"
            logger.exception("webhooks: %s on delivery %s", what, delivery_id(event))
        finally:
            self._finished()

    async def _release_rest(self) -> None:
        """Release what a failing store may have claimed, until it is released."""
        pause = 1.0
        try:
            while self._claims.unreleased:
                await self._claims.release_rest()
                await self._clock.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except BaseException as error:  # it would end the task group, and with it all deliveries
            if not is_failure(error, in_child=True):
                raise
            logger.exception("webhooks: deliveries may stay claimed that were not handled.")
        finally:
            self._releases = False

    @property
    def _claims(self) -> Claims:
        return self._router._claims  # pyright: ignore[reportPrivateUsage]  # the router and its app

    def _longest(self) -> Running | None:
        running = self._router._calls.running  # pyright: ignore[reportPrivateUsage]  # the router and its app
        return next(iter(running.values()), None)

    def _finished(self) -> None:
        self._running -= 1
        if self._claims.unreleased and self._tasks is not None and not self._releases:
            self._releases = True
            self._tasks.start_soon(self._release_rest)
        if not self._running and self._idle is not None:
            self._idle.set()


def _check_secret(secret: Secret) -> None:
    """Reject an empty secret at construction, not at the first delivery."""
    with suppress(SignatureError):
        verify(b"", "v1=00", secret)


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The body; None if it is too large. A `content-length` above the limit is rejected without reading."""
    declared = header(scope["headers"], "content-length")
    if declared is not None and declared.isascii() and declared.isdecimal() and int(declared[:18]) > limit:
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


async def _respond(send: Send, status: int, text: str) -> None:
    content = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(content)).encode())]
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
