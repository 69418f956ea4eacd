"""The records of a history: flat, each with the ids of its parents."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

from circleci_sdk._public import public

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.v2.models import JobTest, Pipeline, Workflow, WorkflowJob


class _Record:
    """The base of all records."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values: str, int, float, bool, datetime and None."""
        return asdict(cast("Any", self))


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class PipelineRecord(_Record):
    """One pipeline. `errors` are the reasons why it could not be created, one on each line."""

    kind: ClassVar[Literal["pipeline"]] = "pipeline"
    project_slug: str
    pipeline_id: str
    pipeline_number: int
    state: str
    created_at: datetime
    updated_at: datetime | None
    trigger_type: str
    actor: str | None
    branch: str | None
    tag: str | None
    revision: str | None
    commit_subject: str | None
    errors: str


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class WorkflowRecord(_Record):
    """One workflow; a rerun is another workflow. `seconds` is None until it has ended."""

    kind: ClassVar[Literal["workflow"]] = "workflow"
    project_slug: str
    pipeline_id: str
    pipeline_number: int
    workflow_id: str
    workflow_name: str
    status: str
    tag: str | None
    created_at: datetime
    stopped_at: datetime | None
    seconds: float | None
    started_by: str
    canceled_by: str | None


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobRecord(_Record):
    """One job or approval. `job_number` is None for approvals and for jobs that never started."""

    kind: ClassVar[Literal["job"]] = "job"
    project_slug: str
    pipeline_id: str
    pipeline_number: int
    workflow_id: str
    workflow_name: str
    job_id: str
    job_name: str
    job_number: int | None
    type: str
    status: str
    started_at: datetime | None
    stopped_at: datetime | None
    seconds: float | None
    approved_by: str | None


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobTestRecord(_Record):
    """The result of one test. `position` is its index among the results of its job, from 0."""

    __test__: ClassVar[bool] = False  # pytest would collect it by its name
    kind: ClassVar[Literal["test"]] = "test"
    project_slug: str
    pipeline_id: str
    pipeline_number: int
    workflow_id: str
    workflow_name: str
    job_id: str
    job_name: str
    job_number: int
    position: int
    name: str
    classname: str
    file: str | None
    result: str
    seconds: float
    message: str | None


HistoryRecord: TypeAlias = PipelineRecord | WorkflowRecord | JobRecord | JobTestRecord
"""An item of `History.records`; `kind` discriminates the types."""


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else (end - start).total_seconds()


def pipeline_record(pipeline: Pipeline) -> PipelineRecord:
    """The record of a pipeline."""
    vcs = pipeline.vcs
    return PipelineRecord(
        pipeline.project_slug,
        pipeline.id,
        pipeline.number,
        str(pipeline.state),
        pipeline.created_at,
        pipeline.updated_at,
        str(pipeline.trigger.type),
        pipeline.trigger.actor.login,
        vcs.branch if vcs else None,
        vcs.tag if vcs else None,
        vcs.revision if vcs else None,
        vcs.commit.subject if vcs and vcs.commit else None,
        "\n".join(error.message for error in pipeline.errors),
    )


def workflow_record(pipeline: Pipeline, workflow: Workflow) -> WorkflowRecord:
    """The record of a workflow of this pipeline."""
    return WorkflowRecord(
        pipeline.project_slug,
        pipeline.id,
        pipeline.number,
        workflow.id,
        workflow.name,
        str(workflow.status),
        None if workflow.tag is None else str(workflow.tag),
        workflow.created_at,
        workflow.stopped_at,
        _seconds(workflow.created_at, workflow.stopped_at),
        workflow.started_by,
        workflow.canceled_by,
    )


def job_record(pipeline: Pipeline, workflow: Workflow, job: WorkflowJob) -> JobRecord:
    """The record of a job of this workflow."""
    return JobRecord(
        pipeline.project_slug,
        pipeline.id,
        pipeline.number,
        workflow.id,
        workflow.name,
        job.id,
        job.name,
        job.job_number,
        str(job.type),
        str(job.status),
        job.started_at,
        job.stopped_at,
        _seconds(job.started_at, job.stopped_at),
        job.approved_by,
    )


def test_record(
    pipeline: Pipeline, workflow: Workflow, job: WorkflowJob, position: int, test: JobTest
) -> JobTestRecord:
    """The record of the test at this position among those of this job."""
    assert job.job_number is not None
    return JobTestRecord(
        pipeline.project_slug,
        pipeline.id,
        pipeline.number,
        workflow.id,
        workflow.name,
        job.id,
        job.name,
        job.job_number,
        position,
        test.name,
        test.classname,
        test.file,
        test.result,
        test.run_time,
        test.message,
    )
