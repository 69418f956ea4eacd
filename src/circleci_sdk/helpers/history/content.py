"""Reads the workflows, jobs and tests of pipelines, as records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from circleci_sdk._core.errors import (
    BadRequestError,
    DecodeError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
)
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.v2._client import V2

from .records import HistoryRecord, job_record, pipeline_record, test_record, workflow_record

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk.v2.models import JobTest, Pipeline, Workflow, WorkflowJob

T = TypeVar("T")
P = TypeVar("P")


class ContentReader:
    """Reads the content of several pipelines level by level, so that one concurrency limit holds for all."""

    def __init__(self, caller: Caller, project_slug: str, include: frozenset[str], concurrency: int) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._project_slug = project_slug
        self._include = include
        self._concurrency = concurrency
        self.expired: dict[str, int] = {}
        self.unavailable: dict[str, int] = {}

    async def read(self, pipelines: list[Pipeline]) -> list[list[HistoryRecord]]:
        """The records of each pipeline, in order."""
        limit = self._concurrency
        workflows: list[_Found[Pipeline, Workflow]] = [_Found(pipeline) for pipeline in pipelines]
        if self._include:
            await map_concurrently(self._read_workflows, workflows, limit=limit)
        jobs: list[_Found[Workflow, WorkflowJob]] = [_Found(one) for found in workflows for one in found.children]
        if self._include & {"jobs", "tests"}:
            await map_concurrently(self._read_jobs, jobs, limit=limit)
        # A rerun lists the jobs that it does not repeat. They are the same jobs, with the same tests.
        each_job = [job for found in jobs for job in found.children]
        tests: dict[object, _Found[WorkflowJob, JobTest]] = {_key(job): _Found(job) for job in each_job}
        if "tests" in self._include:
            await map_concurrently(self._read_tests, list(tests.values()), limit=limit)
        remaining = iter(jobs)
        return [list(self._records(found, [next(remaining) for _ in found.children], tests)) for found in workflows]

    async def _read_workflows(self, found: _Found[Pipeline, Workflow]) -> None:
        pipeline = found.parent
        listed = await self._list("workflows", lambda: self._v2.pipelines.list_workflows(pipeline.id))
        found.children = sorted(listed, key=_created_at, reverse=True)

    async def _read_jobs(self, found: _Found[Workflow, WorkflowJob]) -> None:
        workflow = found.parent
        found.children = await self._list("jobs", lambda: self._v2.workflows.list_jobs(workflow.id))

    async def _read_tests(self, found: _Found[WorkflowJob, JobTest]) -> None:
        job = found.parent
        if if_available(lambda: job.job_number is None):
            return

        def tests() -> AsyncPager[JobTest]:
            slug = if_available(lambda: job.project_slug) or self._project_slug
            return self._v2.jobs.list_tests(slug, cast("int", job.job_number))

        found.children = await self._list("tests", tests)

    async def _list(self, kind: str, pager: Callable[[], AsyncPager[T]]) -> list[T]:
        """The items of a list, as far as they can be had. A list that is not complete is counted.

        It has expired, or what it belongs to has no usable id, or the API sent no list, or no way to its next page.
        """
        found: list[T] = []

        async def read() -> None:
            found.clear()
            async for page in pager().pages():
                found.extend(page)

        try:
            await retry_reads(self._caller, read)
        except NotFoundError:
            self._count(kind, self.expired)
        except (BadRequestError, FieldUnavailableError, InvalidArgumentError, PaginationError):
            self._count(kind, self.unavailable)
        except DecodeError as error:
            # A body that is no JSON may be the page of a proxy, and a strict client is meant to hear of a field.
            if error.request_outcome != "processed" or error.field:
                raise
            self._count(kind, self.unavailable)
        return found

    def _count(self, kind: str, counts: dict[str, int]) -> None:
        counts[kind] = counts.get(kind, 0) + 1

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
    """What was read of one parent. Not by its id, which may be unavailable."""

    parent: P
    children: list[T] = field(default_factory=list[T])


def _key(job: WorkflowJob) -> object:
    """The id of a job; the job itself if that is unavailable."""
    return if_available(lambda: job.id) or id(job)


def _created_at(workflow: Workflow) -> datetime:
    """The time of creation; before all others if it is unavailable."""
    return if_available(lambda: workflow.created_at) or datetime.min.replace(tzinfo=UTC)
