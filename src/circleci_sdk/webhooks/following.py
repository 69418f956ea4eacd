"""Follows the events of a project by webhook deliveries and by polling."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from circleci_sdk._core.errors import (
    AuthenticationError,
    CircleCIError,
    DecodeError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    StatusError,
)
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.retrying import is_transient, may_pass

from .event_fields import branch_of
from .merging import JOBS, WORKFLOWS, Merge, kind_of, next_poll, workflow_id_of

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import Pipeline, WebhookEvent, Workflow, WorkflowJob

    from .polling import EventBuilder
    from .router import Router
    from .subscription import Subscription
    from .types import FollowedEvent

logger: Final = logging.getLogger("circleci_sdk")

BOTH: Final[Sequence[WebhookEvent]] = (WORKFLOWS, JOBS)
NEWEST: Final = 20
"""Number of pipelines that each poll reads; one page of the list."""
_MAX_KNOWN: Final = 1000
_MAX_OPEN: Final = 200
_MAX_EMPTY_POLLS: Final = 5
"""Polls that wait for the first workflow of a pipeline, or for the ids of the jobs of an ended workflow."""
_UNUSABLE: Final = (DecodeError, PaginationError)
_OF_ONE: Final = (*_UNUSABLE, InvalidArgumentError, StatusError)
_OF_ALL: Final = (AuthenticationError, PermissionDeniedError)
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
        self._builder: EventBuilder | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._refused: OrderedDict[str, None] = OrderedDict()
        self._errors: deque[CircleCIError] = deque()
        self._gaps: OrderedDict[str, int] = OrderedDict()
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
            if self._errors:
                raise self._errors.popleft()
            try:
                await self._step()
            except CircleCIError as error:
                if not may_pass(error):
                    raise
                asked = error.retry_after if isinstance(error, RateLimitError) else None
                pause = max(_RETRY_DELAY, asked or 0.0)
                level = logging.WARNING if isinstance(error, _UNUSABLE) else logging.INFO
                logger.log(level, "webhooks: following %s continues in %g s: %s", self._slug, pause, error)
                await self._clock.sleep(pause)
        return self._merge.ready.popleft()

    async def _step(self) -> None:
        """Process one delivery or one poll, or wait for either. A delivery is removed only after it is processed."""
        builder = self._builder
        if builder is None:
            builder = self._builder = await self._new_builder()
        if not self._started:
            await self._poll(builder, first=True)
            self._started = True
        elif event := self._next_delivery(builder):
            await self._deliver(builder, event)
            self._waiting.popleft()
        elif await self._is_time_to_poll():
            await self._poll(builder, first=False)

    async def _new_builder(self) -> EventBuilder:
        from circleci_sdk._core.serialization.slugs import app_origin

        from .polling import EventBuilder

        project = await self._circleci.v2.projects.get(self._slug)
        return EventBuilder(project, app_origin(self._circleci.base_url))

    def _next_delivery(self, builder: EventBuilder) -> FollowedEvent | None:
        from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

        while not self._waiting and self._subscription and (event := self._subscription.take()):
            if not isinstance(event, JobCompleted | WorkflowCompleted) or not builder.is_of_project(event):
                continue
            self._delivered = self._clock.monotonic()
            if self._branch is UNSET or branch_of(event) == self._branch:
                self._waiting.append(event)
        return self._waiting[0] if self._waiting else None

    async def _deliver(self, builder: EventBuilder, event: FollowedEvent) -> None:
        relevant = self._merge.needs_jobs or kind_of(event) == WORKFLOWS
        if not relevant or not self._merge.is_new(event):
            return
        siblings: list[WorkflowJob] = []
        workflow_id = workflow_id_of(event)
        if self._merge.needs_jobs and workflow_id is not None:
            try:
                siblings = await self._jobs(workflow_id)
            except CircleCIError as error:
                if may_pass(error) or not self._is_set_aside(error, workflow_id):
                    raise
        self._merge.delivered(event, builder.sibling_jobs(event, siblings))

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

    async def _poll(self, builder: EventBuilder, *, first: bool) -> None:
        newest = await self._newest(first=first)
        older = [item.pipeline for key, item in self._open.items() if key not in newest]
        for pipeline in (*older, *reversed(newest.values())):
            await self._poll_pipeline(builder, pipeline, first=first)
        for key in reversed(newest):
            self._known.pop(key, None)
            self._known[key] = None
        _trim(self._known, _MAX_KNOWN)
        self._polled = self._clock.monotonic()

    async def _newest(self, *, first: bool) -> dict[str, Pipeline]:
        """The newest pipelines, newest first: all since the last poll, and at least `NEWEST`."""
        from .polling import has_id

        found: dict[str, Pipeline] = {}
        reaches = False
        listed = self._circleci.v2.pipelines.list_for_project(self._slug, branch=self._branch)
        try:
            async for page in listed.pages():
                known = {pipeline.id: pipeline for pipeline in page if has_id(pipeline)}
                found |= known
                reaches = first or not self._known.keys().isdisjoint(known)
                if len(found) >= NEWEST and reaches:
                    break
        except _UNUSABLE as error:
            if not reaches or not may_pass(error):
                raise
            self._warn(error)
        return found

    async def _poll_pipeline(self, builder: EventBuilder, pipeline: Pipeline, *, first: bool) -> None:
        """Poll one pipeline. A list that cannot be used is read again by the next poll, and holds up no other one."""
        before = self._open.get(pipeline.id)
        first = first or (before is not None and before.first)
        try:
            workflows = await self._workflows(pipeline.id)
        except CircleCIError as error:
            if not self._is_set_aside(error, pipeline.id):
                raise
            self._keep_open(pipeline, (), unread=True, first=first)
            return
        unread = not await self._poll_workflows(builder, pipeline, workflows, first=first)
        self._keep_open(pipeline, workflows, unread=unread, first=False)

    async def _poll_workflows(
        self, builder: EventBuilder, pipeline: Pipeline, workflows: Sequence[Workflow], *, first: bool
    ) -> bool:
        """Poll the workflows of a pipeline. False if the jobs of one are to be read again."""
        from .polling import has_ended, has_gap, has_id

        complete = True
        for workflow in workflows:
            if not has_id(workflow):
                continue  # the next poll may have the id
            ended = has_ended(workflow)
            if ended and first:
                self._merge.ignore(workflow.id)
            if self._merge.is_done(workflow.id):
                continue
            try:
                jobs = await self._jobs(workflow.id) if self._merge.needs_jobs else []
            except CircleCIError as error:
                if not self._is_set_aside(error, workflow.id):
                    raise
                complete = False
                continue
            if ended and any(map(has_gap, jobs)) and self._waits_for(workflow.id):
                ended = complete = False
            end = builder.workflow(pipeline, workflow) if ended else None
            self._merge.polled(builder.jobs(pipeline, workflow, jobs), end)
        return complete

    def _waits_for(self, workflow_id: str) -> bool:
        """Whether an ended workflow waits for the next poll to read its jobs."""
        polls = self._gaps.pop(workflow_id, 0) + 1
        if polls == _MAX_EMPTY_POLLS:
            return False
        self._gaps[workflow_id] = polls
        _trim(self._gaps, _MAX_KNOWN)
        return True

    def _is_set_aside(self, error: CircleCIError, identity: str) -> bool:
        """Whether an error is about one list only, that of this id, so that all others can be read.

        It is logged if the list may be usable later, and else raised once, before the next step.
        """
        if isinstance(error, _OF_ALL) or not isinstance(error, _OF_ONE) or is_transient(error):
            return False
        if may_pass(error) or identity in self._refused:
            self._warn(error)
        else:
            self._refused[identity] = None
            _trim(self._refused, _MAX_KNOWN)
            self._errors.append(error)
        return True

    def _warn(self, error: Exception) -> None:
        logger.warning("webhooks: following %s reads a list again at the next poll: %s", self._slug, error)

    def _keep_open(self, pipeline: Pipeline, workflows: Sequence[Workflow], *, unread: bool, first: bool) -> None:
        """Keep a pipeline that may have further events, also when it is no longer among the newest."""
        from .polling import is_running

        before = self._open.pop(pipeline.id, None)
        polls = before.polls + 1 if before else 1
        running = unread or any(is_running(workflow) for workflow in workflows)
        # A new pipeline may still get workflows; a filtered one never does.
        if running or (not workflows and polls < _MAX_EMPTY_POLLS):
            self._open[pipeline.id] = _Open(pipeline, polls, first)
            _trim(self._open, _MAX_OPEN)

    async def _workflows(self, pipeline_id: str) -> list[Workflow]:
        try:
            return await self._circleci.v2.pipelines.list_workflows(pipeline_id).collect()
        except NotFoundError:
            return []

    async def _jobs(self, workflow_id: str) -> list[WorkflowJob]:
        try:
            return await self._circleci.v2.workflows.list_jobs(workflow_id).collect()
        except NotFoundError:
            return []


@dataclass(frozen=True, slots=True)
class _Open:
    """A pipeline that may have further events, and the number of its polls.

    `first` is True until its workflows are read, so that those that have ended by then are ignored.
    """

    pipeline: Pipeline
    polls: int
    first: bool


def _trim(known: OrderedDict[str, Any], size: int) -> None:
    while len(known) > size:
        known.popitem(last=False)


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
