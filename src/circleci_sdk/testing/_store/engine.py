"""The rules of runs: when jobs start and end, how workflows end, cancel, approve and rerun."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final, Literal

from .plans import FAILURES, NEVER_STARTED, Approval, Job, Workflow
from .projects import DEFAULT_PLAN, FakeProject, Plan
from .runs import FakeJob, FakePipeline, FakeWorkflow, JobState
from .serial_groups import SerialGroups

if TYPE_CHECKING:
    from .clock import FakeClock
    from .ids import Ids
    from .index import RunIndex
    from .records import FakeUser

Listener = Callable[["FakeJob | FakeWorkflow"], None]

REACTION: Final = 1.0
"""Seconds between the response and the effect of a trigger, a cancel, an approval."""


class Engine:
    """Starts runs and lets them progress. `end_listeners` are called with each job and workflow that ends."""

    def __init__(self, clock: FakeClock, ids: Ids, index: RunIndex) -> None:
        self._clock = clock
        self._ids = ids
        self._index = index
        self.end_listeners: Final[list[Listener]] = []
        self._plans: dict[str, list[Plan]] = {}
        self._in_setup: dict[str, Plan] = {}
        self._serial_groups: Final = SerialGroups()

    def _notify(self, run: FakeJob | FakeWorkflow) -> None:
        for listener in self.end_listeners:
            listener(run)

    def add_plan(self, project: FakeProject, plan: Plan) -> None:
        """Set what further pipelines of a project do."""
        self._plans.setdefault(project.id, []).append(plan)

    def next_plan(self, project: FakeProject, branch: str | None) -> Plan:
        """The plan of the next pipeline on this branch. A plan for one pipeline is removed."""
        plans = self._plans.get(project.id, [])
        for plan in reversed(plans):
            if plan.branch is None or plan.branch == branch:
                if plan.once:
                    plans.remove(plan)
                return plan
        return DEFAULT_PLAN

    def start(
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
        """Start a pipeline. Its workflows are created after `REACTION` seconds, or at once."""
        pipeline = FakePipeline(
            id=self._ids.uuid(),
            number=len(project.pipelines) + 1,
            project=project,
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
        self._index.register_pipeline(project, pipeline)
        workflows = plan.workflows_of(pipeline)
        if any(workflow.setup for workflow in workflows):
            pipeline.state = "setup-pending"
            self._in_setup[pipeline.id] = plan
        self._clock.call_later(0 if at_once else REACTION, lambda: self._create_workflows(pipeline, plan, workflows))
        return pipeline

    def _create_workflows(self, pipeline: FakePipeline, plan: Plan, workflows: Collection[Workflow]) -> None:
        pipeline.updated_at = self._clock.now
        first = [workflow for workflow in workflows if workflow.setup]
        if first:
            pipeline.state = "setup"
        else:
            self._end_creation(pipeline, plan, workflows)
        for workflow in first or workflows:
            self._create_later(pipeline, workflow)

    def _end_creation(self, pipeline: FakePipeline, plan: Plan, workflows: Collection[Workflow]) -> None:
        """Set the final state of a pipeline. Errors end it, unless there are workflows that run nevertheless."""
        pipeline.errors = list(plan.errors)
        pipeline.state = "errored" if plan.errors and not workflows else "created"
        pipeline.updated_at = self._clock.now

    def _create_later(self, pipeline: FakePipeline, plan: Workflow) -> None:
        pipeline.workflows_to_come += 1
        self._clock.call_later(plan.delay, lambda: self._create_workflow(pipeline, plan))

    def _create_workflow(self, pipeline: FakePipeline, plan: Workflow) -> None:
        pipeline.workflows_to_come -= 1
        workflow = self._new_workflow(pipeline, plan, pipeline.actor)
        for job in plan.jobs:
            workflow.jobs.append(self._new_job(workflow, job))
        self._progress(workflow)

    def _new_workflow(self, pipeline: FakePipeline, plan: Workflow, started_by: FakeUser) -> FakeWorkflow:
        workflow = FakeWorkflow(self._ids.uuid(), plan, pipeline, self._clock.now, started_by)
        pipeline.workflows.append(workflow)
        self._index.register_workflow(workflow)
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
        self._index.register_job(job)
        return job

    def continue_(self, pipeline: FakePipeline, parameters: dict[str, Any]) -> None:
        """Create the other workflows of a setup pipeline, once."""
        plan = self._in_setup.pop(pipeline.id, None)
        if plan is None:
            return
        pipeline.parameters |= parameters
        workflows = [workflow for workflow in plan.workflows_of(pipeline) if not workflow.setup]
        self._end_creation(pipeline, plan, workflows)
        for workflow in workflows:
            self._create_later(pipeline, workflow)

    def _progress(self, workflow: FakeWorkflow) -> None:
        """Start the jobs that can start, then update the state of the workflow."""
        for job in workflow.jobs:
            if job.state == "blocked":
                match self._readiness(workflow, job):
                    case "ready" if isinstance(job.plan, Approval):
                        job.state = "on_hold"
                        self._index.number_job(job)
                    case "ready":
                        self._queue(job)
                    case "never":
                        job.state = "not_run"
                    case "waiting":
                        pass
        self._update_state(workflow)

    def _readiness(self, workflow: FakeWorkflow, job: FakeJob) -> Literal["ready", "waiting", "never"]:
        needs = job.plan.needs
        states = {each.name: each.state for each in workflow.jobs}
        waits = False
        for name, outcomes in needs.items():
            state = states.get(name)
            if state is None:
                continue  # a rerun without that job
            if state in outcomes:
                continue
            if state in ("blocked", "queued", "running", "on_hold"):
                waits = True
            else:
                return "never"
        return "waiting" if waits else "ready"

    def _queue(self, job: FakeJob) -> None:
        assert isinstance(job.plan, Job)
        outcome = job.plan.outcome_of(job.attempt)
        if outcome in NEVER_STARTED:
            job.state = outcome
            return
        job.state = "queued"
        job.queued_at = self._clock.now
        self._index.number_job(job)
        self._clock.call_later(job.plan.queue_seconds, lambda: self._run(job))

    def _run(self, job: FakeJob) -> None:
        if job.state != "queued":
            return
        assert isinstance(job.plan, Job)
        if not self._serial_groups.may_run(job):
            self._update_state(job.workflow)
            return
        job.state = "running"
        self._update_state(job.workflow)
        job.started_at = self._clock.now
        outcome = job.plan.outcome_of(job.attempt)
        self._clock.call_later(job.plan.seconds, lambda: self._end(job, outcome))

    def _end(self, job: FakeJob, state: JobState) -> None:
        if job.ended:
            return
        job.state = state
        job.stopped_at = self._clock.now
        self._notify(job)
        self._progress(job.workflow)
        self._leave_group(job)

    def _leave_group(self, job: FakeJob) -> None:
        """Let the next job of a serial group run."""
        following = self._serial_groups.leave(job)
        if following is not None:
            self._run(following)

    def _update_state(self, workflow: FakeWorkflow) -> None:
        if workflow.ended:
            return
        states = {job.state for job in workflow.jobs}
        failed = bool(states & FAILURES)
        if states & {"queued", "running", "on_hold"}:
            held = not states & {"queued", "running"}
            workflow.state = (
                "failing" if failed else "on_hold" if held else "queued" if self._waits(workflow) else "running"
            )
            return
        workflow.state = "failed" if failed else "canceled" if "canceled" in states else "success"
        if "unauthorized" in states:
            workflow.state = "unauthorized"
        if workflow.canceled_by is not None:
            workflow.state = "canceled"
        elif workflow.plan.outcome is not None:
            workflow.state = workflow.plan.outcome
        workflow.stopped_at = self._clock.now
        self._notify(workflow)
        if workflow.plan.setup and workflow.plan.continues and workflow.state == "success":
            self.continue_(workflow.pipeline, {})
        if workflow.state == "failed" and workflow.auto_rerun_number < workflow.plan.max_auto_reruns:
            self._clock.call_later(REACTION, lambda: self._rerun_by_itself(workflow))

    def _waits(self, workflow: FakeWorkflow) -> bool:
        """Whether no job has started, and all that could wait for their serial groups."""
        live = [job for job in workflow.jobs if job.state in ("queued", "running")]
        ran = any(job.started_at is not None or job.state == "running" for job in workflow.jobs)
        return not ran and all(map(self._serial_groups.waits, live))

    def _rerun_by_itself(self, workflow: FakeWorkflow) -> None:
        failed = [job for job in workflow.jobs if job.state != "success"]
        number = workflow.auto_rerun_number + 1
        self.rerun(workflow, workflow.started_by, only=failed, ssh=False, sparse=False, auto_rerun_number=number)

    def approve(self, job: FakeJob, user: FakeUser) -> None:
        """Approve a job, after `REACTION` seconds."""
        job.approved_by = user

        def approved() -> None:
            if job.state == "on_hold":
                job.state = "success"
                job.stopped_at = self._clock.now
                self._progress(job.workflow)

        self._clock.call_later(REACTION, approved)

    def cancel_job(self, job: FakeJob, user: FakeUser) -> None:
        """Cancel a job, after `REACTION` seconds. An ended job does not change."""

        def stop() -> None:
            if not job.ended:
                job.canceled_by = user
                self._end(job, "canceled")

        self._clock.call_later(REACTION, stop)

    def cancel_workflow(self, workflow: FakeWorkflow, user: FakeUser) -> None:
        """Cancel all jobs of a workflow, after `REACTION` seconds."""

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
                    self._notify(job)
            self._update_state(workflow)
            for job in workflow.jobs:
                self._leave_group(job)

        self._clock.call_later(REACTION, stop)

    def rerun(
        self,
        workflow: FakeWorkflow,
        user: FakeUser,
        *,
        only: Collection[FakeJob] | None,
        ssh: bool,
        sparse: bool,
        auto_rerun_number: int = 0,
    ) -> FakeWorkflow:
        """Start a new workflow with all jobs, or with `only` some jobs and their dependents.

        The other jobs are included with their results; with `sparse` only those that the new jobs require.
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
        rerun.auto_rerun_number = auto_rerun_number
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
        self._progress(rerun)
        return rerun
