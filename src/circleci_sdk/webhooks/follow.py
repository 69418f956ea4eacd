"""One stream of events out of webhook deliveries and polling."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.errors import InvalidArgumentError, NotFoundError, RateLimitError, ServerError, TransportError
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import public

from .events import branch_of
from .merging import JOBS, WORKFLOWS, Merge, next_poll

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import Pipeline, WebhookEvent, Workflow, WorkflowJob

    from .merging import Followed
    from .polling import Teller
    from .router import Router
    from .subscription import Subscription

logger: Final = logging.getLogger("circleci_sdk")

BOTH: Final[Sequence[WebhookEvent]] = (WORKFLOWS, JOBS)
NEWEST: Final = 20
"""Pipelines that are always looked at; one page of the list."""
_KNOWN: Final = 1000
_WATCHED: Final = 200
_LOOKS: Final = 5
_AGAIN: Final = 5.0
"""Seconds after which a look that failed for the moment is tried again."""


def follow(
    circleci: AsyncCircleCI,
    project_slug: str | ProjectSlug,
    *,
    webhooks: Router | None = None,
    poll: float | None = 60.0,
    events: Sequence[WebhookEvent] = BOTH,
    branch: str | None = None,
) -> Follow:
    """All that ends in a project from now on: deliveries as they come, and polling when they stop.

        async for event in follow(circleci, "gh/acme/web", webhooks=router):
            match event:
                case WorkflowCompleted():
                    print(event.workflow.name, event.workflow.status)
                case JobCompleted():
                    print(event.job.name, event.job.status)

    Following begins with the loop; deliveries count from this call on. Each event comes once, told by whichever was
    first. In a workflow jobs come in the order in which they stopped, and the workflow itself comes last. A workflow
    that was over when following began is left out; of one that ran, all jobs are told.

    Polled events are put together from API v2 and look like deliveries. Their `webhook` is called `poll`, jobs that
    timed out are `failed`, and of a commit only the message is known. Polling looks at the newest 20 pipelines and at
    all that it saw running: a rerun in an older pipeline is told by its deliveries only.

    With `job-completed` each delivery is followed by one call, which lists the jobs of its workflow, to keep order.
    What fails for the moment (no connection, 429, 5xx) is tried again; deliveries wait so long. Everything else is
    raised, and the loop may be taken up again after it.

    Args:
        circleci: the client.
        project_slug: the project.
        webhooks: the router that the deliveries go to; they reach its handlers all the same. None only polls.
        poll: seconds without a delivery after which the API is asked, and then every so often. After ten times as
            long it is asked in any case, since a single delivery may get lost. None never polls.
        events: which events are wanted.
        branch: only events of this branch.

    Raises:
        InvalidArgumentError: neither deliveries nor polling, or `poll` or `events` make no sense.
    """
    if webhooks is None and poll is None:
        raise InvalidArgumentError("follow: with neither webhooks nor poll there is nothing to follow.")
    if poll is not None and not poll > 0:
        raise InvalidArgumentError(f"poll: it is a number of seconds above 0, not {poll!r}.")
    wanted = frozenset(map(str, events))
    if not wanted or not wanted <= {JOBS, WORKFLOWS}:
        raise InvalidArgumentError(f"events: only {WORKFLOWS} and {JOBS} can be followed, not {events!r}.")
    return Follow(circleci, str(project_slug), webhooks.subscribe() if webhooks else None, poll, wanted, branch)


@public("circleci_sdk.webhooks")
class Follow:
    """The events of one project, one by one. Made by `follow`; there is nothing to close."""

    def __init__(
        self,
        circleci: AsyncCircleCI,
        slug: str,
        subscribe: Subscription | None,
        poll: float | None,
        wanted: frozenset[str],
        branch: str | None,
    ) -> None:
        self._circleci = circleci
        self._clock: Clock = circleci._session.clock  # pyright: ignore[reportPrivateUsage]  # one package, one clock
        self._slug = slug
        self._tap = subscribe
        self._every = poll
        self._branch = branch
        self._merge = Merge(wanted)
        self._waiting: deque[Followed] = deque()
        self._teller: Teller | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._begun = poll is None
        self._polled = 0.0
        self._delivered: float | None = None
        self._lost = 0

    def __repr__(self) -> str:
        return f"<Follow of {self._slug}>"

    def __aiter__(self) -> Follow:
        return self

    async def __anext__(self) -> Followed:
        while not self._merge.ready:
            try:
                await self._step()
            except (TransportError, ServerError, RateLimitError) as error:
                asked = error.retry_after if isinstance(error, RateLimitError) else None
                pause = max(_AGAIN, asked or 0.0)
                logger.info("webhooks: following %s goes on in %g s: %s", self._slug, pause, error)
                await self._clock.sleep(pause)
        return self._merge.ready.popleft()

    async def _step(self) -> None:
        """One delivery or one poll, or the wait for either. What it was about is forgotten only when it is done."""
        teller = self._teller
        if teller is None:
            teller = self._teller = await self._introduce()
        if not self._begun:
            await self._poll(teller, first=True)
            self._begun = True
        elif event := self._next_delivery(teller):
            await self._deliver(teller, event)
            self._waiting.popleft()
        elif await self._is_time_to_poll():
            await self._poll(teller, first=False)

    async def _introduce(self) -> Teller:
        from .polling import Teller

        origin = self._circleci.base_url
        app = "https://app.circleci.com" if origin == "https://circleci.com" else origin
        return Teller(await self._circleci.v2.projects.get(self._slug), app)

    def _next_delivery(self, teller: Teller) -> Followed | None:
        from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

        while not self._waiting and self._tap and (event := self._tap.take()):
            if not isinstance(event, JobCompleted | WorkflowCompleted) or event.project.id != teller.project_id:
                continue
            self._delivered = self._clock.monotonic()
            if self._branch is None or branch_of(event) == self._branch:
                self._waiting.append(event)
        return self._waiting[0] if self._waiting else None

    async def _deliver(self, teller: Teller, event: Followed) -> None:
        wanted = self._merge.needs_jobs or event.type == WORKFLOWS
        if not wanted or not self._merge.is_news(event):
            return
        beside: list[WorkflowJob] = []
        if self._merge.needs_jobs and event.workflow is not None:
            beside = await self._jobs(event.workflow.id)
        self._merge.delivered(event, teller.jobs_beside(event, beside))

    async def _is_time_to_poll(self) -> bool:
        """Waits for a delivery or the next poll; False for a delivery."""
        subscribe = self._tap
        if self._every is None:
            assert subscribe is not None
            await subscribe.filled()
            return False
        if subscribe is None:
            await self._clock.sleep(max(0.0, self._polled + self._every - self._clock.monotonic()))
            return True
        if subscribe.lost > self._lost:
            self._lost = subscribe.lost
            return True
        left = next_poll(self._polled, self._delivered, self._every) - self._clock.monotonic()
        return left <= 0 or not await _filled_within(subscribe, left, self._clock)

    async def _poll(self, teller: Teller, *, first: bool) -> None:
        newest = await self._newest(first=first)
        older = [item.pipeline for key, item in self._open.items() if key not in newest]
        for pipeline in (*older, *reversed(newest.values())):
            await self._look(teller, pipeline, first=first)
        for key in reversed(newest):
            self._known.pop(key, None)
            self._known[key] = None
        _shorten(self._known, _KNOWN)
        self._polled = self._clock.monotonic()

    async def _newest(self, *, first: bool) -> dict[str, Pipeline]:
        """The newest pipelines, newest first: all that are new since the last poll, and some more."""
        found: dict[str, Pipeline] = {}
        listed = self._circleci.v2.pipelines.list_for_project(
            self._slug, branch=UNSET if self._branch is None else self._branch
        )
        async for page in listed.pages():
            found |= {pipeline.id: pipeline for pipeline in page}
            if len(found) >= NEWEST and (first or any(pipeline.id in self._known for pipeline in page)):
                break
        return found

    async def _look(self, teller: Teller, pipeline: Pipeline, *, first: bool) -> None:
        from .polling import is_over

        workflows = await self._workflows(pipeline.id)
        for workflow in workflows:
            over = is_over(workflow)
            if over and first:
                self._merge.silence(workflow.id)
            if self._merge.is_over(workflow.id):
                continue
            jobs = await self._jobs(workflow.id) if self._merge.needs_jobs else []
            end = teller.workflow(pipeline, workflow) if over else None
            self._merge.polled(teller.jobs(pipeline, workflow, jobs), end)
        self._watch(pipeline, workflows)

    def _watch(self, pipeline: Pipeline, workflows: Sequence[Workflow]) -> None:
        """Remember a pipeline that has more to say, when newer ones have pushed it out of sight."""
        before = self._open.pop(pipeline.id, None)
        looks = before.looks + 1 if before else 1
        runs = any(workflow.stopped_at is None for workflow in workflows)
        # A pipeline without workflows may still get some; one that was filtered out never will.
        if runs or (not workflows and looks < _LOOKS):
            self._open[pipeline.id] = _Open(pipeline, looks)
            _shorten(self._open, _WATCHED)

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
    """A pipeline that has more to say, and how often it was looked at."""

    pipeline: Pipeline
    looks: int


def _shorten(known: OrderedDict[str, Any], size: int) -> None:
    while len(known) > size:
        known.popitem(last=False)


async def _filled_within(subscribe: Subscription, seconds: float, clock: Clock) -> bool:
    """Whether an event comes in so many seconds."""
    from anyio import create_task_group

    came = False

    async with create_task_group() as tasks:

        async def watch() -> None:
            nonlocal came
            await subscribe.filled()
            came = True
            tasks.cancel_scope.cancel()

        tasks.start_soon(watch)
        await clock.sleep(seconds)
        tasks.cancel_scope.cancel()
    return came
