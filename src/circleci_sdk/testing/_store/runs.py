"""Pipelines, workflows and jobs as data. The rules for their progress are in `engine.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from circleci_sdk._core.checks import STR, check
from circleci_sdk._public import public

from .plans import FAILURES, NEVER_STARTED, Approval, Job, JobTest, Step, Workflow

if TYPE_CHECKING:
    from datetime import datetime

    from .entities import ProjectState
    from .records import FakeUser

JobState: TypeAlias = Literal[
    "blocked",
    "queued",
    "running",
    "on_hold",
    "success",
    "failed",
    "canceled",
    "timedout",
    "infrastructure_fail",
    "unauthorized",
    "terminated-unknown",
    "retried",
    "skipped",
    "not_run",
]
"""The state of a job."""

WorkflowState: TypeAlias = Literal[
    "queued", "running", "on_hold", "failing", "success", "failed", "canceled", "error", "not_run", "unauthorized"
]
"""The state of a workflow."""

PipelineState: TypeAlias = Literal["pending", "created", "errored", "setup-pending", "setup"]
"""The state of a pipeline."""

ENDED: Final = frozenset({"success", "canceled", "retried"}) | NEVER_STARTED | FAILURES
CREDITS_PER_MINUTE: Final = 10


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeJob:
    """One job of a workflow, or an approval in it.

    `number` is None before the job is queued or the approval is on hold. `attempt` counts the runs of this job in its
    pipeline from 0.
    """

    id: str
    plan: Job | Approval
    workflow: FakeWorkflow
    state: JobState
    created_at: datetime
    attempt: int = 0
    number: int | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    approved_by: FakeUser | None = None
    canceled_by: FakeUser | None = None
    why: str = "github"
    retry_of: int | None = None
    ssh_users: list[FakeUser] = field(default_factory=list["FakeUser"])
    carried_to: FakeWorkflow | None = None

    def __repr__(self) -> str:
        return f"<FakeJob {self.name}: {self.state}>"

    @property
    def name(self) -> str:
        """Its name in the config."""
        return self.plan.name

    @property
    def latest_workflow(self) -> FakeWorkflow:
        """The newest workflow with this job: a rerun from failed includes the jobs that had succeeded."""
        return self.carried_to or self.workflow

    @property
    def project(self) -> ProjectState:
        """Its project."""
        return self.workflow.pipeline.project

    @property
    def is_approval(self) -> bool:
        """Whether it is an approval, which runs nothing."""
        return isinstance(self.plan, Approval)

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED

    @property
    def parallelism(self) -> int:
        """The number of its parallel runs."""
        return self.plan.parallelism if isinstance(self.plan, Job) else 1

    @property
    def seconds(self) -> float | None:
        """Its duration; None before it ends."""
        if self.started_at is None or self.stopped_at is None:
            return None
        return (self.stopped_at - self.started_at).total_seconds()

    @property
    def credits(self) -> int:
        """Its cost at an invented price: 10 credits per started minute and parallel run."""
        seconds = self.seconds
        return 0 if not seconds else int(-(-seconds // 60)) * CREDITS_PER_MINUTE * self.parallelism

    @property
    def tests(self) -> list[tuple[int, JobTest]]:
        """Its test results with the index of their parallel run; empty until it has ended."""
        if not isinstance(self.plan, Job) or self.stopped_at is None or self.started_at is None:
            return []
        return [(at % self.parallelism, test) for at, test in enumerate(self.plan.tests_of(self.attempt))]

    @property
    def artifacts(self) -> dict[tuple[int, str], bytes]:
        """Contents of its artifacts by parallel run and path; empty until it has ended."""
        if not isinstance(self.plan, Job) or self.stopped_at is None or self.started_at is None:
            return {}
        return {
            (at % self.parallelism, path): content.encode() if isinstance(content, str) else content
            for at, (path, content) in enumerate(self.plan.artifacts.items())
        }

    @property
    def steps(self) -> tuple[Step, ...]:
        """Its steps; empty before it starts."""
        if not isinstance(self.plan, Job) or self.started_at is None:
            return ()
        return self.plan.steps_of(self.state)


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeWorkflow:
    """One run of a workflow. A rerun is another `FakeWorkflow` of the same pipeline."""

    id: str
    plan: Workflow
    pipeline: FakePipeline
    created_at: datetime
    started_by: FakeUser
    state: WorkflowState = "running"
    jobs: list[FakeJob] = field(default_factory=list[FakeJob])
    stopped_at: datetime | None = None
    canceled_by: FakeUser | None = None
    rerun_of: FakeWorkflow | None = None
    auto_rerun_number: int = 0

    def __repr__(self) -> str:
        return f"<FakeWorkflow {self.name}: {self.state}>"

    @property
    def name(self) -> str:
        """Its name in the config."""
        return self.plan.name

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.stopped_at is not None

    @property
    def seconds(self) -> float | None:
        """Its duration; None before it ends."""
        return None if self.stopped_at is None else (self.stopped_at - self.created_at).total_seconds()

    @property
    def credits(self) -> int:
        """The cost of its jobs."""
        return sum(job.credits for job in self.jobs if job.workflow is self)

    def job(self, name: str) -> FakeJob:
        """Its job of that name. Raises `LookupError` when there is none."""
        check("FakeWorkflow.job", name=(name, STR))
        for job in self.jobs:
            if job.name == name:
                return job
        raise LookupError(
            f"FakeWorkflow.job: no job {name!r} in workflow {self.name!r}, which has {[job.name for job in self.jobs]}."
        )


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakePipeline:
    """A pipeline and its workflows, oldest first. `parameters` are those of its trigger.

    `workflows_to_come` is the number of those that are created later.
    """

    id: str
    number: int
    project: ProjectState
    state: PipelineState
    created_at: datetime
    actor: FakeUser
    trigger_type: str
    revision: str
    branch: str | None = None
    tag: str | None = None
    subject: str = "Improve things"
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    workflows: list[FakeWorkflow] = field(default_factory=list[FakeWorkflow])
    errors: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    config: str = ""
    continuation_key: str = ""
    updated_at: datetime | None = None
    workflows_to_come: int = 0

    def __repr__(self) -> str:
        return f"<FakePipeline {self.number}: {self.state}>"

    @property
    def ended(self) -> bool:
        """Whether all its workflows have ended. A pipeline without workflows has ended when it is errored."""
        if self.state != "created":
            return self.state == "errored"
        return all(workflow.ended for workflow in self.workflows)

    def workflow(self, name: str) -> FakeWorkflow:
        """Its newest workflow of that name. Raises `LookupError` when there is none."""
        check("FakePipeline.workflow", name=(name, STR))
        for workflow in reversed(self.workflows):
            if workflow.name == name:
                return workflow
        raise LookupError(
            f"FakePipeline.workflow: no workflow {name!r} in pipeline {self.number}, "
            f"which has {[each.name for each in self.workflows]}."
        )

    def job(self, name: str) -> FakeJob:
        """Its newest job of that name, in any workflow. Raises `LookupError` when there is none."""
        check("FakePipeline.job", name=(name, STR))
        for workflow in reversed(self.workflows):
            for job in workflow.jobs:
                if job.name == name:
                    return job
        raise LookupError(f"FakePipeline.job: no job {name!r} in pipeline {self.number}.")
