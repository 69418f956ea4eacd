"""The rules by which runs go on: what starts when, what a result means for the rest, what people can do to it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk.testing._plans import FAILURES, Approval, Job, Plan, Workflow

from .runs import FakeJob, FakePipeline, FakeWorkflow, JobState

if TYPE_CHECKING:
    from circleci_sdk.testing._clock import FakeClock

    from .entities import FakeUser
    from .ids import Ids
    from .projects import FakeProject

Listener = Callable[["FakeJob | FakeWorkflow"], None]

REACTION: Final = 1.0
"""Seconds until CircleCI has done what it only promised: a trigger, a cancel, an approval."""


class Engine:
    """Moves runs on. `ended` is told of each job and workflow that comes to its end."""

    def __init__(self, clock: FakeClock, ids: Ids, ended: Listener) -> None:
        self._clock = clock
        self._ids = ids
        self._ended = ended

    def start(  # everything that a pipeline can be told is an argument
        self,
        project: FakeProject,
        plan: Plan,
        *,
        actor: FakeUser,
        trigger_type: str,
        branch: str | None,
        tag: str | None = None,
        revision: str | None = None,
        subject: str = "Improve things",
        parameters: dict[str, Any] | None = None,
        config: str = "",
        at_once: bool = False,
    ) -> FakePipeline:
        """A new pipeline. Its workflows appear a moment later, or at once."""
        pipeline = FakePipeline(
            id=self._ids.uuid(),
            number=len(project.pipelines) + 1,
            project=project,
            plan=plan,
            state="pending",
            created_at=self._clock.now,
            actor=actor,
            trigger_type=trigger_type,
            revision=revision or self._ids.revision(),
            branch=branch,
            tag=tag,
            subject=subject,
            parameters=parameters or {},
            config=config or "version: 2.1\n",
            continuation_key=self._ids.secret(),
        )
        project.keep_pipeline(pipeline)
        workflows = plan.workflows_of(pipeline)
        if any(workflow.setup for workflow in workflows):
            pipeline.state = "setup-pending"
        self._clock.call_later(0 if at_once else REACTION, lambda: self._set_up(pipeline, workflows))
        return pipeline

    def _set_up(self, pipeline: FakePipeline, workflows: Collection[Workflow]) -> None:
        pipeline.updated_at = self._clock.now
        if pipeline.plan.errors:
            pipeline.errors = list(pipeline.plan.errors)
            pipeline.state = "errored"
            return
        first = [workflow for workflow in workflows if workflow.setup]
        pipeline.state = "setup" if first else "created"
        for workflow in first or workflows:
            self._appear_later(pipeline, workflow)

    def _appear_later(self, pipeline: FakePipeline, plan: Workflow) -> None:
        self._clock.call_later(plan.delay, lambda: self._appear(pipeline, plan, pipeline.actor))

    def _appear(self, pipeline: FakePipeline, plan: Workflow, started_by: FakeUser) -> FakeWorkflow:
        workflow = self._new_workflow(pipeline, plan, started_by)
        for job in plan.jobs:
            workflow.jobs.append(self._new_job(workflow, job))
        self._go_on(workflow)
        return workflow

    def _new_workflow(self, pipeline: FakePipeline, plan: Workflow, started_by: FakeUser) -> FakeWorkflow:
        workflow = FakeWorkflow(self._ids.uuid(), plan, pipeline, self._clock.now, started_by)
        pipeline.workflows.append(workflow)
        pipeline.project.keep_workflow(workflow)
        return workflow

    def _new_job(self, workflow: FakeWorkflow, plan: Job | Approval) -> FakeJob:
        before = sum(
            job.name == plan.name and job.workflow is earlier and job.started_at is not None
            for earlier in workflow.pipeline.workflows
            if earlier.name == workflow.name
            for job in earlier.jobs
        )
        job = FakeJob(self._ids.uuid(), plan, workflow, "blocked", self._clock.now, attempt=before)
        if before:
            job.why = "retry"
        elif workflow.pipeline.trigger_type == "api":
            job.why = "api"
        workflow.pipeline.project.keep_job(job)
        return job

    def continue_(self, pipeline: FakePipeline, parameters: dict[str, Any]) -> None:
        """The config of a setup pipeline is complete: its other workflows appear."""
        if pipeline.continued:
            return
        pipeline.continued = True
        pipeline.parameters |= parameters
        pipeline.state = "created"
        pipeline.updated_at = self._clock.now
        for workflow in pipeline.plan.workflows_of(pipeline):
            if not workflow.setup:
                self._appear_later(pipeline, workflow)

    def _go_on(self, workflow: FakeWorkflow) -> None:
        """Start what can start, then see what that makes of the workflow."""
        for job in workflow.jobs:
            if job.state == "blocked":
                match self._verdict(workflow, job):
                    case "go" if isinstance(job.plan, Approval):
                        job.state = "on_hold"
                    case "go":
                        self._queue(job)
                    case "never":
                        job.state = "not_run"
                    case _:
                        pass
        self._judge(workflow)

    def _verdict(self, workflow: FakeWorkflow, job: FakeJob) -> str:
        needs = job.plan.needs
        states = {each.name: each.state for each in workflow.jobs}
        waits = False
        for name, wanted in needs.items():
            state = states.get(name)
            if state is None:
                continue  # a rerun without that job
            if state in wanted:
                continue
            if state in ("blocked", "queued", "running", "on_hold"):
                waits = True
            else:
                return "never"
        return "wait" if waits else "go"

    def _queue(self, job: FakeJob) -> None:
        assert isinstance(job.plan, Job)
        job.state = "queued"
        job.queued_at = self._clock.now
        job.project.number_job(job)
        self._clock.call_later(job.plan.queue_seconds, lambda: self._run(job))

    def _run(self, job: FakeJob) -> None:
        if job.state != "queued":
            return
        assert isinstance(job.plan, Job)
        job.state = "running"
        job.started_at = self._clock.now
        outcome = job.plan.outcome_of(job.attempt)
        self._clock.call_later(job.plan.seconds, lambda: self._end(job, outcome))

    def _end(self, job: FakeJob, state: JobState) -> None:
        if job.ended:
            return
        job.state = state
        job.stopped_at = self._clock.now
        self._ended(job)
        self._go_on(job.workflow)

    def _judge(self, workflow: FakeWorkflow) -> None:
        if workflow.ended:
            return
        states = {job.state for job in workflow.jobs}
        failed = bool(states & FAILURES)
        if states & {"queued", "running"}:
            workflow.state = "failing" if failed else "running"
            return
        if "on_hold" in states and not failed and workflow.canceled_by is None:
            workflow.state = "on_hold"
            return
        workflow.state = "failed" if failed else "canceled" if "canceled" in states else "success"
        if "unauthorized" in states:
            workflow.state = "unauthorized"
        if workflow.canceled_by is not None:
            workflow.state = "canceled"
        workflow.stopped_at = self._clock.now
        self._ended(workflow)
        if workflow.plan.setup and workflow.state == "success":
            self.continue_(workflow.pipeline, {})

    def approve(self, job: FakeJob, user: FakeUser) -> None:
        """Let an approval pass, a moment later."""
        job.approved_by = user

        def passed() -> None:
            if job.state == "on_hold":
                job.state = "success"
                job.stopped_at = self._clock.now
                self._go_on(job.workflow)

        self._clock.call_later(REACTION, passed)

    def cancel_job(self, job: FakeJob, user: FakeUser) -> None:
        """Cancel one job, a moment later; one that has ended stays as it is."""

        def stop() -> None:
            if not job.ended:
                job.canceled_by = user
                self._end(job, "canceled")

        self._clock.call_later(REACTION, stop)

    def cancel_workflow(self, workflow: FakeWorkflow, user: FakeUser) -> None:
        """Cancel all jobs of a workflow, a moment later."""

        def stop() -> None:
            if workflow.ended:
                return
            workflow.canceled_by = user
            for job in workflow.jobs:
                if job.ended:
                    continue
                ran = job.state in ("queued", "running")
                job.state = "canceled" if job.state != "blocked" else "not_run"
                if job.state == "canceled":
                    job.canceled_by = user
                    job.stopped_at = self._clock.now
                if ran:
                    self._ended(job)
            self._judge(workflow)

        self._clock.call_later(REACTION, stop)

    def rerun(
        self, workflow: FakeWorkflow, user: FakeUser, *, only: Collection[FakeJob] | None, ssh: bool, sparse: bool
    ) -> FakeWorkflow:
        """A new workflow that runs everything again, or `only` some jobs and what depends on them.

        What is not run again is taken over as it was; with `sparse` what the new jobs do not need is left out.
        """
        again = {job.name for job in workflow.jobs} if only is None else {job.name for job in only}
        for job in workflow.jobs:
            if again & set(job.plan.needs):
                again.add(job.name)
        needed: set[str] = set()
        for job in reversed(workflow.jobs):
            if job.name in again or job.name in needed:
                needed |= set(job.plan.needs)
        rerun = self._new_workflow(workflow.pipeline, workflow.plan, user)
        rerun.rerun_of = workflow
        for job in workflow.jobs:
            if job.name in again:
                new = self._new_job(rerun, job.plan)
                new.why, new.retry_of = "retry", job.number
                if ssh:
                    new.ssh_users.append(user)
                rerun.jobs.append(new)
            elif not sparse or job.name in needed:
                job.carried_to = rerun
                rerun.jobs.append(job)
        self._go_on(rerun)
        return rerun
