"""Reads the workflows, jobs and tests of pipelines, as records."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import anyio

from circleci_sdk._core.errors import CircleCIError, FieldUnavailableError
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.concurrency import ReadFunction, read_concurrently
from circleci_sdk.helpers._shared.partial import of_helper
from circleci_sdk.helpers._shared.skipped import Skipped
from circleci_sdk.v2._client import V2

from .records import HistoryRecord, job_record, pipeline_record, test_record, workflow_record

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk.helpers._shared.skipped import SkipLog
    from circleci_sdk.v2.models import JobTest, Pipeline, Workflow, WorkflowJob

    from .query import Query

T = TypeVar("T")
P = TypeVar("P")

OPERATIONS: Final = {
    "workflows": "v2.pipelines.list_workflows",
    "jobs": "v2.workflows.list_jobs",
    "tests": "v2.jobs.list_tests",
}
"""The operation that lists each kind of content."""


ROUNDS: Final = 16
"""Calls one after another in each slot, about, for the pipelines that are read together: when the last of them end,
slots are free, so a few calls for each slot waste much of the time."""


def pipelines_at_once(pipelines: int, calls: int, concurrency: int) -> int:
    """How many pipelines to read together after the content of `pipelines` took `calls`."""
    return max(1, ROUNDS * concurrency * pipelines // calls) if calls else pipelines


class ContentReader:
    """Reads the content of several pipelines with one concurrency limit.

    A list that cannot be read is passed over. `calls` counts the lists.
    """

    def __init__(self, caller: Caller, query: Query, log: SkipLog) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._project_slug = query.project_slug
        self._include = query.include
        self._concurrency = query.concurrency
        self._log = log
        self._ahead = anyio.CancelScope()
        self._unread = 0
        self.calls: int = 0

    async def read(self, contents: Collection[Content], ahead: Callable[[], Awaitable[None]]) -> None:
        """Read each of them to its end, and meanwhile something ahead, for which none of them waits.

        After an error some of them are complete.
        """
        self._unread = len(contents)

        async def read_ahead() -> Iterable[ReadFunction]:
            with self._ahead:
                await ahead()
            return ()

        reads: list[ReadFunction] = [read_ahead]
        for content in contents:
            if self._include:
                reads.append(partial(self._read_workflows, content))
            else:
                self._followed_by(content, [])
        await read_concurrently(reads, limit=self._concurrency)

    async def _read_workflows(self, content: Content) -> Iterable[ReadFunction]:
        found = content.workflows
        await self._list("workflows", content, found, lambda: self._v2.pipelines.list_workflows(found.parent.id))
        found.children.sort(key=_created_at, reverse=True)
        content.jobs = [Found(workflow) for workflow in found.children]
        wanted = content.jobs if self._include & {"jobs", "tests"} else []
        return self._followed_by(content, [partial(self._read_jobs, content, one) for one in wanted])

    async def _read_jobs(self, content: Content, found: Found[Workflow, WorkflowJob]) -> Iterable[ReadFunction]:
        await self._list("jobs", content, found, lambda: self._v2.workflows.list_jobs(found.parent.id))
        # A rerun lists the jobs that it does not repeat. They are the same jobs, with the same tests.
        new = {_key(job): job for job in found.children if _key(job) not in content.tests}
        content.tests.update({key: Found(job) for key, job in new.items()})
        ran = [content.tests[key] for key, job in new.items() if "tests" in self._include and _may_have_tests(job)]
        return self._followed_by(content, [partial(self._read_tests, content, tests) for tests in ran])

    async def _read_tests(self, content: Content, found: Found[WorkflowJob, JobTest]) -> Iterable[ReadFunction]:
        job = found.parent

        def tests() -> AsyncPager[JobTest]:
            return self._v2.jobs.list_tests(self._slug_of(job), cast("int", job.job_number))

        await self._list("tests", content, found, tests)
        return self._followed_by(content, [])

    def _followed_by(self, content: Content, reads: list[ReadFunction]) -> list[ReadFunction]:
        """Count a list as read, and these reads as those that follow."""
        content.unread += len(reads) - 1
        if not content.unread:  # while calls of other pipelines are in progress, it delays none
            content.records.extend(self._records(content))
            self._unread -= 1
            if not self._unread:
                self._ahead.cancel()
        return reads

    def _slug_of(self, job: WorkflowJob) -> str:
        return if_available(lambda: job.project_slug) or self._project_slug

    async def _list(
        self, kind: str, content: Content, found: Found[Any, T], pager: Callable[[], AsyncPager[T]]
    ) -> None:
        """Read the children as far as they can be had. A list that is not complete is passed over and named."""

        async def read() -> None:
            found.children.clear()
            self.calls += 1
            async for page in pager().pages():
                found.children.extend(page)

        try:
            await self._log.retry_reads(self._caller, read)
        except CircleCIError as error:
            self._log.check(error)
            kept = of_helper(error) if isinstance(error, FieldUnavailableError) else error
            name = self._name(kind, content.pipeline, found)
            content.passed.append((kind, Skipped(OPERATIONS[kind], name, kept, _id_of(content.pipeline))))
        else:
            self._log.succeeded()

    def _name(self, kind: str, pipeline: Pipeline, found: Found[Any, Any]) -> str:
        """What a list belongs to: the id, else the number of the pipeline; for tests the slug and number of a job."""
        if kind == "tests":
            return f"{self._slug_of(found.parent)}/{or_unknown(lambda: found.parent.job_number)}"
        return _id_of(found.parent) or _id_of(pipeline) or or_unknown(lambda: pipeline.number)

    def _records(self, content: Content) -> Iterable[HistoryRecord]:
        pipeline = content.pipeline
        yield pipeline_record(pipeline)
        for found in content.jobs:
            if "workflows" in self._include:
                yield workflow_record(pipeline, found.parent)
            for job in found.children:
                if "jobs" in self._include:
                    yield job_record(pipeline, found.parent, job)
                for position, test in enumerate(content.tests[_key(job)].children):
                    yield test_record(pipeline, found.parent, job, position, test)


@dataclass(slots=True)
class Found(Generic[P, T]):
    """What was read of one parent. Not by its id, which may be unavailable."""

    parent: P
    children: list[T] = field(default_factory=list[T])


class Content:
    """The lists of one pipeline: its workflows, the jobs of each of them, and the tests of each job.

    `passed` are the lists that were passed over. When no list is `unread` it is complete, and has its `records`.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline: Pipeline = pipeline
        self.workflows: Found[Pipeline, Workflow] = Found(pipeline)
        self.jobs: list[Found[Workflow, WorkflowJob]] = []
        self.tests: dict[object, Found[WorkflowJob, JobTest]] = {}
        self.passed: list[tuple[str, Skipped]] = []
        self.unread: int = 1
        self.records: deque[HistoryRecord] = deque()


def _may_have_tests(job: WorkflowJob) -> bool:
    """Whether the job may have run. An approval runs nothing, though it has a number since 2024."""
    if if_available(lambda: job.type) == "approval":
        return False
    try:
        return job.job_number is not None
    except FieldUnavailableError:
        return True  # it has one, and the list of its tests is missing


def _id_of(one: Pipeline | Workflow) -> str | None:
    return if_available(lambda: one.id) or None


def _key(job: WorkflowJob) -> object:
    """The id of a job; the job itself if that is unavailable."""
    return if_available(lambda: job.id) or id(job)


def _created_at(workflow: Workflow) -> datetime:
    """The time of creation; before all others if it is unavailable."""
    return if_available(lambda: workflow.created_at) or datetime.min.replace(tzinfo=UTC)
