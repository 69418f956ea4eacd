"""Follows the events of a project by webhook deliveries and by polling."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from circleci_sdk._core.checks import FILTER, TIMEOUT, check, instance, or_none
from circleci_sdk._core.errors import (
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    InvalidArgumentError,
)
from circleci_sdk._core.logs import logger
from circleci_sdk._core.serialization.slugs import app_origin
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.helpers._shared.arguments import check_project_slug
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS, asked_wait, may_pass
from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

from .errors import DeliveriesLostError
from .event_fields import branch_of
from .merging import JOBS, WORKFLOWS, Merge, kind_of, next_poll, workflow_id_of
from .polled_events import EventBuilder
from .project_poller import ProjectPoller
from .registration import EVENTS, check_client
from .router import Router
from .types import FollowedEvent
from .unread import Unread
from .whole_failure import RETRY_DELAY, WholeFailure

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.helpers._shared.skipped import Skipped
    from circleci_sdk.v2.models import WebhookEvent

    from .subscription import Subscription


BOTH: Final[Sequence[WebhookEvent]] = (WORKFLOWS, JOBS)
MAX_ATTEMPTS: Final = 3
"""Attempts to list the jobs of the workflow of a delivery."""
MAX_DELAY: Final = 60.0
"""Seconds between these attempts, at most: other deliveries wait for them."""
MAX_WAITING: Final = 1000
"""Number of deliveries that are taken to put them in order, which bounds the memory."""
T = TypeVar("T")


def follow(
    circleci: AsyncCircleCI,
    project_slug: str | ProjectSlug,
    *,
    webhooks: Router | None = None,
    poll: float | None = 60.0,
    events: Sequence[WebhookEvent] = BOTH,
    branch: str | Unset = UNSET,
) -> Follow:
    """Follow the ended jobs and workflows of a project: deliveries of webhooks, and polling without them.

        async for event in follow(circleci, "gh/acme/web", webhooks=router):
            match event:
                case WorkflowCompleted():
                    print(event.workflow.name, event.workflow.status)
                case JobCompleted():
                    print(event.job.name, event.job.status)

    Polling starts with the loop, deliveries are included from this call on. Each event is returned once. The jobs of
    a workflow are in the order of their ends, and the workflow is last. A workflow that has ended before is ignored;
    all jobs of a running workflow are returned.

    Polled events are built from responses of API v2 and equal deliveries, with these differences: their `webhook` is
    named `poll`, jobs that timed out are `failed`, and a commit only has its message. Polling reads the newest 20
    pipelines and those that it saw running. Reruns in older pipelines are only seen by deliveries.

    With `job-completed` each delivery costs one call that lists the jobs of its workflow, to keep the order. If they
    cannot be listed in three attempts, the delivery is returned all the same, in the order of those that came, and
    the list is named in `skipped`. After one such delivery the next ones wait for one call.

    A list that cannot be read, for whatever reason, delays nothing else. Each poll asks for it again. After five
    polls and five minutes it is named in `skipped`, and the end of its workflow is returned without the jobs. It is
    asked for again at growing intervals: jobs that can be read then are returned late, and `skipped` no longer names
    them. The same applies to jobs without an id or a readable status. Other fields that are unavailable in a response
    are unavailable in its event. If the workflows of a pipeline cannot be read at first, those are ignored that have
    ended when they can.

    What concerns all events is raised, and iteration can continue after it: a temporary failure (no connection, 429,
    5xx, a response that cannot be used) of the project or its list of pipelines after five minutes, or at once if the
    limit of the API lasts longer; a refusal such as 401, 403 or 404 at the first look, and later the third one in a
    row. Deliveries are returned meanwhile. Deliveries that are dropped, since more came than were read, are replaced
    by a poll; without polling they raise `DeliveriesLostError`.

    Args:
        circleci: the client.
        project_slug: the project.
        webhooks: the router that receives the deliveries, in addition to its handlers. None only polls.
        poll: seconds without a delivery until the API is polled, and between polls. Deliveries delay a poll up to
            ten times as long, since a single delivery may be lost. None never polls.
        events: types of events.
        branch: only events of this branch.

    Raises:
        InvalidArgumentError: neither deliveries nor polling, or an invalid `poll`, `events` or `branch`.
    """
    check_client("follow", circleci)
    slug = check_project_slug("follow", project_slug)
    check("follow", webhooks=(webhooks, or_none(instance("a Router", Router))), poll=(poll, TIMEOUT))
    check("follow", events=(events, EVENTS), branch=(branch, FILTER))
    if webhooks is None and poll is None:
        raise InvalidArgumentError("follow: expected webhooks or poll, got neither.")
    if not events:
        raise InvalidArgumentError(f"follow: events: expected {WORKFLOWS} or {JOBS}, got none.")
    subscription = None if webhooks is None else webhooks.subscribe()
    return Follow(circleci, slug, subscription, poll, frozenset(map(str, events)), branch)


@public("circleci_sdk.webhooks")
class Follow(Buffered[FollowedEvent]):
    """An async iterator over the events of one project. Made by `follow`. It needs no closing."""

    def __init__(
        self,
        circleci: AsyncCircleCI,
        slug: str,
        subscription: Subscription | None,
        poll: float | None,
        chosen: frozenset[str],
        branch: str | Unset,
        /,
    ) -> None:
        self._circleci = circleci
        self._clock: Clock = circleci._session.clock  # pyright: ignore[reportPrivateUsage]  # the clock of the client has no public name
        self._slug = slug
        self._subscription = subscription
        self._every = poll
        self._branch = branch
        self._merge = Merge(chosen)
        self._waiting: deque[FollowedEvent] = deque()
        self._poller: ProjectPoller | None = None
        self._unread = Unread()
        self._whole = WholeFailure()
        self._errors: deque[CircleCIError] = deque()
        self._started = False
        self._retry_at: float | None = None
        self._failures = 0
        self._refusals = 0
        self._polled = 0.0
        self._delivered: float | None = None
        self._lost = 0

    def __repr__(self) -> str:
        return f"<Follow of {self._slug}>"

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What could not be read and was given up, the last 1,000 of it, without what could be read later."""
        return self._unread.skipped

    @property
    def skipped_count(self) -> int:
        """Number of items that were given up and could not be read later, also those that `skipped` no longer has."""
        return self._unread.count

    def _next_buffered(self) -> FollowedEvent | Unset:
        return self._merge.ready.popleft() if self._merge.ready else UNSET

    async def _fill_buffer(self) -> None:
        if self._errors:
            raise self._errors.popleft()
        await self._step()

    async def _step(self) -> None:
        """Process one delivery or one poll, or wait for either. A delivery is removed only after it is processed."""
        poller = self._poller
        if poller is None:
            await self._sleep_until(self._retry_at)
            self._poller = await self._attempt(self._new_poller)
            return
        if self._every is None:
            self._report_lost()
        event = self._next_delivery(poller)
        at = self._poll_at(waiting=event is not None)
        if at is not None and at <= self._clock.monotonic():
            await self._attempt(lambda: self._poll(poller))
        elif event is not None:
            await self._deliver(poller, event)
            self._waiting.popleft()
        else:
            await self._wait(at)

    async def _attempt(self, read: Callable[[], Awaitable[T]]) -> T | None:
        """The result; None if it failed and is to be tried again at `_retry_at`. Raises errors that last."""
        try:
            result = await read()
        except CircleCIError as error:
            now = self._clock.monotonic()
            level = logging.WARNING if self._retry_at is None else logging.INFO
            self._retry_at = now + RETRY_DELAY
            logger.log(level, "webhooks: following %s: %s", self._slug, error)
            self._retry_at = now + self._whole.pause(error, now, first=not self._started)
            return None
        self._retry_at = None
        self._whole.end()
        self._started = self._started or self._every is None
        return result

    async def _new_poller(self) -> ProjectPoller:
        project = await self._circleci.v2.projects.get(self._slug)
        builder = EventBuilder(project, app_origin(self._circleci.base_url))
        return ProjectPoller(
            self._circleci, self._slug, self._branch, builder, self._merge, self._unread, self._clock.monotonic
        )

    async def _poll(self, poller: ProjectPoller) -> None:
        lost = self._subscription.lost if self._subscription else 0
        await poller.poll(first=not self._started)
        self._started = True
        self._polled = self._clock.monotonic()
        if lost > self._lost:
            logger.warning(
                "webhooks: following %s polled in place of %d lost deliveries", self._slug, lost - self._lost
            )
            self._lost = lost

    def _report_lost(self) -> None:
        """Raise for deliveries that were dropped, where no poll replaces them."""
        lost = self._subscription.lost if self._subscription else 0
        if lost > self._lost:
            count, self._lost = lost - self._lost, lost
            message = f"follow: {count} deliveries were dropped, since more came than were read, and poll is None."
            logger.warning("webhooks: following %s: %s", self._slug, message)
            raise DeliveriesLostError(message, count=count)

    def _next_delivery(self, poller: ProjectPoller) -> FollowedEvent | None:
        self._take(poller, 1)
        return self._waiting[0] if self._waiting else None

    def _take(self, poller: ProjectPoller, count: int) -> None:
        """Take deliveries of this project, until so many wait here."""
        while len(self._waiting) < count and self._subscription and (event := self._subscription.take()):
            if not isinstance(event, JobCompleted | WorkflowCompleted) or not poller.is_of_project(event):
                continue
            self._delivered = self._clock.monotonic()
            if self._branch is UNSET or branch_of(event) == self._branch:
                self._waiting.append(event)

    async def _deliver(self, poller: ProjectPoller, event: FollowedEvent) -> None:
        relevant = self._merge.needs_jobs or kind_of(event) == WORKFLOWS
        if not relevant or not self._merge.is_new(event):
            return
        if self._merge.needs_jobs:
            self._merge.delivered(event, await self._siblings(poller, event))
        else:
            self._merge.delivered(event, ())

    async def _siblings(self, poller: ProjectPoller, event: FollowedEvent) -> Sequence[JobCompleted]:
        """The jobs of the workflow of a delivery; those of waiting deliveries if they cannot be listed.

        After one such delivery the next ones wait for one call each, until a list can be read.
        """
        while True:
            try:
                found = await poller.sibling_jobs(event, once=self._failures > 0)
            except ClientClosedError:
                raise
            except CircleCIError as error:
                self._failures += 1
                self._refusals = self._refusals + 1 if isinstance(error, AuthenticationError) else 0
                if self._failures >= MAX_ATTEMPTS or not may_pass(error):
                    if self._refusals == MAX_REFUSALS:
                        self._refusals = 0
                        self._errors.append(error)  # after the events: the token concerns all of them
                    logger.warning("webhooks: following %s: a delivery without its siblings: %s", self._slug, error)
                    poller.pass_over_siblings(event, error)
                    self._take(poller, MAX_WAITING)
                    return [
                        other for other in self._waiting if isinstance(other, JobCompleted) and _is_of(other, event)
                    ]
                pause = min(max(RETRY_DELAY, asked_wait(error, MAX_DELAY)), MAX_DELAY)
            else:
                self._failures = self._refusals = 0
                return found
            await self._clock.sleep(pause)

    def _poll_at(self, *, waiting: bool) -> float | None:
        """When to poll, with or without a delivery that waits. None never."""
        if self._every is None:
            return None
        if self._retry_at is not None:
            return self._retry_at
        if not self._started:
            return self._clock.monotonic()
        if self._subscription is not None and self._subscription.lost > self._lost:
            # At once, but under a flood of deliveries not more often than without them.
            return self._polled + (self._every if waiting else 0.0)
        return next_poll(self._polled, self._delivered, self._every)

    async def _wait(self, until: float | None) -> None:
        """Wait for a delivery or the next poll."""
        if self._subscription is None or until is None:
            await (self._sleep_until(until) if self._subscription is None else self._subscription.filled())
        else:
            left = until - self._clock.monotonic()
            await _wait_until_filled(self._subscription, left, self._clock)

    async def _sleep_until(self, moment: float | None) -> None:
        if moment is not None:
            await self._clock.sleep(max(0.0, moment - self._clock.monotonic()))


def _is_of(other: JobCompleted, event: FollowedEvent) -> bool:
    """Whether two events are about the same workflow."""
    workflow_id = workflow_id_of(event)
    return workflow_id is not None and workflow_id_of(other) == workflow_id


async def _wait_until_filled(subscription: Subscription, seconds: float, clock: Clock) -> None:
    """Wait until an event arrives, for a number of seconds at most."""
    from anyio import create_task_group

    async with create_task_group() as tasks:

        async def watch() -> None:
            await subscription.filled()
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        await clock.sleep(seconds)
        tasks.cancel_scope.cancel()
