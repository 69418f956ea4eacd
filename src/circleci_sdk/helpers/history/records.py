"""The records of a history: flat, each with the ids of its parents.

A field that is unavailable in the response raises `FieldUnavailableError` here, and is None in `as_dict`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, cast

from circleci_sdk._core.errors import FieldUnavailableError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import or_unknown
from circleci_sdk.helpers._shared.partial import Partial, try_field

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.v2.models import JobTest, Pipeline, PipelineErrorDetail, Workflow, WorkflowJob


class _Record(Partial):
    """The base of all records."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values: str, int, float, bool, datetime and None. An unavailable field is None."""
        return {**dict.fromkeys(self.__match_args__), **self._values()}


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
@dataclass(frozen=True, slots=True, eq=False, repr=False)
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
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class JobRecord(_Record):
    """One job or approval. `job_number` is None for jobs that never started.

    An approval has a number since 2024, though it runs nothing: see `type`.
    """

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
@dataclass(frozen=True, slots=True, eq=False, repr=False)
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


def _of_pipeline(pipeline: Pipeline) -> tuple[str, str, int]:
    """The leading fields of every record: `project_slug`, `pipeline_id` and `pipeline_number`."""
    return (
        try_field(lambda: pipeline.project_slug),
        try_field(lambda: pipeline.id),
        try_field(lambda: pipeline.number),
    )


def _of_workflow(pipeline: Pipeline, workflow: Workflow) -> tuple[str, str, int, str, str]:
    """The leading fields of a record of a workflow or of a part of it: also `workflow_id` and `workflow_name`."""
    return (
        *_of_pipeline(pipeline),
        try_field(lambda: workflow.id),
        try_field(lambda: workflow.name),
    )


def _of_job(pipeline: Pipeline, workflow: Workflow, job: WorkflowJob) -> tuple[str, str, int, str, str, str, str]:
    """The leading fields of a record of a job or of a test: also `job_id` and `job_name`."""
    return (
        *_of_workflow(pipeline, workflow),
        try_field(lambda: job.id),
        try_field(lambda: job.name),
    )


def pipeline_record(pipeline: Pipeline) -> PipelineRecord:
    """The record of a pipeline."""
    return PipelineRecord(
        *_of_pipeline(pipeline),
        try_field(lambda: str(pipeline.state)),
        try_field(lambda: pipeline.created_at),
        try_field(lambda: pipeline.updated_at),
        try_field(lambda: str(pipeline.trigger.type)),
        try_field(lambda: _actor(pipeline)),
        try_field(lambda: pipeline.vcs.branch if pipeline.vcs else None),
        try_field(lambda: pipeline.vcs.tag if pipeline.vcs else None),
        try_field(lambda: pipeline.vcs.revision if pipeline.vcs else None),
        try_field(lambda: pipeline.vcs.commit.subject if pipeline.vcs and pipeline.vcs.commit else None),
        try_field(lambda: "\n".join(_message(error) for error in pipeline.errors)),
    )


def _actor(pipeline: Pipeline) -> str | None:
    """The login; None if there is no actor, as in older responses."""
    try:
        return pipeline.trigger.actor.login
    except FieldUnavailableError as error:
        if error.received in ("missing", "null"):
            return None
        raise


def _message(error: PipelineErrorDetail) -> str:
    return or_unknown(lambda: error.message)


def workflow_record(pipeline: Pipeline, workflow: Workflow) -> WorkflowRecord:
    """The record of a workflow of this pipeline."""
    return WorkflowRecord(
        *_of_workflow(pipeline, workflow),
        try_field(lambda: str(workflow.status)),
        try_field(lambda: None if workflow.tag is None else str(workflow.tag)),
        try_field(lambda: workflow.created_at),
        try_field(lambda: workflow.stopped_at),
        try_field(lambda: _seconds(workflow.created_at, workflow.stopped_at)),
        try_field(lambda: workflow.started_by),
        try_field(lambda: workflow.canceled_by),
    )


def job_record(pipeline: Pipeline, workflow: Workflow, job: WorkflowJob) -> JobRecord:
    """The record of a job of this workflow."""
    return JobRecord(
        *_of_job(pipeline, workflow, job),
        try_field(lambda: job.job_number),
        try_field(lambda: str(job.type)),
        try_field(lambda: str(job.status)),
        try_field(lambda: job.started_at),
        try_field(lambda: job.stopped_at),
        try_field(lambda: _seconds(job.started_at, job.stopped_at)),
        try_field(lambda: job.approved_by),
    )


def test_record(
    pipeline: Pipeline, workflow: Workflow, job: WorkflowJob, position: int, test: JobTest
) -> JobTestRecord:
    """The record of the test at this position among those of this job."""
    return JobTestRecord(
        *_of_job(pipeline, workflow, job),
        try_field(lambda: cast("int", job.job_number)),
        position,
        try_field(lambda: test.name),
        try_field(lambda: test.classname),
        try_field(lambda: test.file),
        try_field(lambda: test.result),
        try_field(lambda: test.run_time),
        try_field(lambda: test.message),
    )
