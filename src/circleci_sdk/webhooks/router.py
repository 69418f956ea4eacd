"""Routes events to handlers."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from weakref import WeakSet

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public

from .event_fields import delivery_id
from .filters import Filter
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

    from .event_types import Event
    from .types import Handler, Projects, Strings
    from .unknown_event import UnknownEvent

logger: Final = logging.getLogger("circleci_sdk")

WorkflowHandler = TypeVar("WorkflowHandler", bound="Handler[WorkflowCompleted]")
JobHandler = TypeVar("JobHandler", bound="Handler[JobCompleted]")
BuildHandler = TypeVar("BuildHandler", bound="Handler[Build]")
PingHandler = TypeVar("PingHandler", bound="Handler[Ping]")
UnknownHandler = TypeVar("UnknownHandler", bound="Handler[UnknownEvent]")
_REPORT_SECONDS: Final = 5.0


@public("circleci_sdk.webhooks")
@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """The failure of a handler.

    `error` is its exception; `cancelled` is true if it was cancelled by the shutdown of the receiver.
    """

    event: Event
    handler: Handler[Any]
    error: BaseException
    cancelled: bool = False

    def __str__(self) -> str:
        how = "was cancelled" if self.cancelled else f"raised {type(self.error).__name__}"
        return f"{_name(self.handler)} {how} on {type(self.event).__name__} {delivery_id(self.event)}"


@public("circleci_sdk.webhooks")
class Router:
    """Calls the handlers of events.

    Args:
        store: the store of delivery ids. Default: in memory.
        on_error: an async callable, awaited with a `HandlerFailure` for each failed handler. Default: failures are
            logged (logger `circleci_sdk`).

    A handler is an async function of one event. The handlers of an event run concurrently. An exception of a handler
    is reported and affects neither other handlers nor other deliveries.

        router = Router()

        @router.on(WorkflowCompleted, project="gh/acme/web", branch="main", status="failed")
        async def notify(event: WorkflowCompleted) -> None:
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
        self._subscriptions: WeakSet[Subscription] = WeakSet()

    def __repr__(self) -> str:
        return f"<Router of {len(self._routes)} handlers>"

    @overload
    def on(
        self,
        kind: type[WorkflowCompleted],
        *,
        project: Projects | Unset = UNSET,
        branch: Strings | Unset = UNSET,
        status: CompletedWorkflowStatus | Collection[CompletedWorkflowStatus] | Unset = UNSET,
    ) -> Callable[[WorkflowHandler], WorkflowHandler]: ...
    @overload
    def on(
        self,
        kind: type[JobCompleted],
        *,
        project: Projects | Unset = UNSET,
        branch: Strings | Unset = UNSET,
        status: CompletedJobStatus | Collection[CompletedJobStatus] | Unset = UNSET,
    ) -> Callable[[JobHandler], JobHandler]: ...
    @overload
    def on(
        self,
        kind: type[Build],
        *,
        project: Projects | Unset = UNSET,
        branch: Strings | Unset = UNSET,
        status: Strings | Unset = UNSET,
    ) -> Callable[[BuildHandler], BuildHandler]: ...
    @overload
    def on(self, kind: type[Ping]) -> Callable[[PingHandler], PingHandler]: ...
    @overload
    def on(self, kind: type[UnknownEvent]) -> Callable[[UnknownHandler], UnknownHandler]: ...
    def on(
        self,
        kind: type[Any],
        *,
        project: Projects | Unset = UNSET,
        branch: Strings | Unset = UNSET,
        status: Strings | Unset = UNSET,
    ) -> Any:
        """Register an async function as the handler of events of one class. Returns the function unchanged.

        Args:
            kind: `WorkflowCompleted`, `JobCompleted`, `Ping`, `UnknownEvent`, or `v1.models.Build` for the
                notifications of CircleCI 1.0.
            project: only events of this project or of several, each by slug or id.
            branch: only events of this branch or of several. `*` and `?` are wildcards: `release/*`.
            status: only events with this status or with several.

        Raises:
            InvalidArgumentError: no event can pass the filter, or the function is not async.
        """
        filter_ = Filter.of(kind, project, branch, status)

        def register(handler: Handler[Any]) -> Handler[Any]:
            if not _is_async(handler):
                raise InvalidArgumentError(f"Router.on: handler: expected an async function, got {_name(handler)}.")
            self._routes.append((filter_, handler))
            return handler

        return register

    async def claim(self, event: Event) -> bool:
        """Store the id of a delivery. True if it is new."""
        return await self._store.claim(delivery_id(event))

    async def release(self, event: Event) -> None:
        """Remove the id of a delivery that was claimed and cannot be handled."""
        await self._store.release(delivery_id(event))

    async def handle(self, event: Event) -> bool:
        """Claim an event and call its handlers. False for a duplicate.

        For functions with the lifetime of one request, such as AWS Lambda. `WebhookApp` does the same in the
        background.
        """
        if not await self.claim(event):
            return False
        await self.dispatch(event)
        return True

    async def dispatch(self, event: Event) -> None:
        """Call the handlers of an event and wait for them, without a check for duplicates."""
        for subscription in tuple(self._subscriptions):
            subscription.put(event)
        handlers = [handler for filter_, handler in self._routes if filter_.accepts(event)]
        if not handlers:
            logger.debug("webhooks: no handler for %s %s", type(event).__name__, delivery_id(event))
        elif len(handlers) == 1:
            await self._run(handlers[0], event)
        else:
            from anyio import create_task_group

            async with create_task_group() as tasks:
                for handler in handlers:
                    tasks.start_soon(self._run, handler, event)

    def subscribe(self, size: int = 10_000) -> Subscription:
        """A queue of all further events, in addition to the handlers. It ends with its last reference."""
        subscription = Subscription(size)
        self._subscriptions.add(subscription)
        return subscription

    async def _run(self, handler: Handler[Any], event: Event) -> None:
        from anyio import get_cancelled_exc_class, move_on_after

        try:
            await handler(event)
        except Exception as error:  # noqa: BLE001  # isolated: one handler must not affect others
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
            logger.exception("webhooks: on_error failed for: %s", failure)


def _is_async(handler: object) -> bool:
    call = getattr(type(handler), "__call__", None)  # noqa: B004  # the type matters, not whether it is callable
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)
