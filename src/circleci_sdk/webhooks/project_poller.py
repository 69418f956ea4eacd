"""Polls a project: reads its pipelines, workflows and jobs, and adds the events of ended ones to a `Merge`."""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.errors import (
    AuthenticationError,
    CircleCIError,
    DecodeError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    StatusError,
)
from circleci_sdk.helpers._shared.retrying import is_transient, may_pass

from .merging import workflow_id_of
from .polled_events import has_ended, has_gap, has_id, is_running

if TYPE_CHECKING:
    from circleci_sdk._core.unset import Unset
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import JobCompleted, Pipeline, Workflow, WorkflowJob

    from .merging import Merge
    from .polled_events import EventBuilder
    from .types import FollowedEvent

logger: Final = logging.getLogger("circleci_sdk")

NEWEST: Final = 20
"""Number of pipelines that each poll reads; one page of the list."""
_MAX_KNOWN: Final = 1000
"""Number of ids in each record of the poller (known pipelines, gaps, refused ids), which bounds its memory."""
_MAX_OPEN: Final = 200
"""Number of pipelines polled in addition to the newest ones, which bounds the calls of a poll."""
_MAX_EMPTY_POLLS: Final = 5
"""Polls that wait for the first workflow of a pipeline, or for the ids of the jobs of an ended workflow."""
UNUSABLE: Final = (DecodeError, PaginationError)
"""Errors about a response that came and cannot be used: the API is reachable, so other lists may be readable."""
_OF_ONE: Final = (*UNUSABLE, InvalidArgumentError, StatusError)
"""Errors that are about one list only, unless transient or of `_OF_ALL`.

The response of the list cannot be used, or its id is refused: by the client before the request, or by the API.
"""
_OF_ALL: Final = (AuthenticationError, PermissionDeniedError)
"""Status errors about the token and its access to the project, with which every other list fails too."""


class ProjectPoller:
    """Polls one project. It remembers the pipelines that were read, and those that may have further events.

    `builder` builds the events, `merge` receives them. An error about one list only delays no other list: it is logged,
    or added to `errors`, from which `Follow` raises it. All other errors are raised here.
    """

    def __init__(
        self, circleci: AsyncCircleCI, slug: str, branch: str | Unset, builder: EventBuilder, merge: Merge
    ) -> None:
        self._circleci = circleci
        self._slug = slug
        self._branch = branch
        self._builder = builder
        self._merge = merge
        self._known: OrderedDict[str, None] = OrderedDict()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._gaps: OrderedDict[str, int] = OrderedDict()
        self._refused: OrderedDict[str, None] = OrderedDict()
        self.errors: deque[CircleCIError] = deque()

    def is_of_project(self, event: FollowedEvent) -> bool:
        """Whether a delivery is one of this project."""
        return self._builder.is_of_project(event)

    async def poll(self, *, first: bool) -> None:
        """Read the newest pipelines and the open ones. The first poll ignores the workflows that have ended."""
        newest = await self._newest(first=first)
        older = [item.pipeline for key, item in self._open.items() if key not in newest]
        for pipeline in (*older, *reversed(newest.values())):
            await self._poll_pipeline(pipeline, first=first)
        for key in reversed(newest):
            self._known.pop(key, None)
            self._known[key] = None
        _trim(self._known, _MAX_KNOWN)

    async def sibling_jobs(self, event: FollowedEvent) -> list[JobCompleted]:
        """The events of the ended jobs of the workflow of a delivery.

        Empty if the id of the workflow is unavailable or refused. An unusable response raises: the list is read again
        before the delivery is processed.
        """
        workflow_id = workflow_id_of(event)
        if workflow_id is None:
            return []
        try:
            jobs = await self._jobs(workflow_id)
        except CircleCIError as error:
            if may_pass(error) or not self._is_set_aside(error, workflow_id):
                raise
            return []
        return self._builder.sibling_jobs(event, jobs)

    async def _newest(self, *, first: bool) -> dict[str, Pipeline]:
        """The newest pipelines, newest first: all since the last poll, and at least `NEWEST`."""
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
        except UNUSABLE as error:
            if not reaches or not may_pass(error):
                raise
            self._warn(error)
        return found

    async def _poll_pipeline(self, pipeline: Pipeline, *, first: bool) -> None:
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
        unread = not await self._poll_workflows(pipeline, workflows, first=first)
        self._keep_open(pipeline, workflows, unread=unread, first=False)

    async def _poll_workflows(self, pipeline: Pipeline, workflows: Sequence[Workflow], *, first: bool) -> bool:
        """Poll the workflows of a pipeline. False if the jobs of one are to be read again."""
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
            end = self._builder.workflow(pipeline, workflow) if ended else None
            self._merge.polled(self._builder.jobs(pipeline, workflow, jobs), end)
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
            self.errors.append(error)
        return True

    def _warn(self, error: Exception) -> None:
        logger.warning("webhooks: following %s reads a list again at the next poll: %s", self._slug, error)

    def _keep_open(self, pipeline: Pipeline, workflows: Sequence[Workflow], *, unread: bool, first: bool) -> None:
        """Keep a pipeline that may have further events, also when it is no longer among the newest."""
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
