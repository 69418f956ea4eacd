"""Follows the events of a project by webhook deliveries and by polling."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from circleci_sdk._core.errors import CircleCIError, InvalidArgumentError, RateLimitError
from circleci_sdk._core.serialization.slugs import app_origin
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.retrying import may_pass
from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

from .event_fields import branch_of
from .merging import JOBS, WORKFLOWS, Merge, kind_of, next_poll
from .polled_events import EventBuilder
from .project_poller import UNUSABLE, ProjectPoller

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import WebhookEvent

    from .router import Router
    from .subscription import Subscription
    from .types import FollowedEvent

logger: Final = logging.getLogger("circleci_sdk")

BOTH: Final[Sequence[WebhookEvent]] = (WORKFLOWS, JOBS)
_RETRY_DELAY: Final = 5.0
"""Seconds between a temporary failure and the next attempt."""


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

    With `job-completed` each delivery costs one call that lists the jobs of its workflow, to keep the order.
    Temporary failures (no connection, 429, 5xx, a response that cannot be used) are retried, and deliveries wait. Other
    errors are raised, and iteration can continue after them: one about a single pipeline or workflow, such as an id
    that the API refuses, is raised once. Fields that are unavailable in a response are unavailable in its event, with
    two exceptions: what has no id, or no readable status, has no event until a poll reads it. An ended workflow waits
    up to five polls for such jobs. If the workflows of a pipeline cannot be read at first, those are ignored that have
    ended when they can.

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
    if webhooks is None and poll is None:
        raise InvalidArgumentError("follow: expected webhooks or poll, got neither.")
    if poll is not None and not poll > 0:
        raise InvalidArgumentError(f"follow: poll: expected seconds above 0, got {poll!r}.")
    chosen = frozenset(map(str, events))
    if not chosen or not chosen <= {JOBS, WORKFLOWS}:
        raise InvalidArgumentError(f"follow: events: expected {WORKFLOWS} or {JOBS}, got {events!r}.")
    if branch is not UNSET and (not isinstance(cast("object", branch), str) or not branch):
        raise InvalidArgumentError(
            f"follow: branch: expected a non-empty str, got {branch!r}. Leave it out, or pass UNSET, for no filter."
        )
    return Follow(circleci, str(project_slug), webhooks.subscribe() if webhooks else None, poll, chosen, branch)


@public("circleci_sdk.webhooks")
class Follow:
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
        self._started = poll is None
        self._polled = 0.0
        self._delivered: float | None = None
        self._lost = 0

    def __repr__(self) -> str:
        return f"<Follow of {self._slug}>"

    def __aiter__(self) -> Follow:
        return self

    async def __anext__(self) -> FollowedEvent:
        while not self._merge.ready:
            if self._poller and self._poller.errors:
                raise self._poller.errors.popleft()
            try:
                await self._step()
            except CircleCIError as error:
                if not may_pass(error):
                    raise
                asked = error.retry_after if isinstance(error, RateLimitError) else None
                pause = max(_RETRY_DELAY, asked or 0.0)
                level = logging.WARNING if isinstance(error, UNUSABLE) else logging.INFO
                logger.log(level, "webhooks: following %s continues in %g s: %s", self._slug, pause, error)
                await self._clock.sleep(pause)
        return self._merge.ready.popleft()

    async def _step(self) -> None:
        """Process one delivery or one poll, or wait for either. A delivery is removed only after it is processed."""
        poller = self._poller
        if poller is None:
            poller = self._poller = await self._new_poller()
        if not self._started:
            await self._poll(poller, first=True)
            self._started = True
        elif event := self._next_delivery(poller):
            await self._deliver(poller, event)
            self._waiting.popleft()
        elif await self._is_time_to_poll():
            await self._poll(poller, first=False)

    async def _new_poller(self) -> ProjectPoller:
        project = await self._circleci.v2.projects.get(self._slug)
        builder = EventBuilder(project, app_origin(self._circleci.base_url))
        return ProjectPoller(self._circleci, self._slug, self._branch, builder, self._merge)

    async def _poll(self, poller: ProjectPoller, *, first: bool) -> None:
        await poller.poll(first=first)
        self._polled = self._clock.monotonic()

    def _next_delivery(self, poller: ProjectPoller) -> FollowedEvent | None:
        while not self._waiting and self._subscription and (event := self._subscription.take()):
            if not isinstance(event, JobCompleted | WorkflowCompleted) or not poller.is_of_project(event):
                continue
            self._delivered = self._clock.monotonic()
            if self._branch is UNSET or branch_of(event) == self._branch:
                self._waiting.append(event)
        return self._waiting[0] if self._waiting else None

    async def _deliver(self, poller: ProjectPoller, event: FollowedEvent) -> None:
        relevant = self._merge.needs_jobs or kind_of(event) == WORKFLOWS
        if not relevant or not self._merge.is_new(event):
            return
        siblings = await poller.sibling_jobs(event) if self._merge.needs_jobs else []
        self._merge.delivered(event, siblings)

    async def _is_time_to_poll(self) -> bool:
        """Wait for a delivery or the next poll. False for a delivery."""
        subscription = self._subscription
        if self._every is None:
            assert subscription is not None
            await subscription.filled()
            return False
        if subscription is None:
            await self._clock.sleep(max(0.0, self._polled + self._every - self._clock.monotonic()))
            return True
        if subscription.lost > self._lost:
            self._lost = subscription.lost
            return True
        left = next_poll(self._polled, self._delivered, self._every) - self._clock.monotonic()
        return left <= 0 or not await _filled_within(subscription, left, self._clock)


async def _filled_within(subscription: Subscription, seconds: float, clock: Clock) -> bool:
    """Whether an event arrives within a number of seconds."""
    from anyio import create_task_group

    filled = False

    async with create_task_group() as tasks:

        async def watch() -> None:
            nonlocal filled
            await subscription.filled()
            filled = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        await clock.sleep(seconds)
        tasks.cancel_scope.cancel()
    return filled
