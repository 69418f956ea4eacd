"""The parts of a run as frozen data: its pipeline, workflows and jobs, and the events of each.

A field that is unavailable in the response is unavailable here. The exceptions are statuses, states and types: an
unavailable one is the unknown value `UnknownStr("unknown")`. So it is never final, and never a success. `is_complete`
is False for these too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from circleci_sdk._core.errors import FieldUnavailableError
from circleci_sdk._core.printable import printable
from circleci_sdk._core.serialization.slugs import pipeline_url
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.partial import UNAVAILABLE, Partial, of_helper, try_field, try_known
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.v2.models import (
        JobStatus,
        Pipeline,
        PipelineErrorDetail,
        PipelineState,
        Workflow,
        WorkflowJob,
        WorkflowJobType,
        WorkflowStatus,
    )


RunStatus: TypeAlias = Literal[
    "pending",
    "running",
    "failing",
    "on_hold",
    "success",
    "failed",
    "errored",
    "canceled",
    "unauthorized",
    "not_run",
]
"""The status of a run.

`pending`, `running`, `failing` and `on_hold` are not final: a part of a `failing` run has failed and another part
continues; an `on_hold` run continues after an approval. `errored`: the pipeline could not be created (see
`RunResult.errors`). `not_run`: no workflow ran, or a setup workflow alone. `docs/guides/run-status.md` has
a table.
"""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunPipeline(Partial):
    """The pipeline of a run. `errors` are the reasons why it, or a part of it, could not be created."""

    id: str
    number: int
    project_slug: str
    state: PipelineState
    errors: tuple[str, ...]
    url: str
    created_at: datetime | None
    updated_at: datetime | None


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunWorkflow(Partial):
    """One workflow of a run; a rerun is another workflow of the same name.

    `auto_reruns_left` is the number of automatic reruns that may still follow.
    """

    id: str
    name: str
    status: WorkflowStatus
    is_setup: bool
    created_at: datetime
    stopped_at: datetime | None
    auto_reruns_left: int
    url: str


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunJob(Partial):
    """One job of a workflow, or an approval in it.

    `number` is None for jobs that never started, and for approvals: the API numbers them, but nothing ran under that
    number, so that the API responds 404 for their details, artifacts and tests. `approval_request_id` is the id for
    `v2.workflows.approve`; `started_at` and `stopped_at` are None until the job starts and stops.
    """

    id: str
    name: str
    status: JobStatus
    type: WorkflowJobType
    number: int | None
    workflow_id: str
    workflow_name: str
    project_slug: str
    approval_request_id: str | None
    started_at: datetime | None
    stopped_at: datetime | None
    url: str

    @property
    def is_approval(self) -> bool:
        """Whether it is an approval, which waits for a person and runs nothing."""
        return self.type == "approval"


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class PipelineEvent(Value):
    """A new pipeline (`previous` is None), or a change of its state."""

    pipeline: RunPipeline
    previous: PipelineState | None

    @property
    def status(self) -> PipelineState:
        """The current state."""
        return self.pipeline.state


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class WorkflowEvent(Value):
    """A new workflow (`previous` is None), or a change of its status."""

    workflow: RunWorkflow
    previous: WorkflowStatus | None

    @property
    def status(self) -> WorkflowStatus:
        """The current status."""
        return self.workflow.status


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobEvent(Value):
    """A new job (`previous` is None), or a change of its status."""

    job: RunJob
    previous: JobStatus | None

    @classmethod
    def _from_data(cls, values: Mapping[str, Any]) -> Self:
        """Refuse an approval, which is an `ApprovalEvent` with the same fields."""
        if is_approval(values["job"]):
            raise ValueError("expected a job, got an approval")
        return super(JobEvent, cls)._from_data(values)

    @property
    def status(self) -> JobStatus:
        """The current status."""
        return self.job.status


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class ApprovalEvent(Value):
    """A new approval (`previous` is None), or a change of its status.

    `on_hold` means that it waits for an approval now, `success` that it was approved.
    """

    job: RunJob
    previous: JobStatus | None

    @property
    def status(self) -> JobStatus:
        """The current status."""
        return self.job.status


def is_approval(job: RunJob) -> bool:
    """Whether it is an approval, also if its type is unavailable: only approvals are on hold."""
    return job.is_approval or (job.type == UNAVAILABLE and job.status == "on_hold")


RunEvent: TypeAlias = PipelineEvent | WorkflowEvent | JobEvent | ApprovalEvent
"""An item of `Run.watch`. All events have `status` and `previous`."""


def label(part: RunWorkflow | RunJob) -> str:
    """The name of a workflow, or of a job with its workflow, for messages; `unknown` for an unavailable name."""
    name = or_unknown(lambda: part.name)
    return printable(name if isinstance(part, RunWorkflow) else f"{or_unknown(lambda: part.workflow_name)}/{name}")


def pipeline_of(pipeline: Pipeline, pipeline_id: str, app: str) -> RunPipeline:
    """The facts of the pipeline with this id; `app` is the origin of the web app.

    If the reasons for a failure are unavailable, or errors that cannot be read were reported, there is an unknown one.
    """
    return RunPipeline(
        if_available(lambda: pipeline.id) or pipeline_id,
        try_field(lambda: pipeline.number),
        try_field(lambda: pipeline.project_slug),
        try_known(lambda: pipeline.state),
        try_known(lambda: tuple(_message(error) for error in pipeline.errors), _unread_errors(pipeline)),
        try_field(lambda: pipeline_url(app, pipeline.project_slug, pipeline.number)),
        try_field(lambda: pipeline.created_at),
        try_field(lambda: pipeline.updated_at),
    )


def _unread_errors(pipeline: Pipeline) -> tuple[str, ...]:
    """The errors of a pipeline if the field is unavailable. A response without the field reports none."""
    if if_available(lambda: pipeline.state) == "errored":
        return (UNAVAILABLE,)
    try:
        return tuple(_message(error) for error in pipeline.errors)
    except FieldUnavailableError as error:
        return () if error.received in ("null", "missing") else (UNAVAILABLE,)


def _message(error: PipelineErrorDetail) -> str:
    return or_unknown(lambda: error.message)


def workflows_of(
    workflows: Iterable[Workflow], pipeline: RunPipeline
) -> tuple[list[RunWorkflow], list[FieldUnavailableError]]:
    """The facts of workflows of this pipeline, and the errors of those without an id, which cannot be told apart."""
    found: list[RunWorkflow] = []
    errors: list[FieldUnavailableError] = []
    for workflow in workflows:
        try:
            found.append(workflow_of(workflow, pipeline))
        except FieldUnavailableError as error:
            errors.append(of_helper(error))
    return found, errors


def workflow_of(workflow: Workflow, pipeline: RunPipeline) -> RunWorkflow:
    """The facts of a workflow of this pipeline. Raises `FieldUnavailableError` without an id, which it needs."""
    identity = id_of(workflow)
    return RunWorkflow(
        identity,
        try_field(lambda: workflow.name),
        try_known(lambda: workflow.status),
        try_field(lambda: workflow.tag == "setup"),
        try_field(lambda: workflow.created_at),
        try_field(lambda: workflow.stopped_at),
        try_field(lambda: max(0, (workflow.max_auto_reruns or 0) - (workflow.auto_rerun_number or 0))),
        try_field(lambda: f"{pipeline.url}/workflows/{identity}"),
    )


def id_of(workflow: Workflow) -> str:
    """The id of a workflow. Raises `FieldUnavailableError` for an empty one too."""
    if workflow.id:
        return workflow.id
    operation, place, expected = "v2.pipelines.list_workflows", "items.*.id", "non-empty string"
    message = f"{operation}: {place}: expected a non-empty string, received an empty one."
    raise FieldUnavailableError(message, operation=operation, place=place, expected=expected, received="string")


def job_of(job: WorkflowJob, workflow: RunWorkflow) -> RunJob:
    """The facts of a job of this workflow."""
    return RunJob(
        try_field(lambda: job.id),
        try_field(lambda: job.name),
        try_known(lambda: job.status),
        try_known(lambda: job.type),
        try_field(lambda: None if if_available(lambda: job.type) == "approval" else job.job_number),
        workflow.id,
        try_field(lambda: workflow.name),
        try_field(lambda: job.project_slug),
        try_field(lambda: job.approval_request_id),
        try_field(lambda: job.started_at),
        try_field(lambda: job.stopped_at),
        try_field(lambda: workflow.url if _has_no_page(job) else f"{workflow.url}/jobs/{job.job_number}"),
    )


def _has_no_page(job: WorkflowJob) -> bool:
    return job.job_number is None or if_available(lambda: job.type) == "approval"
