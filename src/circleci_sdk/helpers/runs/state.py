"""How a run stands and what to ask next: pure functions over what was seen of it.

What was seen only grows. Things that have ended stay ended, whatever an older copy of the data says later, so that no
event is told twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from .facts import (
    ApprovalEvent,
    JobEvent,
    PipelineEvent,
    RunEvent,
    RunJob,
    RunPipeline,
    RunStatus,
    RunWorkflow,
    WorkflowEvent,
)

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk import RateLimit

PIPELINE_STATES: Final = frozenset({"created", "errored", "setup-pending", "setup", "pending"})
WORKFLOW_FAILED: Final = frozenset({"failed", "error", "canceled", "unauthorized"})
WORKFLOW_ENDED: Final = WORKFLOW_FAILED | {"success", "not_run"}
WORKFLOW_STATUSES: Final = WORKFLOW_ENDED | {"running", "failing", "on_hold"}
JOB_FAILED: Final = frozenset(
    {"failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized", "canceled"}
)
JOB_ENDED: Final = JOB_FAILED | {"success", "not_run", "retried"}
JOB_MOVING: Final = frozenset({"queued", "running"})
JOB_STATUSES: Final = JOB_ENDED | JOB_MOVING | {"not_running", "on_hold", "blocked"}

LATE: Final = 600.0
"""Seconds without any change after which no workflow is expected to appear any more."""
SETTLE: Final = 5.0
"""Seconds within which all workflows of a pipeline have appeared. One that is refused ends before others begin."""
RERUN_GRACE: Final = 30.0
"""Seconds after a failure within which an automatic rerun has to appear."""
JOBS_GRACE: Final = 30.0
"""Seconds after the end of a workflow within which its jobs have to come to rest."""

FASTEST: Final = 1.0
SLOW: Final = 20.0
SLOWEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunState:
    """All that was seen of a run so far.

    `jobs` are kept by workflow; a workflow is `settled` when its jobs were read after its end.
    """

    pipeline: RunPipeline | None = None
    workflows: Mapping[str, RunWorkflow] = field(default_factory=dict[str, RunWorkflow])
    jobs: Mapping[str, Mapping[str, RunJob]] = field(default_factory=dict[str, Mapping[str, RunJob]])
    settled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run stands. `held`: it does not move unless somebody approves."""

    status: RunStatus
    over: bool = False
    held: bool = False


Change = tuple[RunState, list[RunEvent]]


def see_pipeline(state: RunState, seen: RunPipeline) -> Change:
    """The run after a response about its pipeline, and what is new."""
    known = state.pipeline
    if known is not None and (known.state == seen.state or known.state == "errored"):
        return state, []
    return replace(state, pipeline=seen), [PipelineEvent(seen, known.state if known else None)]


def see_workflows(state: RunState, seen: Iterable[RunWorkflow]) -> Change:
    """The run after a page of its workflows, and what is new."""
    workflows = dict(state.workflows)
    events: list[RunEvent] = []
    for workflow in seen:
        known = workflows.get(workflow.id)
        if known is None or (known.status != workflow.status and known.status not in WORKFLOW_ENDED):
            workflows[workflow.id] = workflow
            events.append(WorkflowEvent(workflow, known.status if known else None))
    return (replace(state, workflows=workflows), events) if events else (state, [])


def see_jobs(state: RunState, workflow: RunWorkflow, seen: Iterable[RunJob]) -> Change:
    """The run after a page of the jobs of a workflow, and what is new."""
    jobs = dict(state.jobs.get(workflow.id, {}))
    events: list[RunEvent] = []
    for job in seen:
        known = jobs.get(job.id)
        if known is None and (other := _elsewhere(state, job.id)) is not None and other.status == job.status:
            jobs[job.id] = job
            continue
        if known is not None and (known.status == job.status or known.status in JOB_ENDED):
            continue
        jobs[job.id] = job
        previous = known.status if known else None
        events.append(ApprovalEvent(job, previous) if job.is_approval else JobEvent(job, previous))
    return replace(state, jobs={**state.jobs, workflow.id: jobs}), events


def _elsewhere(state: RunState, job_id: str) -> RunJob | None:
    """The same job in another workflow: a rerun takes over jobs that are not run again."""
    return next((jobs[job_id] for jobs in state.jobs.values() if job_id in jobs), None)


def in_order(state: RunState, events: Iterable[RunEvent]) -> list[RunEvent]:
    """What was seen in one look, told in the order in which it happened.

    The pipeline, then workflow by workflow, oldest first: that it began, what its jobs did, what became of it.
    """

    def place(event: RunEvent) -> tuple[object, ...]:
        match event:
            case PipelineEvent():
                return (0,)
            case WorkflowEvent(workflow, previous):
                return (1, workflow.created_at, workflow.id, 0 if previous is None else 2)
            case JobEvent(job) | ApprovalEvent(job):
                return (1, state.workflows[job.workflow_id].created_at, job.workflow_id, 1)

    return sorted(events, key=place)


def settle(state: RunState, workflow: RunWorkflow, quiet: float) -> RunState:
    """The run after all jobs of a workflow were read.

    `workflow` is the workflow as it was before they were read, `quiet` the seconds since the last change.
    """
    if workflow.status not in WORKFLOW_ENDED:
        return state
    moving = any(job.status in JOB_MOVING for job in state.jobs.get(workflow.id, {}).values())
    if moving and quiet < JOBS_GRACE:
        return state
    return replace(state, settled=state.settled | {workflow.id})


def newest(state: RunState) -> tuple[RunWorkflow, ...]:
    """The workflows that count: of each name the newest, in the order in which the names first appeared."""
    chosen: dict[str, RunWorkflow] = {}
    for workflow in state.workflows.values():
        other = chosen.get(workflow.name)
        if other is None or _age(workflow) > _age(other):
            chosen[workflow.name] = workflow
    names = dict.fromkeys(
        workflow.name for workflow in sorted(state.workflows.values(), key=lambda one: one.created_at)
    )
    return tuple(chosen[name] for name in names)


def _age(workflow: RunWorkflow) -> tuple[datetime, bool]:
    """A rerun may begin in the very moment in which the first one ended."""
    return workflow.created_at, workflow.status not in WORKFLOW_ENDED


def jobs_of(state: RunState) -> tuple[RunJob, ...]:
    """The jobs of the workflows that count, as far as they were read."""
    return tuple(job for workflow in newest(state) for job in state.jobs.get(workflow.id, {}).values())


def waiting_approvals(state: RunState) -> tuple[RunJob, ...]:
    """The approvals that somebody has to give now, as far as jobs were read."""
    alive = {workflow.id for workflow in newest(state) if workflow.status not in WORKFLOW_ENDED}
    return tuple(
        job for job in jobs_of(state) if job.is_approval and job.status == "on_hold" and job.workflow_id in alive
    )


def wants_pipeline(state: RunState) -> bool:
    """Whether the pipeline itself may still change: it is made, and has workflows beyond a setup workflow."""
    if state.pipeline is None:
        return True
    if state.pipeline.state == "errored":
        return False
    return state.pipeline.state != "created" or all(one.is_setup for one in state.workflows.values())


def wants_workflows(state: RunState) -> bool:
    """Whether there may be workflows to read."""
    return state.pipeline is not None and state.pipeline.state not in ("pending", "setup-pending")


def wanted_jobs(
    state: RunState, verdict: Verdict, *, every_job: bool, holds: bool, fresh: frozenset[str] = frozenset()
) -> tuple[RunWorkflow, ...]:
    """The workflows whose jobs to read now.

    `every_job` wants the jobs of all workflows, until each has come to its end. Otherwise only what the result tells
    is read: the jobs of failed workflows at the end, and with `holds` those of workflows on hold, once nothing else
    moves. `fresh` were read a moment ago.
    """
    if every_job:
        return tuple(one for one in state.workflows.values() if one.id not in state.settled | fresh)
    relevant = newest(state)
    if verdict.over:
        return tuple(
            one for one in relevant if one.status not in ("success", "not_run") and one.id not in state.settled | fresh
        )
    alive = [one for one in relevant if one.status not in WORKFLOW_ENDED]
    if holds and alive and all(one.status == "on_hold" for one in alive):
        return tuple(one for one in alive if one.id not in fresh)
    return ()


def judge(
    state: RunState,
    *,
    quiet: float,
    awaited: frozenset[str] = frozenset(),
    approved: frozenset[str] = frozenset(),
) -> Verdict:
    """How the run stands, `quiet` seconds after the last change was seen.

    `awaited` are ids of workflows that were asked for and have to appear, `approved` the approvals that were given
    and may not show yet.
    """
    if state.pipeline is None:
        return Verdict("pending")
    relevant = newest(state)
    alive = [one for one in relevant if one.status not in WORKFLOW_ENDED]
    if alive:
        held = _is_held(state, alive, approved) and not _is_missing(state, awaited, quiet)
        return Verdict(_status_underway(relevant), held=held)
    if _may_go_on(state, state.pipeline, relevant, quiet) or _is_missing(state, awaited, quiet):
        return Verdict(_status_underway(relevant) if relevant else "pending")
    if state.pipeline.state == "errored":
        return Verdict("errored", over=True)
    return Verdict(_status_at_end(relevant), over=True)


def _is_missing(state: RunState, awaited: frozenset[str], quiet: float) -> bool:
    return not awaited <= state.workflows.keys() and quiet < LATE


def _may_go_on(state: RunState, pipeline: RunPipeline, relevant: tuple[RunWorkflow, ...], quiet: float) -> bool:
    """Whether more may come although every workflow that was seen has ended."""
    if pipeline.state == "errored":
        return False
    if pipeline.state in ("pending", "setup-pending"):
        return True
    if any(one.is_setup and one.status != "success" for one in relevant):
        return _reruns_itself(relevant, quiet)
    if pipeline.state != "created" or all(one.is_setup for one in relevant):
        return quiet < LATE
    return _reruns_itself(relevant, quiet) or (quiet < SETTLE and _lasted(relevant) < SETTLE)


def _lasted(relevant: tuple[RunWorkflow, ...]) -> float:
    """Seconds from the beginning of the last workflow to the end of the last one, by the clock of the API."""
    begun = max(one.created_at for one in relevant)
    return (max(one.stopped_at or one.created_at for one in relevant) - begun).total_seconds()


def _reruns_itself(relevant: Iterable[RunWorkflow], quiet: float) -> bool:
    return quiet < RERUN_GRACE and any(one.status == "failed" and one.auto_reruns_left for one in relevant)


def _is_held(state: RunState, alive: Iterable[RunWorkflow], approved: frozenset[str]) -> bool:
    """Whether nothing moves any more and some approval is still to be given."""
    ids: set[str] = set()
    for workflow in alive:
        if workflow.status != "on_hold":
            return False
        ids.add(workflow.id)
    return any(
        job.workflow_id in ids and (job.approval_request_id or job.id) not in approved
        for job in waiting_approvals(state)
    )


def _status_underway(relevant: Iterable[RunWorkflow]) -> RunStatus:
    seen = {str(one.status) for one in relevant}
    if seen & {"failing", "failed", "error", "unauthorized"}:
        return "failing"
    if seen - WORKFLOW_ENDED == {"on_hold"}:
        return "on_hold"
    return "running"


def _status_at_end(relevant: Iterable[RunWorkflow]) -> RunStatus:
    seen = {str(one.status) for one in relevant}
    if seen & {"failed", "error"}:
        return "failed"
    if "unauthorized" in seen:
        return "unauthorized"
    if "canceled" in seen:
        return "canceled"
    return "success" if "success" in seen else "not_run"


def next_delay(
    *, age: float, calls: int, watched: int, rate_limit: RateLimit | None, retry_after: float | None, chance: float
) -> float:
    """Seconds until the next look at a run.

    Quick at first, slower the longer it lasts (`age` seconds so far). The budget that the server told is shared by
    all runs watched with this client, `calls` for each look. `retry_after` is what a response asked for. `chance`, from
    0 up to 1, spreads runs that began together.
    """
    pace = max(FASTEST, min(age / 10, max(SLOW, min(SLOWEST, age / 60))))
    delay = pace * (0.85 + 0.3 * chance)
    if rate_limit is not None:
        if rate_limit.limit and rate_limit.window:
            delay = max(delay, calls * watched * rate_limit.window / rate_limit.limit)
        if rate_limit.remaining is not None and rate_limit.remaining < calls and rate_limit.reset:
            delay = max(delay, rate_limit.reset)
    return max(delay, retry_after or 0.0)
