"""Polls a project: reads its pipelines, workflows and jobs, and adds the events of ended ones to a `Merge`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from circleci_sdk._core.errors import CircleCIError, ClientClosedError, RateLimitError
from circleci_sdk._core.logs import logger

from .merging import workflow_id_of
from .polled_events import gap_of, has_ended, has_id, is_running, no_id

if TYPE_CHECKING:
    from circleci_sdk._core.unset import Unset
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import JobCompleted, Pipeline, Workflow, WorkflowJob

    from .merging import Merge
    from .polled_events import EventBuilder
    from .types import FollowedEvent
    from .unread import Unread

T = TypeVar("T")

NEWEST: Final = 20
"""Number of pipelines that each poll reads; one page of the list."""
PIPELINES: Final = "v2.pipelines.list_for_project"
WORKFLOWS_OF: Final = "v2.pipelines.list_workflows"
WORKFLOW: Final = "v2.workflows.get"
JOBS_OF: Final = "v2.workflows.list_jobs"
_MAX_KNOWN: Final = 1000
"""Number of known pipelines, which bounds the memory."""
_MAX_OPEN: Final = 200
"""Number of pipelines polled in addition to the newest ones, which bounds the calls of a poll."""
_MAX_EMPTY_POLLS: Final = 5
"""Polls that wait for the first workflow of a pipeline."""
_OF_ALL: Final = (ClientClosedError, RateLimitError)
"""Errors that concern all items. A refused token shows at the list of pipelines."""


class ProjectPoller:
    """Polls one project. It remembers the pipelines that were read, and those that may have further events.

    `builder` builds the events, `merge` receives them, `unread` is told of what cannot be read, which delays nothing
    else. Errors that concern the whole are raised.
    """

    def __init__(
        self,
        circleci: AsyncCircleCI,
        slug: str,
        branch: str | Unset,
        builder: EventBuilder,
        merge: Merge,
        unread: Unread,
        now: Callable[[], float],
    ) -> None:
        self._circleci = circleci
        self._once = circleci.with_options(max_retries=0)
        self._slug = slug
        self._branch = branch
        self._builder = builder
        self._merge = merge
        self._unread = unread
        self._now = now
        self._known: OrderedDict[str, None] = OrderedDict()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._late: OrderedDict[str, FollowedEvent] = OrderedDict()

    def is_of_project(self, event: FollowedEvent) -> bool:
        """Whether a delivery is one of this project."""
        return self._builder.is_of_project(event)

    async def poll(self, *, first: bool) -> None:
        """Read the newest pipelines and the open ones. The first poll ignores the workflows that have ended."""
        newest, reaches = await self._newest(first=first)
        older = [item.pipeline for key, item in self._open.items() if key not in newest]
        for pipeline in (*older, *reversed(newest.values())):
            await self._poll_pipeline(pipeline, first=first)
        for workflow_id, event in list(self._late.items()):
            await self._poll_late(workflow_id, event)
        if reaches:
            for key in reversed(newest):
                self._known.pop(key, None)
                self._known[key] = None
            _trim(self._known, _MAX_KNOWN)

    async def sibling_jobs(self, event: FollowedEvent, *, once: bool) -> list[JobCompleted]:
        """The events of the ended jobs of the workflow of a delivery. Empty if the id of the workflow is unavailable.

        With `once` a failed call is not repeated.
        """
        workflow_id = workflow_id_of(event)
        if workflow_id is None:
            return []
        jobs = await _jobs(self._once if once else self._circleci, workflow_id)
        self._late.pop(workflow_id, None)
        self._unread.succeeded(JOBS_OF, workflow_id)
        return self._builder.sibling_jobs(event, jobs)

    def pass_over_siblings(self, event: FollowedEvent, error: CircleCIError) -> None:
        """Name the jobs of the workflow of a delivery. Polls ask for them again."""
        workflow_id = workflow_id_of(event)
        if workflow_id is not None:
            self._unread.give_up(JOBS_OF, workflow_id, error, self._now())
            self._read_later(workflow_id, event)

    async def _newest(self, *, first: bool) -> tuple[dict[str, Pipeline], bool]:
        """The newest pipelines, newest first: all since the last poll, and at least `NEWEST`; and whether it is all.

        A page that cannot be read after the first one is asked for again by the next poll, until it is given up.
        """
        found: dict[str, Pipeline] = {}
        gap: CircleCIError | None = None
        reaches = False
        listed = self._circleci.v2.pipelines.list_for_project(self._slug, branch=self._branch)
        try:
            async for page in listed.pages():
                known = {pipeline.id: pipeline for pipeline in page if has_id(pipeline)}
                gap = gap or next(filter(None, map(no_id, page)), None)
                found |= known
                reaches = first or not self._known.keys().isdisjoint(known)
                if len(found) >= NEWEST and reaches:
                    break
        except CircleCIError as error:
            if not found or isinstance(error, _OF_ALL):
                raise
            if not reaches and self._failed(PIPELINES, self._slug, error):
                # Named for good: once the pages before are known, no poll reads this one again.
                where = f"{self._slug}?page-token={getattr(error, 'next', None)}"
                self._unread.give_up(PIPELINES, where, error, self._now())
                self._unread.succeeded(PIPELINES, self._slug)
                reaches = True
            return found, reaches
        if gap is not None:
            # The first look is all: older pipelines are history, also while an id in it cannot be read.
            return found, self._failed(PIPELINES, self._slug, gap) or first
        self._unread.succeeded(PIPELINES, self._slug)
        return found, True

    async def _poll_pipeline(self, pipeline: Pipeline, *, first: bool) -> None:
        """Poll one pipeline. A list that cannot be read is asked for by the next poll, and holds up no other one."""
        before = self._open.get(pipeline.id)
        first = first or (before is not None and before.first)
        workflows = await self._read(
            WORKFLOWS_OF,
            pipeline.id,
            lambda circleci: circleci.v2.pipelines.list_workflows(pipeline.id).collect(),
            lambda found: next(filter(None, map(no_id, found)), None),
        )
        if workflows is None:
            before = before or _Open(pipeline, 0, first)
            self._keep_open(pipeline, _Open(pipeline, before.polls, first, before.running), unread=True)
            return
        workflows = [workflow for workflow in workflows if has_id(workflow)]
        workflows += await self._vanished(before, workflows)
        unread = self._is_asked_again(WORKFLOWS_OF, pipeline.id)
        for workflow in workflows:
            unread |= not await self._poll_workflow(pipeline, workflow, first=first)
        running = {workflow.id: workflow for workflow in workflows if is_running(workflow)}
        polls = before.polls + 1 if before else 1
        # A new pipeline may still get workflows; a filtered one never does.
        unread |= not workflows and polls < _MAX_EMPTY_POLLS
        self._keep_open(pipeline, _Open(pipeline, polls, False, running), unread=unread)

    async def _vanished(self, before: _Open | None, workflows: Sequence[Workflow]) -> list[Workflow]:
        """The workflows that were running at the last poll and are not in the list now, each read alone.

        One that cannot be read is taken to run until it is given up.
        """
        found: list[Workflow] = []
        listed = {workflow.id for workflow in workflows}
        for workflow_id in listed:
            self._unread.succeeded(WORKFLOW, workflow_id)
        for workflow_id, workflow in before.running.items() if before else ():
            if workflow_id in listed:
                continue
            now = await self._read(WORKFLOW, workflow_id, _reader(workflow_id), no_id)
            if now is not None and has_id(now):
                found.append(now)
            elif not self._unread.is_given_up(WORKFLOW, workflow_id):
                found.append(workflow)
        return found

    async def _poll_workflow(self, pipeline: Pipeline, workflow: Workflow, *, first: bool) -> bool:
        """Poll a workflow. False if its jobs are asked for again, although it has ended."""
        ended = has_ended(workflow)
        if ended and first:
            self._merge.ignore(workflow.id)
        if self._merge.is_done(workflow.id):
            return True
        jobs = await self._read_jobs(workflow.id) if self._merge.needs_jobs else None
        waits = ended and self._is_asked_again(JOBS_OF, workflow.id)
        end = self._builder.workflow(pipeline, workflow) if ended and not waits else None
        self._merge.polled(self._builder.jobs(pipeline, workflow, jobs or []), end)
        if end is not None and self._unread.is_failing(JOBS_OF, workflow.id):
            self._read_later(workflow.id, end)
        return not waits

    async def _poll_late(self, workflow_id: str, event: FollowedEvent) -> None:
        """Read the jobs of a workflow whose event came out without them."""
        if not self._unread.is_due(JOBS_OF, workflow_id, self._now(), finished=True):
            return
        jobs = await self._read_jobs(workflow_id)
        self._merge.polled(self._builder.sibling_jobs(event, jobs or []), None)
        if not self._unread.is_failing(JOBS_OF, workflow_id):
            del self._late[workflow_id]

    def _read_later(self, workflow_id: str, event: FollowedEvent) -> None:
        self._late[workflow_id] = event
        _trim(self._late, _MAX_OPEN)

    def _keep_open(self, pipeline: Pipeline, item: _Open, *, unread: bool) -> None:
        """Keep a pipeline that may have further events, also when it is no longer among the newest."""
        self._open.pop(pipeline.id, None)
        if unread or item.running:
            self._open[pipeline.id] = item
            _trim(self._open, _MAX_OPEN)

    async def _read_jobs(self, workflow_id: str) -> list[WorkflowJob] | None:
        return await self._read(
            JOBS_OF,
            workflow_id,
            lambda circleci: _jobs(circleci, workflow_id),
            lambda found: next(filter(None, map(gap_of, found)), None),
        )

    async def _read(
        self,
        operation: str,
        item: str,
        read: Callable[[AsyncCircleCI], Awaitable[T]],
        find_gap: Callable[[T], CircleCIError | None],
    ) -> T | None:
        """What is read; None if it cannot be read, or is not asked for now since it was given up.

        `find_gap` finds an error in it; the rest of it is used. What failed at the last poll is asked for without
        retries, so that it delays a poll by one call.
        """
        if not self._unread.is_due(operation, item, self._now(), finished=False):
            return None
        try:
            found = await read(self._once if self._unread.is_failing(operation, item) else self._circleci)
        except CircleCIError as error:
            if isinstance(error, _OF_ALL):
                raise
            self._failed(operation, item, error)
            return None
        gap = find_gap(found)
        if gap is None:
            self._unread.succeeded(operation, item)
        else:
            self._failed(operation, item, gap)
        return found

    def _is_asked_again(self, operation: str, item: str) -> bool:
        """Whether something could not be read and was not given up."""
        return self._unread.is_failing(operation, item) and not self._unread.is_given_up(operation, item)

    def _failed(self, operation: str, item: str, error: CircleCIError) -> bool:
        """Note that something could not be read. True if it is given up."""
        known = self._unread.is_given_up(operation, item)
        given_up = self._unread.failed(operation, item, error, self._now())
        if given_up and not known:
            logger.warning("webhooks: following %s passes over %s %s: %s", self._slug, operation, item, error)
        elif not given_up:
            logger.info("webhooks: following %s reads %s %s at the next poll: %s", self._slug, operation, item, error)
        return given_up


@dataclass(frozen=True, slots=True)
class _Open:
    """A pipeline that may have further events, and the number of its polls.

    `first` is True until its workflows are read, so that those that have ended by then are ignored. `running` are the
    workflows that had not stopped, by id.
    """

    pipeline: Pipeline
    polls: int
    first: bool
    running: dict[str, Workflow] = field(default_factory=dict[str, "Workflow"])


async def _jobs(circleci: AsyncCircleCI, workflow_id: str) -> list[WorkflowJob]:
    return await circleci.v2.workflows.list_jobs(workflow_id).collect()


def _reader(workflow_id: str) -> Callable[[AsyncCircleCI], Awaitable[Workflow]]:
    return lambda circleci: circleci.v2.workflows.get(workflow_id)


def _trim(known: OrderedDict[str, Any], size: int) -> None:
    while len(known) > size:
        known.popitem(last=False)
