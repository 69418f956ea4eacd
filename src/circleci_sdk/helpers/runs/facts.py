"""What a run is made of, as small frozen data: its pipeline, workflows and jobs, and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from circleci_sdk._public import public

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.v2.models import (
        JobStatus,
        Pipeline,
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
"""Where a run stands.

`pending`, `running`, `failing` and `on_hold` are not the end: of a `failing` run a part has failed and another goes
on; an `on_hold` run goes on only when somebody approves. `errored` means that the pipeline could not be made (see
`RunResult.errors`), `not_run` that it has no workflows.
"""

_LONG_VCS: Final = {"gh": "github", "bb": "bitbucket"}


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class RunPipeline:
    """The pipeline of a run. `errors` are the messages of one that could not be made."""

    id: str
    number: int
    project_slug: str
    state: PipelineState
    errors: tuple[str, ...]
    url: str


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class RunWorkflow:
    """One workflow of a run; a rerun is another one of the same name.

    `auto_reruns_left` is how often CircleCI may still run it again by itself.
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
@dataclass(frozen=True, slots=True)
class RunJob:
    """One job of a workflow, or an approval in it.

    `number` is None for approvals and for jobs that never started. `approval_request_id` is what an approval is
    approved by; `started_at` and `stopped_at` are None until then.
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
        """Whether it waits for a person and runs nothing."""
        return self.type == "approval"


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class PipelineEvent:
    """The pipeline was seen for the first time (`previous` is None), or in another state."""

    pipeline: RunPipeline
    previous: PipelineState | None

    @property
    def status(self) -> PipelineState:
        """Its state now."""
        return self.pipeline.state


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class WorkflowEvent:
    """A workflow was seen for the first time (`previous` is None), or in another status."""

    workflow: RunWorkflow
    previous: WorkflowStatus | None

    @property
    def status(self) -> WorkflowStatus:
        """Its status now."""
        return self.workflow.status


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobEvent:
    """A job was seen for the first time (`previous` is None), or in another status."""

    job: RunJob
    previous: JobStatus | None

    @property
    def status(self) -> JobStatus:
        """Its status now."""
        return self.job.status


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """An approval was seen for the first time (`previous` is None), or in another status.

    `on_hold` means that somebody has to approve it now, `success` that somebody did.
    """

    job: RunJob
    previous: JobStatus | None

    @property
    def status(self) -> JobStatus:
        """Its status now."""
        return self.job.status


RunEvent: TypeAlias = PipelineEvent | WorkflowEvent | JobEvent | ApprovalEvent
"""What `Run.watch` gives. All have `status` and `previous`."""


def app_of(origin: str) -> str:
    """Where the web app is, for the server that calls go to."""
    return "https://app.circleci.com" if origin == "https://circleci.com" else origin


def pipeline_of(pipeline: Pipeline, app: str) -> RunPipeline:
    """The facts of a pipeline; `app` is the address of the web app."""
    vcs, _, rest = pipeline.project_slug.partition("/")
    return RunPipeline(
        pipeline.id,
        pipeline.number,
        pipeline.project_slug,
        pipeline.state,
        tuple(error.message for error in pipeline.errors),
        f"{app}/pipelines/{_LONG_VCS.get(vcs, vcs)}/{rest}/{pipeline.number}",
    )


def workflow_of(workflow: Workflow, pipeline: RunPipeline) -> RunWorkflow:
    """The facts of a workflow of this pipeline."""
    return RunWorkflow(
        workflow.id,
        workflow.name,
        workflow.status,
        workflow.tag == "setup",
        workflow.created_at,
        workflow.stopped_at,
        max(0, (workflow.max_auto_reruns or 0) - (workflow.auto_rerun_number or 0)),
        f"{pipeline.url}/workflows/{workflow.id}",
    )


def job_of(job: WorkflowJob, workflow: RunWorkflow) -> RunJob:
    """The facts of a job of this workflow."""
    return RunJob(
        job.id,
        job.name,
        job.status,
        job.type,
        job.job_number,
        workflow.id,
        workflow.name,
        job.project_slug,
        job.approval_request_id,
        job.started_at,
        job.stopped_at,
        workflow.url if job.job_number is None else f"{workflow.url}/jobs/{job.job_number}",
    )
