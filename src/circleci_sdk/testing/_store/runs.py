"""Pipelines, workflows and jobs: what they are. What they do is in `engine.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from circleci_sdk.testing._plans import FAILURES, Approval, Job, JobTest, Plan, Step, Workflow

if TYPE_CHECKING:
    from datetime import datetime

    from .entities import FakeUser
    from .projects import FakeProject

JobState = Literal[
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
    "not_run",
]
WorkflowState = Literal[
    "running", "on_hold", "failing", "success", "failed", "canceled", "error", "not_run", "unauthorized"
]
PipelineState = Literal["pending", "created", "errored", "setup-pending", "setup"]

ENDED: Final = frozenset({"success", "canceled", "not_run"}) | FAILURES
CREDITS_PER_MINUTE: Final = 10


@dataclass(slots=True, eq=False, repr=False)
class FakeJob:
    """One job of a workflow, or an approval in it.

    `number` is None until it leaves the queue for the first time, and for approvals. `attempt` counts the runs of
    this job in its pipeline from 0.
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
        """The newest workflow that holds it: a rerun from failed takes over the jobs that had passed."""
        return self.carried_to or self.workflow

    @property
    def project(self) -> FakeProject:
        """The project that it belongs to."""
        return self.workflow.pipeline.project

    @property
    def is_approval(self) -> bool:
        """Whether it waits for a person and runs nothing."""
        return isinstance(self.plan, Approval)

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more, unless it is run again."""
        return self.state in ENDED

    @property
    def parallelism(self) -> int:
        """The number of its parallel runs."""
        return self.plan.parallelism if isinstance(self.plan, Job) else 1

    @property
    def seconds(self) -> float | None:
        """How long it ran; None before it ends."""
        if self.started_at is None or self.stopped_at is None:
            return None
        return (self.stopped_at - self.started_at).total_seconds()

    @property
    def credits(self) -> int:
        """What it has cost, by a made-up price: 10 credits per started minute and parallel run."""
        seconds = self.seconds
        return 0 if not seconds else int(-(-seconds // 60)) * CREDITS_PER_MINUTE * self.parallelism

    @property
    def tests(self) -> list[tuple[int, JobTest]]:
        """Its test results with the index of the parallel run they come from; empty until it has ended."""
        if not isinstance(self.plan, Job) or self.stopped_at is None or self.started_at is None:
            return []
        return [(at % self.parallelism, case) for at, case in enumerate(self.plan.tests_of(self.attempt))]

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
        """The steps that it has taken or is taking."""
        if not isinstance(self.plan, Job) or self.started_at is None:
            return ()
        return self.plan.steps_of(self.state)


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

    def __repr__(self) -> str:
        return f"<FakeWorkflow {self.name}: {self.state}>"

    @property
    def name(self) -> str:
        """Its name in the config."""
        return self.plan.name

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.stopped_at is not None

    @property
    def seconds(self) -> float | None:
        """How long it took; None before it ends."""
        return None if self.stopped_at is None else (self.stopped_at - self.created_at).total_seconds()

    @property
    def credits(self) -> int:
        """What its jobs have cost."""
        return sum(job.credits for job in self.jobs if job.workflow is self)

    def job(self, name: str) -> FakeJob:
        """Its job of that name. Raises `LookupError` when there is none."""
        for job in self.jobs:
            if job.name == name:
                return job
        raise LookupError(f"Workflow {self.name!r} has no job {name!r}; it has {[job.name for job in self.jobs]}.")


@dataclass(slots=True, eq=False, repr=False)
class FakePipeline:
    """A pipeline and its workflows, oldest first. `parameters` are those that it was triggered with."""

    id: str
    number: int
    project: FakeProject
    plan: Plan
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
    continued: bool = False
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        return f"<FakePipeline {self.number}: {self.state}>"

    @property
    def ended(self) -> bool:
        """Whether all its workflows have ended; one without workflows has ended when it is errored."""
        if self.state != "created":
            return self.state == "errored"
        return all(workflow.ended for workflow in self.workflows)

    def workflow(self, name: str) -> FakeWorkflow:
        """Its newest workflow of that name. Raises `LookupError` when there is none."""
        for workflow in reversed(self.workflows):
            if workflow.name == name:
                return workflow
        raise LookupError(
            f"Pipeline {self.number} has no workflow {name!r}; it has {[each.name for each in self.workflows]}."
        )

    def job(self, name: str) -> FakeJob:
        """Its newest job of that name, in whatever workflow. Raises `LookupError` when there is none."""
        for workflow in reversed(self.workflows):
            for job in workflow.jobs:
                if job.name == name:
                    return job
        raise LookupError(f"Pipeline {self.number} has no job {name!r}.")
