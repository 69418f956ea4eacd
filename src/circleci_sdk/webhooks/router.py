"""Routes events to handlers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, overload
from weakref import WeakSet

from circleci_sdk._core.cancellation import is_failure
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.logs import logger
from circleci_sdk._core.options import is_count
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public

from .event_fields import delivery_id
from .filters import Filter
from .handling import HandleResult, HandlerFailure, Progress, stable_name
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


WorkflowHandler = TypeVar("WorkflowHandler", bound="Handler[WorkflowCompleted]")
JobHandler = TypeVar("JobHandler", bound="Handler[JobCompleted]")
BuildHandler = TypeVar("BuildHandler", bound="Handler[Build]")
PingHandler = TypeVar("PingHandler", bound="Handler[Ping]")
UnknownHandler = TypeVar("UnknownHandler", bound="Handler[UnknownEvent]")
_REPORT_SECONDS: Final = 5.0
_STORE_SECONDS: Final = 10.0
"""Seconds until a call of the store has failed. It is not cancelled before, so that no id stays claimed by mistake."""


_Outcomes: TypeAlias = "dict[str, HandlerFailure | None]"
"""The failure of each handler that has ended, by the name of its route; None if it succeeded."""


class _Route(NamedTuple):
    filter: Filter
    handler: Handler[Any]
    name: str
    """Unique, and the same in each process with the same order of registration."""


@public("circleci_sdk.webhooks")
class Router:
    """Calls the handlers of events.

    Args:
        store: the store of delivery ids. Default: in memory.
        max_attempts: maximum number of attempts to handle a delivery, the first one included: with 3, each handler runs
            at most three times. After the last failed attempt the id is not released, and further deliveries of it are
            duplicates. A cancelled attempt counts; an error of the store before the handlers does not.
        on_error: an async callable, awaited with a `HandlerFailure` for each failed handler. Default: failures are
            logged (logger `circleci_sdk`).

    A handler is an async function of one event. The handlers of an event run concurrently. An exception of a handler
    is reported and affects neither other handlers nor other deliveries.

    `handle` handles a delivery at least once: after a failure its id is released, and the sender sends it again.
    `WebhookApp` handles it at most once, since it has responded before the handlers run; only a manual redelivery
    runs the failed handlers again. Handlers that succeeded are remembered with the delivery, by module and qualified
    name, and do not run again while the store knows them. If the process ends abruptly, the id stays claimed until the
    store removes it, and handlers that had succeeded in this attempt run again after that.

        router = Router()

        @router.on(WorkflowCompleted, project="gh/acme/web", branch="main", status="failed")
        async def notify(event: WorkflowCompleted) -> None:
            ...
    """

    def __init__(
        self,
        *,
        store: DeliveryStore | None = None,
        max_attempts: int = 3,
        on_error: Callable[[HandlerFailure], Awaitable[object]] | None = None,
    ) -> None:
        if not is_count(max_attempts, least=1):
            raise InvalidArgumentError(
                f"Router: max_attempts: expected an integer of at least 1, got {max_attempts!r}."
            )
        self._max_attempts = max_attempts
        self._store = store if store is not None else MemoryStore()
        self._on_error = on_error
        self._routes: list[_Route] = []
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
                raise InvalidArgumentError(
                    f"Router.on: handler: expected an async function, got {stable_name(handler)}."
                )
            name = stable_name(handler)
            doubles = sum(route.name.partition("#")[0] == name for route in self._routes)
            self._routes.append(_Route(filter_, handler, f"{name}#{doubles}" if doubles else name))
            return handler

        return register

    async def claim(self, event: Event) -> bool:
        """Store the id of a delivery. True if it is new."""
        return await self._store.claim(delivery_id(event))

    async def release(self, event: Event) -> None:
        """Remove the id of a delivery that was claimed and cannot be handled."""
        await self._store.release(delivery_id(event))

    async def handle(self, event: Event) -> HandleResult:
        """Claim an event and call its handlers: at least once, if the sender sends it again after a failure.

        For functions with the lifetime of one request, such as AWS Lambda: respond with an error if it failed, so that
        CircleCI sends the delivery again.

            (await router.handle(event)).raise_for_failure()

        After a failure, or a cancellation, the id is released, so that the next delivery of it runs the handlers that
        did not succeed. After `max_attempts` failed attempts it stays claimed, and the delivery is a duplicate. Of
        concurrent deliveries of one id, one is handled and the others are duplicates.

        Raises:
            Exception: an error of the store. The id is released if that is possible.
        """
        from anyio import fail_after

        with fail_after(_STORE_SECONDS, shield=True):
            new = await self.claim(event)
        return await self.handle_claimed(event) if new else HandleResult("duplicate")

    async def handle_claimed(self, event: Event) -> HandleResult:
        """Call the handlers of an event that `claim` returned True for, as `handle` does."""
        from anyio import fail_after

        try:
            progress = Progress.read(await self._store.load(delivery_id(event)))
        except BaseException:
            await self._despite_cancellation(self.release, event)
            raise
        outcomes: _Outcomes = {}
        try:
            result = await self._dispatch(event, progress, outcomes)
        except BaseException:
            await self._despite_cancellation(self._failed, event, progress.after(_succeeded(outcomes)))
            raise
        if result.status == "failed":
            with fail_after(_STORE_SECONDS, shield=True):
                await self._failed(event, progress.after(_succeeded(outcomes)))
        return result

    async def dispatch(self, event: Event) -> HandleResult:
        """Call all handlers of an event and wait for them, without the store: no check for duplicates, no memory."""
        return await self._dispatch(event, Progress(), {})

    async def _dispatch(self, event: Event, progress: Progress, outcomes: _Outcomes) -> HandleResult:
        """Call the handlers that have not succeeded. `outcomes` has their outcomes also after a cancellation."""
        if not progress.attempts:
            for subscription in tuple(self._subscriptions):
                subscription.put(event)
        routes = [route for route in self._routes if route.filter.accepts(event)]
        if not routes:
            logger.debug("webhooks: no handler for %s %s", type(event).__name__, delivery_id(event))
        due = [route for route in routes if route.name not in progress.succeeded]
        if len(due) == 1:
            await self._run(due[0], event, outcomes)
        elif due:
            from anyio import create_task_group

            async with create_task_group() as tasks:
                for route in due:
                    tasks.start_soon(self._run, route, event, outcomes)
        failures = tuple(failure for route in due if (failure := outcomes[route.name]) is not None)
        return HandleResult("failed" if failures else "handled", failures)

    async def _failed(self, event: Event, progress: Progress) -> None:
        """Save the progress before the release: the next attempt begins with it."""
        try:
            await self._store.save(delivery_id(event), progress.saved())
        finally:
            if progress.attempts < self._max_attempts:
                await self.release(event)
            else:
                logger.warning(
                    "webhooks: delivery %s has failed %d times and is not handled again.",
                    delivery_id(event),
                    progress.attempts,
                )

    async def _despite_cancellation(self, call: Callable[..., Awaitable[None]], *arguments: object) -> None:
        from anyio import fail_after

        try:
            with fail_after(_REPORT_SECONDS, shield=True):
                await call(*arguments)
        except Exception:
            logger.exception("webhooks: the store failed; a delivery stays claimed that was not handled.")

    def subscribe(self, size: int = 10_000) -> Subscription:
        """A queue of all further events, in addition to the handlers. It ends with its last reference."""
        subscription = Subscription(size)
        self._subscriptions.add(subscription)
        return subscription

    async def _run(self, route: _Route, event: Event, outcomes: _Outcomes) -> None:
        from anyio import get_cancelled_exc_class, move_on_after

        try:
            await route.handler(event)
        except BaseException as error:
            if is_failure(error):  # isolated: one handler must not affect others
                failure = outcomes[route.name] = HandlerFailure(event, route.handler, error)
                await self._report(failure)
                return
            if isinstance(error, get_cancelled_exc_class()):
                with move_on_after(_REPORT_SECONDS, shield=True):
                    await self._report(HandlerFailure(event, route.handler, error, cancelled=True))
            raise
        outcomes[route.name] = None

    async def _report(self, failure: HandlerFailure) -> None:
        if self._on_error is None:
            logger.error("webhooks: %s", failure, exc_info=None if failure.cancelled else failure.error)
            return
        try:
            await self._on_error(failure)
        except BaseException as error:
            if not is_failure(error):
                raise
            logger.exception("webhooks: on_error failed for: %s", failure)


def _succeeded(outcomes: _Outcomes) -> set[str]:
    return {name for name, failure in outcomes.items() if failure is None}


def _is_async(handler: object) -> bool:
    call = getattr(type(handler), "__call__", None)  # noqa: B004  # the type matters, not whether it is callable
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
