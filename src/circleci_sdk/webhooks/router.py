"""Routes events to handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, overload
from weakref import WeakSet

from circleci_sdk._core.checks import ASYNC_FUNCTION, at_least, check, is_async, or_none
from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.logs import logger
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public

from .calls import HandlerCalls
from .claims import Claims
from .event_fields import EVENT, delivery_id
from .filters import Filter
from .handling import HandleResult, Progress, stable_name
from .seconds import check_seconds
from .store import DeliveryStore, MemoryStore, check_store
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

    from .calls import Outcomes
    from .event_types import Event
    from .handling import HandlerFailure
    from .types import Handler, Projects, Strings
    from .unknown_event import UnknownEvent


WorkflowHandler = TypeVar("WorkflowHandler", bound="Handler[WorkflowCompleted]")
JobHandler = TypeVar("JobHandler", bound="Handler[JobCompleted]")
BuildHandler = TypeVar("BuildHandler", bound="Handler[Build]")
PingHandler = TypeVar("PingHandler", bound="Handler[Ping]")
UnknownHandler = TypeVar("UnknownHandler", bound="Handler[UnknownEvent]")
_RELEASE_SECONDS: Final = 1.5
"""Seconds for the release after a claim has failed, at least."""


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
        store_timeout: seconds until a call of the store has failed. No cancellation ends it before. `WebhookApp` limits
            the calls before its response to its `read_timeout`, too.

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
        store_timeout: float = 8.0,
    ) -> None:
        check("Router", max_attempts=(max_attempts, at_least(1)), on_error=(on_error, or_none(ASYNC_FUNCTION)))
        check_seconds("Router", "store_timeout", store_timeout)
        if store is not None:
            check_store(store)
        self._max_attempts = max_attempts
        self._store = store if store is not None else MemoryStore()
        self._claims = Claims(self._store, store_timeout)
        self._calls = HandlerCalls(on_error, SystemClock.monotonic)
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
            if not is_async(handler):
                raise InvalidArgumentError(
                    f"Router.on: handler: expected an async function, got {stable_name(handler)}."
                )
            name = stable_name(handler)
            doubles = sum(route.name.partition("#")[0] == name for route in self._routes)
            self._routes.append(_Route(filter_, handler, f"{name}#{doubles}" if doubles else name))
            return handler

        return register

    async def claim(self, event: Event) -> bool:
        """Store the id of a delivery. True if it is new.

        Raises:
            Exception: an error of the store, or a `TimeoutError`; also if the id is claimed, and it is not known
                whether it is handled. If the store has the id all the same, it is released, or the next claim
                releases it.
        """
        check("Router.claim", event=(event, EVENT))
        return await self._begin(event, inf) is not None

    async def release(self, event: Event) -> None:
        """Remove the id of a delivery that this router has claimed and that cannot be handled."""
        check("Router.release", event=(event, EVENT))
        await self._claims.release(delivery_id(event))

    async def handle(self, event: Event) -> HandleResult:
        """Claim an event and call its handlers: at least once, if the sender sends it again after a failure.

        For functions with the lifetime of one request, such as AWS Lambda: respond with an error if it failed, so that
        CircleCI sends the delivery again.

            (await router.handle(event)).raise_for_failure()

        After a failure, or a cancellation, the id is released, so that the next delivery of it runs the handlers that
        did not succeed. After `max_attempts` failed attempts it stays claimed, and the delivery is a duplicate. Of
        concurrent deliveries of one id, one is handled and the others are duplicates.

        Raises:
            Exception: an error of the store, as with `claim`. The id is released if that is possible.
        """
        check("Router.handle", event=(event, EVENT))
        progress = await self._begin(event, inf)
        return HandleResult("duplicate") if progress is None else await self._handle(event, progress, None)

    async def handle_claimed(self, event: Event) -> HandleResult:
        """Call the handlers of an event that `claim` of this router returned True for, as `handle` does."""
        check("Router.handle_claimed", event=(event, EVENT))
        try:
            progress = await self._load(event)
        except BaseException:  # a cancellation too keeps no claim
            await self._claims.release_rest(delivery_id(event))
            raise
        return await self._handle(event, progress, None)

    async def _begin(self, event: Event, seconds: float) -> Progress | None:
        """The progress of a delivery that is new; None for a duplicate. Takes as many seconds at most."""
        from anyio import current_time

        until = current_time() + seconds
        try:
            new = await self._claims.claim(delivery_id(event), until)
            return await self._load(event, until) if new else None
        except BaseException:  # a cancellation too keeps no claim
            # Before the response: the sender may deliver it to another process next.
            await self._claims.release_rest(delivery_id(event), until + _RELEASE_SECONDS)
            raise

    async def _load(self, event: Event, until: float = inf) -> Progress:
        try:
            progress = Progress.read(await self._claims.load(delivery_id(event), until))
            await self._claims.confirm(delivery_id(event), progress, until)
        except BaseException:  # a cancellation too keeps no claim
            self._claims.give_up(delivery_id(event))
            raise
        return progress

    async def _handle(self, event: Event, progress: Progress, timeout: float | None) -> HandleResult:
        """Call the handlers of a claimed event, each for a number of seconds at most."""
        outcomes: Outcomes = {}
        try:
            result = await self._dispatch(event, progress, outcomes, timeout)
        except BaseException:  # a cancellation too counts as an attempt
            try:
                await self._failed(event, progress.after(_succeeded(outcomes)))
            except Exception:  # of the store; what is raised is the first error
                logger.exception("webhooks: the store failed; a delivery stays claimed that was not handled.")
            raise
        if result.status == "failed":
            await self._failed(event, progress.after(_succeeded(outcomes)))
        else:
            self._claims.end(delivery_id(event))
        return result

    async def dispatch(self, event: Event) -> HandleResult:
        """Call all handlers of an event and wait for them, without the store: no check for duplicates, no memory."""
        check("Router.dispatch", event=(event, EVENT))
        return await self._dispatch(event, Progress(), {}, None)

    async def _dispatch(
        self, event: Event, progress: Progress, outcomes: Outcomes, timeout: float | None
    ) -> HandleResult:
        """Call the handlers that have not succeeded. `outcomes` has their outcomes also after a cancellation."""
        if not progress.attempts:
            for subscription in tuple(self._subscriptions):
                subscription.put(event)
        routes = [route for route in self._routes if route.filter.accepts(event)]
        if not routes:
            logger.debug("webhooks: no handler for %s %s", type(event).__name__, delivery_id(event))
        due = {route.name: route.handler for route in routes if route.name not in progress.succeeded}
        await self._calls.call_all(event, due, outcomes, timeout)
        failures = tuple(failure for name in due if (failure := outcomes[name]) is not None)
        return HandleResult("failed" if failures else "handled", failures)

    async def _failed(self, event: Event, progress: Progress) -> None:
        """Save the progress before the release: the next attempt begins with it."""
        is_last = progress.attempts >= self._max_attempts
        try:
            await self._claims.save(delivery_id(event), progress, is_last=is_last)
        finally:
            if not is_last:
                await self.release(event)
            else:
                self._claims.end(delivery_id(event))
                logger.warning(
                    "webhooks: delivery %s has failed %d times and is not handled again.",
                    delivery_id(event),
                    progress.attempts,
                )

    def subscribe(self, size: int = 10_000) -> Subscription:
        """A queue of all further events, in addition to the handlers. It ends with its last reference."""
        check("Router.subscribe", size=(size, at_least(1)))
        subscription = Subscription(size)
        self._subscriptions.add(subscription)
        return subscription


def _succeeded(outcomes: Outcomes) -> set[str]:
    return {name for name, failure in outcomes.items() if failure is None}
