"""The search for the newest run that matches, past pipelines and jobs that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from circleci_sdk._core.errors import CircleCIError, NotFoundError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.concurrency import map_concurrently, search_concurrently
from circleci_sdk.helpers._shared.reports import raise_for_items
from circleci_sdk.helpers._shared.skipped import SkipLog
from circleci_sdk.v2._client import V2

from .report import JobArtifacts, LatestArtifacts
from .selection import pick_workflows

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.deadline import TimedCaller
    from circleci_sdk.v2.models import Artifact, Pipeline, Workflow, WorkflowJob

    _Candidate: TypeAlias = tuple[Workflow, list[WorkflowJob] | CircleCIError | None]

LIST: Final = "v2.jobs.list_artifacts"
AT_ONCE: Final = 8
"""Pipelines that are read ahead, and jobs whose artifacts are listed at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which run is looked for."""

    branch: str | Unset
    workflow: str | Unset
    job: str | Unset
    status: str | Unset
    max_pipelines: int


async def find_latest(method: str, caller: TimedCaller, project_slug: str, wanted: Wanted) -> LatestArtifacts | None:
    """The newest run that matches. Raises `CircleCIError` if there is none, but something was passed over."""
    log = SkipLog(caller)
    search = _Search(V2(caller), project_slug, wanted, log)
    seen = 0
    async for page in search.v2.pipelines.list_for_project(project_slug, branch=wanted.branch).pages():
        log.succeeded()
        pipelines = page.items[: wanted.max_pipelines - seen]
        found = await search_concurrently(search.read, search.decide, pipelines, limit=AT_ONCE)
        if found is not None:
            return found
        seen += len(page.items)
        if seen >= wanted.max_pipelines:
            break
    raise_for_items(f"{method}: no run matches, but some could not be read", log.skipped)
    return None


@dataclass(frozen=True, slots=True)
class _Search:
    """Reads some pipelines ahead, and decides about one after another. Errors count when their pipeline is decided."""

    v2: V2
    project_slug: str
    wanted: Wanted
    log: SkipLog

    async def read(self, pipeline: Pipeline) -> list[_Candidate] | CircleCIError:
        """The workflows of a pipeline that may match; for a job with the jobs that match."""
        try:
            workflows = await self.v2.pipelines.list_workflows(pipeline.id).collect()
        except CircleCIError as error:
            return error
        picked = pick_workflows(workflows, self.wanted.workflow)
        if self.wanted.job is UNSET:
            return [(one, None) for one in picked if _has_status(one, self.wanted.status)]
        jobs = await map_concurrently(self._jobs_of, picked, limit=AT_ONCE)
        return list(zip(picked, jobs, strict=True))

    async def decide(self, pipeline: Pipeline, read: list[_Candidate] | CircleCIError) -> LatestArtifacts | None:
        """The artifacts, if a workflow of the pipeline matches."""
        if isinstance(read, CircleCIError):
            self.log.add("v2.pipelines.list_workflows", or_unknown(lambda: pipeline.id), read)
            return None
        self.log.succeeded()
        for workflow, known in read:
            jobs = await self._jobs_of(workflow) if known is None else known
            try:
                if isinstance(jobs, CircleCIError):
                    raise jobs
                self.log.succeeded()
                if self.wanted.job is not UNSET and not jobs:
                    continue
                if self.wanted.workflow is UNSET:
                    _ = workflow.tag  # raises if it is unavailable: the workflow may be a setup workflow
            except CircleCIError as error:
                self.log.add("v2.workflows.list_jobs", or_unknown(partial(_id_of, workflow)), error)
                continue
            found = await _artifacts_of(self.v2, self.project_slug, jobs, self.log)
            return LatestArtifacts(pipeline, workflow, tuple(found), self.log.skipped)
        return None

    async def _jobs_of(self, workflow: Workflow) -> list[WorkflowJob] | CircleCIError:
        """The jobs that match."""
        wanted = self.wanted
        try:
            return [
                one
                for one in await self.v2.workflows.list_jobs(workflow.id).collect()
                if wanted.job is UNSET
                or (if_available(lambda it: it.name, one) == wanted.job and _has_status(one, wanted.status))
            ]
        except CircleCIError as error:
            return error


def _id_of(workflow: Workflow) -> str:
    return workflow.id


def _has_status(one: Workflow | WorkflowJob, wanted: str | Unset) -> bool:
    """Whether it has the wanted status. An unavailable status is none of them, least of all `success`."""
    return wanted is UNSET or if_available(lambda: str(one.status)) == wanted


async def list_artifacts(v2: V2, project_slug: str, job_number: int) -> tuple[list[Artifact], CircleCIError | None]:
    """The artifacts of a job, and the error if the list breaks off after some of them. Raises it if there are none."""
    found: list[Artifact] = []
    try:
        async for page in v2.jobs.list_artifacts(project_slug, job_number).pages():
            found.extend(page)
    except CircleCIError as error:
        if not found:
            raise
        return found, error
    return found, None


async def _artifacts_of(v2: V2, project_slug: str, jobs: Sequence[WorkflowJob], log: SkipLog) -> list[JobArtifacts]:
    async def list_one(job: WorkflowJob) -> JobArtifacts | None:
        number: int | None = None
        try:
            number = job.job_number
            if number is None:
                return None
            listed, gap = await list_artifacts(v2, project_slug, number)
        except NotFoundError as error:
            if if_available(lambda: job.type) is None:  # it may be an approval, which has a number, but no details
                return None
            log.add(LIST, str(number), error)
            return None
        except CircleCIError as error:
            log.add(LIST, _name_of(job, number), error)
            return None
        log.succeeded()
        if gap is not None:
            log.add(LIST, str(number), gap)
        return JobArtifacts(job, number, tuple(listed))

    ran = [job for job in jobs if if_available(lambda one: one.type, job) != "approval"]
    listed = await map_concurrently(list_one, ran, limit=AT_ONCE)
    return [one for one in listed if one is not None]


def _name_of(job: WorkflowJob, number: int | None) -> str:
    return str(number) if number is not None else or_unknown(lambda: job.id)
