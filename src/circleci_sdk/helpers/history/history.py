"""History: what ran in a project, as flat records, newest first.

records = circleci.history.records("gh/acme/web", since=last_week, include={"workflows", "jobs"})
async for record in records:
store(record.kind, record.as_dict())
print(records.skipped, records.cursor)
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar

import anyio

from circleci_sdk._core.errors import (
    BadRequestError,
    CallError,
    CallFacts,
    InvalidArgumentError,
    NotFoundError,
    RequestTimeoutError,
)
from circleci_sdk._core.options import is_count
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.v2._client import V2

from .records import HistoryRecord, job_record, pipeline_record, test_record, workflow_record

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager, Page
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import JobTest, Pipeline, Workflow, WorkflowJob

T = TypeVar("T")
Include: TypeAlias = Literal["workflows", "jobs", "tests"]
_KINDS: Final = ("workflows", "jobs", "tests")
RECENT: Final = 1000
"""Pipelines that are remembered, to tell those that come again when pages move on."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to go on: the page that is being read, and the number of the last pipeline that was handed out whole."""

    page: str | None = None
    below: int | None = None

    def __str__(self) -> str:
        return json.dumps({"page": self.page, "below": self.below})

    @classmethod
    def parse(cls, text: str) -> _Place:
        try:
            data = json.loads(text)
            page, below = data["page"], data["below"]
        except (ValueError, TypeError, KeyError):
            raise InvalidArgumentError("cursor: this is no cursor of a history.") from None
        if not isinstance(page, str | None) or not isinstance(below, int | None):
            raise InvalidArgumentError("cursor: this is no cursor of a history.")
        return cls(page, below)


@dataclass(frozen=True, slots=True)
class _Batch:
    """The records of one pipeline, and where to go on once all of them are handed out."""

    records: deque[HistoryRecord]
    after: _Place


@public("circleci_sdk.helpers")
class Records(AsyncIterator[HistoryRecord]):
    """A history as it is read. Made by `circleci.history.records`.

    After an error the loop can be entered again, and goes on where it was. In memory are one page of pipelines and the
    records of at most `concurrency` pipelines. Leaving the loop early sends nothing more and leaves nothing behind.
    """

    def __init__(
        self,
        caller: Caller,
        project_slug: str | ProjectSlug,
        *,
        since: datetime | None,
        branch: str | Unset,
        include: frozenset[str],
        concurrency: int,
        cursor: str | None,
        timeout: float | None,
    ) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._timeout = timeout
        self._deadline: float | None = None
        self._slug = project_slug
        self._since = since
        self._branch = branch
        self._include = include
        self._concurrency = concurrency
        self._place = _Place() if cursor is None else _Place.parse(cursor)
        self._resumed_at = self._reading = self._next = self._place.page
        self._has_more = True
        self._page: deque[Pipeline] = deque()
        self._batches: deque[_Batch] = deque()
        self._below = self._place.below
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._expired: dict[str, int] = {}

    @property
    def cursor(self) -> str:
        """Where to go on later: everything up to the last pipeline that was handed out whole is behind it.

        Store it after the records. What was handed out of a pipeline that was not complete comes again.
        """
        return str(self._place)

    @property
    def expired(self) -> dict[str, int]:
        """How many lists the API no longer had (404), by what was in them: `workflows`, `jobs`, `tests`."""
        return dict(self._expired)

    @property
    def skipped(self) -> int:
        """How many parents had expired, so that what was below them is missing."""
        return sum(self._expired.values())

    def __aiter__(self) -> Records:
        return self

    async def __anext__(self) -> HistoryRecord:
        try:
            await self._fill()
        except CallError as error:
            error.next = self.cursor
            raise
        batch = self._batches[0]
        record = batch.records.popleft()
        if not batch.records:
            self._batches.popleft()
            self._place = batch.after
        return record

    async def _fill(self) -> None:
        """Have at least one batch, within the time that is left."""
        if self._batches:
            return
        left = self._left()
        if left > 0:
            with anyio.move_on_after(None if left == inf else left):
                while not self._batches:
                    await self._read_on()
                return
        self._deadline = None  # whoever enters the loop again has its time again
        facts = CallFacts("history", "GET", "", retry_stop_reason="deadline")
        raise RequestTimeoutError(f"history: the time ran out ({self._timeout:g} s). Go on from `next`.", facts=facts)

    def _left(self) -> float:
        if self._timeout is None:
            return inf
        now = self._caller.clock.monotonic()
        if self._deadline is None:
            self._deadline = now + self._timeout
        return self._deadline - now

    async def _read_on(self) -> None:
        """Fill up with the records of some more pipelines, all of them read at once."""
        while not self._page:
            if not self._has_more:
                raise StopAsyncIteration
            await self._read_page(self._next)
        taken = list(self._page)[: self._concurrency]
        work = _Work(self._caller, self._include, self._concurrency)
        found = await work.read(taken)
        for kind, count in work.expired.items():
            self._expired[kind] = self._expired.get(kind, 0) + count
        for pipeline, records in zip(taken, found, strict=True):
            self._page.popleft()
            self._batches.append(_Batch(deque(records), _Place(self._reading, pipeline.number)))

    async def _read_page(self, token: str | None) -> None:
        page = await self._page_at(token)
        # Pages move on while pipelines are started, and then begin with what was read before.
        new = [one for one in page if one.id not in self._recent and (self._below is None or one.number < self._below)]
        wanted = [one for one in new if self._since is None or one.created_at >= self._since]
        self._recent.extend(one.id for one in new)
        self._page.extend(wanted)
        self._has_more = page.next is not None and len(wanted) == len(new)
        self._next = None if page.next is None else str(page.next)

    async def _page_at(self, token: str | None) -> Page[Pipeline]:
        def read(start: str | None) -> AsyncPager[Pipeline]:
            return self._v2.pipelines.list_for_project(
                self._slug, branch=self._branch, page_token=UNSET if start is None else start
            )

        try:
            page = await retry_reads(self._caller, lambda: read(token))
        except (BadRequestError, NotFoundError):
            if token is None or token != self._resumed_at:
                raise
            # The page of an old cursor is gone. Its pipeline is still found, from the beginning on.
            token = None
            page = await retry_reads(self._caller, lambda: read(None))
        self._reading = token
        return page


@public("circleci_sdk.helpers")
class History:
    """What ran in a project. Reached as `circleci.history`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._v2 = V2(caller)

    def __repr__(self) -> str:
        return "<History>"

    def records(
        self,
        project_slug: str | ProjectSlug,
        *,
        since: datetime | None = None,
        branch: str | Unset = UNSET,
        include: Collection[Include] = frozenset({"workflows", "jobs"}),
        concurrency: int = 8,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> Records:
        """The pipelines of a project and what is in them, as flat records: `async for record in ...`.

        Pipelines come newest first, each followed by its workflows, newest first; each workflow by its jobs, each job
        by its tests. What has expired (404) is skipped and counted.

        Args:
            project_slug: the project.
            since: leave out pipelines that were made before; a datetime with a time zone. Default: all there are. A
                rerun makes no new pipeline: to see late reruns, go back a few days further than last time and replace
                records with the same id.
            branch: only this branch. Default: all.
            include: what to yield besides pipelines: `"workflows"`, `"jobs"`, `"tests"`.
            concurrency: calls under way at once. They share the client's rate limit.
            cursor: where to go on, as `Records.cursor` told.
            timeout: seconds for the whole loop from its first record on, your own work in it included. Default: no
                limit but that of the client for each call.

        Raises:
            InvalidArgumentError: at once, for arguments that make no sense.
            RequestTimeoutError: from the loop; the time ran out. The loop can be entered again.
            NotFoundError: from the loop; the project is missing, or hidden from this token.

        One call for each page of pipelines; then, as far as it is included, one for the workflows of each pipeline, one
        for the jobs of each workflow, one for the tests of each job; further pages of them cost one each. Failures that
        pass are waited out; each call has the client's timeout. Errors carry the cursor as `next`.
        """
        if since is not None and not _is_aware(since):
            raise InvalidArgumentError(f"records: since is a datetime with a time zone, not {since!r}.")
        if not is_count(concurrency, least=1):
            raise InvalidArgumentError(f"records: concurrency is a whole number from 1 up, not {concurrency!r}.")
        if isinstance(include, str) or not all(kind in _KINDS for kind in include):
            raise InvalidArgumentError(f"records: include holds some of {', '.join(_KINDS)}; it is {include!r}.")
        return Records(
            self._caller,
            project_slug,
            since=since,
            branch=branch,
            include=frozenset(include),
            concurrency=concurrency,
            cursor=cursor,
            timeout=timeout,
        )


def _is_aware(value: object) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


class _Work:
    """Reads what is in some pipelines, level by level, so that the bound on calls holds over all of them."""

    def __init__(self, caller: Caller, include: frozenset[str], concurrency: int) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._include = include
        self._concurrency = concurrency
        self.expired: dict[str, int] = {}

    async def read(self, pipelines: list[Pipeline]) -> list[list[HistoryRecord]]:
        """The records of each pipeline, in order."""
        workflows: list[list[Workflow]] = [[] for _ in pipelines]
        jobs: dict[str, list[WorkflowJob]] = {}
        tests: dict[str, list[JobTest]] = {}
        limit = self._concurrency
        if self._include:
            workflows = await map_concurrently(self._workflows, pipelines, limit=limit)
        if self._include & {"jobs", "tests"}:
            known = [one for there in workflows for one in there]
            found = await map_concurrently(self._jobs, known, limit=limit)
            jobs = {workflow.id: there for workflow, there in zip(known, found, strict=True)}
        if "tests" in self._include:
            ran = list({job.id: job for there in jobs.values() for job in there if job.job_number is not None}.values())
            read = await map_concurrently(self._tests, ran, limit=limit)
            tests = {job.id: there for job, there in zip(ran, read, strict=True)}
        return [
            list(self._records(pipeline, there, jobs, tests))
            for pipeline, there in zip(pipelines, workflows, strict=True)
        ]

    async def _workflows(self, pipeline: Pipeline) -> list[Workflow]:
        found = await self._unless_expired("workflows", self._v2.pipelines.list_workflows(pipeline.id))
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    async def _jobs(self, workflow: Workflow) -> list[WorkflowJob]:
        return await self._unless_expired("jobs", self._v2.workflows.list_jobs(workflow.id))

    async def _tests(self, job: WorkflowJob) -> list[JobTest]:
        assert job.job_number is not None
        return await self._unless_expired("tests", self._v2.jobs.list_tests(job.project_slug, job.job_number))

    async def _unless_expired(self, kind: str, pager: AsyncPager[T]) -> list[T]:
        try:
            return await retry_reads(self._caller, pager.collect)
        except NotFoundError:
            self.expired[kind] = self.expired.get(kind, 0) + 1
            return []

    def _records(
        self,
        pipeline: Pipeline,
        workflows: list[Workflow],
        jobs: dict[str, list[WorkflowJob]],
        tests: dict[str, list[JobTest]],
    ) -> Iterable[HistoryRecord]:
        yield pipeline_record(pipeline)
        for workflow in workflows:
            if "workflows" in self._include:
                yield workflow_record(pipeline, workflow)
            for job in jobs.get(workflow.id, ()):
                if "jobs" in self._include:
                    yield job_record(pipeline, workflow, job)
                for position, test in enumerate(tests.get(job.id, ())):
                    yield test_record(pipeline, workflow, job, position, test)
