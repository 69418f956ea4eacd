"""Reads the workflows, jobs and tests of pipelines, as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from circleci_sdk._core.errors import CircleCIError, FieldUnavailableError, NotFoundError
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.partial import of_helper
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
MAX_EXPIRED: Final = 1000
"""Expired lists that are named. A long history has any number of them, and none comes back."""


class ContentReader:
    """Reads the content of several pipelines level by level, so that one concurrency limit holds for all.

    A list that cannot be read is passed over, and added to the log. `expired` counts those that the API no longer has;
    they are added too while there are at most `MAX_EXPIRED` of them with the `expired_before`.
    """

    def __init__(self, caller: Caller, query: Query, log: SkipLog, expired_before: int) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._project_slug = query.project_slug
        self._include = query.include
        self._concurrency = query.concurrency
        self._log = log
        self._expired_before = expired_before
        self.expired: dict[str, int] = {}

    async def read(self, pipelines: list[Pipeline]) -> list[list[HistoryRecord]]:
        """The records of each pipeline, in order."""
        limit = self._concurrency
        workflows: list[_Found[Pipeline, Workflow]] = [_Found(pipeline, pipeline) for pipeline in pipelines]
        if self._include:
            await map_concurrently(self._read_workflows, workflows, limit=limit)
        jobs: list[_Found[Workflow, WorkflowJob]] = [
            _Found(found.pipeline, one) for found in workflows for one in found.children
        ]
        if self._include & {"jobs", "tests"}:
            await map_concurrently(self._read_jobs, jobs, limit=limit)
        # A rerun lists the jobs that it does not repeat. They are the same jobs, with the same tests.
        each_job = [(found.pipeline, job) for found in jobs for job in found.children]
        tests: dict[object, _Found[WorkflowJob, JobTest]] = {_key(job): _Found(of, job) for of, job in each_job}
        if "tests" in self._include:
            ran = [found for found in tests.values() if _may_have_tests(found.parent)]
            await map_concurrently(self._read_tests, ran, limit=limit)
        remaining = iter(jobs)
        return [list(self._records(found, [next(remaining) for _ in found.children], tests)) for found in workflows]

    async def _read_workflows(self, found: _Found[Pipeline, Workflow]) -> None:
        pipeline = found.parent
        await self._list("workflows", found, lambda: self._v2.pipelines.list_workflows(pipeline.id))
        found.children.sort(key=_created_at, reverse=True)

    async def _read_jobs(self, found: _Found[Workflow, WorkflowJob]) -> None:
        workflow = found.parent
        await self._list("jobs", found, lambda: self._v2.workflows.list_jobs(workflow.id))

    async def _read_tests(self, found: _Found[WorkflowJob, JobTest]) -> None:
        job = found.parent

        def tests() -> AsyncPager[JobTest]:
            return self._v2.jobs.list_tests(self._slug_of(job), cast("int", job.job_number))

        await self._list("tests", found, tests)

    def _slug_of(self, job: WorkflowJob) -> str:
        return if_available(lambda: job.project_slug) or self._project_slug

    async def _list(self, kind: str, found: _Found[Any, T], pager: Callable[[], AsyncPager[T]]) -> None:
        """Read the children as far as they can be had. A list that is not complete is passed over and named."""

        async def read() -> None:
            found.children.clear()
            async for page in pager().pages():
                found.children.extend(page)

        try:
            await self._log.retry_reads(self._caller, read)
        except CircleCIError as error:
            if isinstance(error, NotFoundError):
                self.expired[kind] = self.expired.get(kind, 0) + 1
                if self._expired_before + sum(self.expired.values()) > MAX_EXPIRED:
                    self._log.succeeded()  # counted, but not named
                    return
            kept = of_helper(error) if isinstance(error, FieldUnavailableError) else error
            self._log.add(OPERATIONS[kind], self._name(kind, found), kept, _id_of(found.pipeline))
        else:
            self._log.succeeded()

    def _name(self, kind: str, found: _Found[Any, Any]) -> str:
        """What a list belongs to: the id, else the number of the pipeline; for tests the slug and number of a job."""
        if kind == "tests":
            return f"{self._slug_of(found.parent)}/{or_unknown(lambda: found.parent.job_number)}"
        return _id_of(found.parent) or _id_of(found.pipeline) or or_unknown(lambda: found.pipeline.number)

    def _records(
        self,
        workflows: _Found[Pipeline, Workflow],
        jobs: list[_Found[Workflow, WorkflowJob]],
        tests: Mapping[object, _Found[WorkflowJob, JobTest]],
    ) -> Iterable[HistoryRecord]:
        pipeline = workflows.parent
        yield pipeline_record(pipeline)
        for found in jobs:
            if "workflows" in self._include:
                yield workflow_record(pipeline, found.parent)
            for job in found.children:
                if "jobs" in self._include:
                    yield job_record(pipeline, found.parent, job)
                for position, test in enumerate(tests[_key(job)].children):
                    yield test_record(pipeline, found.parent, job, position, test)


@dataclass(slots=True)
class _Found(Generic[P, T]):
    """What was read of one parent, which is a part of a pipeline. Not by its id, which may be unavailable."""

    pipeline: Pipeline
    parent: P
    children: list[T] = field(default_factory=list[T])


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
