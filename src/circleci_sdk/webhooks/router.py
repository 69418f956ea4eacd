"""From events to the functions that want them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload
from weakref import WeakSet

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._public import public

from .events import UnknownEvent, delivery_id
from .filters import Filter, Projects, Texts
from .store import DeliveryStore, MemoryStore
from .subscription import Subscription

if TYPE_CHECKING:
    from circleci_sdk.v1.models import Build
    from circleci_sdk.v2.models import (
        CompletedJobStatus,
        CompletedWorkflowStatus,
        JobCompleted,
        Ping,
        WorkflowCompleted,
    )

    from .kinds import Event

logger: Final = logging.getLogger("circleci_sdk")

E = TypeVar("E")
Handler: TypeAlias = Callable[[E], Awaitable[object]]
_REPORT_SECONDS: Final = 5.0


@public("circleci_sdk.webhooks")
@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """A handler that did not come to its end.

    `error` is what it raised; `cancelled` says that it was stopped because the receiver was shut down.
    """

    event: Event
    handler: Handler[Any]
    error: BaseException
    cancelled: bool = False

    def __str__(self) -> str:
        how = "was stopped" if self.cancelled else f"raised {type(self.error).__name__}"
        return f"{_name(self.handler)} {how} on {type(self.event).__name__} {delivery_id(self.event)}"


@public("circleci_sdk.webhooks")
class Router:
    """Takes events and calls the handlers that want them.

    Args:
        store: where the ids of deliveries are remembered. Default: in memory.
        on_error: an async callable, awaited with a `HandlerFailure` for each handler that fails. Failures are logged
            (logger `circleci_sdk`) if there is none.

    A handler is an async function of one event. Handlers of one event run side by side; what one of them raises is
    reported and disturbs neither the others nor the deliveries that follow.

        router = Router()

        @router.on(WorkflowCompleted, project="gh/acme/web", branch="main", status="failed")
        async def shout(event: WorkflowCompleted) -> None:
            ...
    """

    def __init__(
        self,
        *,
        store: DeliveryStore | None = None,
        on_error: Callable[[HandlerFailure], Awaitable[object]] | None = None,
    ) -> None:
        self._store = store if store is not None else MemoryStore()
        self._on_error = on_error
        self._routes: list[tuple[Filter, Handler[Any]]] = []
        self._taps: WeakSet[Subscription] = WeakSet()

    def __repr__(self) -> str:
        return f"<Router of {len(self._routes)} handlers>"

    @overload
    def on(
        self,
        kind: type[WorkflowCompleted],
        *,
        project: Projects | None = None,
        branch: Texts | None = None,
        status: CompletedWorkflowStatus | Collection[CompletedWorkflowStatus] | None = None,
    ) -> Callable[[Handler[WorkflowCompleted]], Handler[WorkflowCompleted]]: ...
    @overload
    def on(
        self,
        kind: type[JobCompleted],
        *,
        project: Projects | None = None,
        branch: Texts | None = None,
        status: CompletedJobStatus | Collection[CompletedJobStatus] | None = None,
    ) -> Callable[[Handler[JobCompleted]], Handler[JobCompleted]]: ...
    @overload
    def on(
        self,
        kind: type[Build],
        *,
        project: Projects | None = None,
        branch: Texts | None = None,
        status: Texts | None = None,
    ) -> Callable[[Handler[Build]], Handler[Build]]: ...
    @overload
    def on(self, kind: type[Ping]) -> Callable[[Handler[Ping]], Handler[Ping]]: ...
    @overload
    def on(self, kind: type[UnknownEvent]) -> Callable[[Handler[UnknownEvent]], Handler[UnknownEvent]]: ...
    def on(
        self,
        kind: type[Any],
        *,
        project: Projects | None = None,
        branch: Texts | None = None,
        status: Texts | None = None,
    ) -> Any:
        """Decorate an async function that is to be called with events of one class.

        Args:
            kind: `WorkflowCompleted`, `JobCompleted`, `Ping`, `UnknownEvent`, or `v1.models.Build` for the
                notifications of CircleCI 1.0.
            project: only events of this project, given as a slug, an id, or several of them.
            branch: only events of this branch, or several. `*` and `?` stand for anything: `release/*`.
            status: only these statuses.

        Raises:
            InvalidArgumentError: nothing could pass such a filter, or the function is not async.
        """
        wanted = Filter.of(kind, project, branch, status)

        def note(handler: Handler[Any]) -> Handler[Any]:
            if not _is_async(handler):
                raise InvalidArgumentError(f"{_name(handler)}: handlers are async functions.")
            self._routes.append((wanted, handler))
            return handler

        return note

    async def claim(self, event: Event) -> bool:
        """Whether this delivery is new. It is remembered, so that a second one with its id is not."""
        return await self._store.claim(delivery_id(event))

    async def release(self, event: Event) -> None:
        """Forget a delivery that was claimed and cannot be handled after all."""
        await self._store.release(delivery_id(event))

    async def handle(self, event: Event) -> bool:
        """Claim an event and call its handlers; False if it came before.

        For functions that live as long as one request, such as AWS Lambda. `WebhookApp` does the same in the
        background.
        """
        if not await self.claim(event):
            return False
        await self.dispatch(event)
        return True

    async def dispatch(self, event: Event) -> None:
        """Call all handlers that want the event, and wait for them. Does not ask whether it came before."""
        for subscribe in tuple(self._taps):
            subscribe.put(event)
        wanted = [handler for filter_, handler in self._routes if filter_.admits(event)]
        if not wanted:
            logger.debug("webhooks: nobody wants %s %s", type(event).__name__, delivery_id(event))
        elif len(wanted) == 1:
            await self._run(wanted[0], event)
        else:
            from anyio import create_task_group

            async with create_task_group() as tasks:
                for handler in wanted:
                    tasks.start_soon(self._run, handler, event)

    def subscribe(self, size: int = 10_000) -> Subscription:
        """All events from now on, beside the handlers: what `follow` reads. It ends when nobody holds it any more."""
        subscribe = Subscription(size)
        self._taps.add(subscribe)
        return subscribe

    async def _run(self, handler: Handler[Any], event: Event) -> None:
        from anyio import get_cancelled_exc_class, move_on_after

        try:
            await handler(event)
        except Exception as error:  # noqa: BLE001  # isolated here and reported: one handler disturbs nobody
            await self._report(HandlerFailure(event, handler, error))
        except get_cancelled_exc_class() as error:
            with move_on_after(_REPORT_SECONDS, shield=True):
                await self._report(HandlerFailure(event, handler, error, cancelled=True))
            raise

    async def _report(self, failure: HandlerFailure) -> None:
        if self._on_error is None:
            logger.error("webhooks: %s", failure, exc_info=None if failure.cancelled else failure.error)
            return
        try:
            await self._on_error(failure)
        except Exception:
            logger.exception("webhooks: on_error failed itself when told that %s", failure)


def _is_async(handler: object) -> bool:
    call = getattr(type(handler), "__call__", None)  # noqa: B004  # what it is matters, not whether it is there
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)
