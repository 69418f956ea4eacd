"""Reads the workflows, jobs and tests of pipelines, as records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from circleci_sdk._core.errors import NotFoundError
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.v2._client import V2

from .records import HistoryRecord, job_record, pipeline_record, test_record, workflow_record

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk.v2.models import JobTest, Pipeline, Workflow, WorkflowJob

T = TypeVar("T")


class ContentReader:
    """Reads the content of several pipelines level by level, so that one concurrency limit holds for all."""

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
            known = [one for listed in workflows for one in listed]
            found = await map_concurrently(self._jobs, known, limit=limit)
            jobs = {workflow.id: listed for workflow, listed in zip(known, found, strict=True)}
        if "tests" in self._include:
            ran = list(
                {job.id: job for listed in jobs.values() for job in listed if job.job_number is not None}.values()
            )
            read = await map_concurrently(self._tests, ran, limit=limit)
            tests = {job.id: listed for job, listed in zip(ran, read, strict=True)}
        return [
            list(self._records(pipeline, listed, jobs, tests))
            for pipeline, listed in zip(pipelines, workflows, strict=True)
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
