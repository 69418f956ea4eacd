"""The state of a run and what to read next: pure functions over the observed state.

The observed state only grows. A pipeline, workflow or job that has ended stays ended, even if a stale response says
otherwise later, so that no event is reported twice.

An unavailable status is an unknown one: not ended, and no success. It never replaces a known status: the next response
decides. Other unavailable fields make no success either: see where they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.available import if_available
from circleci_sdk.helpers._shared.partial import UNAVAILABLE

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
    from circleci_sdk._core.policy.rate_limit import RateLimit

PIPELINE_STATES: Final = frozenset({"created", "errored", "setup-pending", "setup", "pending"})
WORKFLOW_FAILED: Final = frozenset({"failed", "error", "canceled", "unauthorized"})
WORKFLOW_ENDED: Final = WORKFLOW_FAILED | {"success", "not_run"}
WORKFLOW_STATUSES: Final = WORKFLOW_ENDED | {"queued", "running", "failing", "on_hold"}
JOB_FAILED: Final = frozenset(
    {"failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized", "canceled"}
)
JOB_ENDED: Final = JOB_FAILED | {"success", "not_run", "retried", "skipped"}
JOB_MOVING: Final = frozenset({"queued", "running"})
JOB_STATUSES: Final = JOB_ENDED | JOB_MOVING | {"not_running", "on_hold", "blocked"}

WORKFLOW_DELAY: Final = 600.0
"""Seconds without any change after which no further workflow is expected."""
START_WINDOW: Final = 5.0
"""Seconds within which all workflows of a pipeline appear. A rejected workflow may end before others start."""
RERUN_WINDOW: Final = 30.0
"""Seconds after a failure within which an automatic rerun has to appear."""
JOBS_WINDOW: Final = 30.0
"""Seconds after the end of a workflow within which its jobs have to end."""

FASTEST: Final = 1.0
SLOW: Final = 20.0
SLOWEST: Final = 60.0

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for an unavailable time of creation in comparisons."""


@dataclass(frozen=True, slots=True)
class RunState:
    """The observed state of a run.

    `jobs` are grouped by workflow id; `final` are the ids of the workflows whose jobs were read after their end.
    """

    pipeline: RunPipeline | None = None
    workflows: Mapping[str, RunWorkflow] = field(default_factory=dict[str, RunWorkflow])
    jobs: Mapping[str, Mapping[str, RunJob]] = field(default_factory=dict[str, Mapping[str, RunJob]])
    final: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of a run. `held`: it does not continue without an approval."""

    status: RunStatus
    over: bool = False
    held: bool = False


Change = tuple[RunState, list[RunEvent]]


def see_pipeline(state: RunState, seen: RunPipeline) -> Change:
    """The state after a response about the pipeline, and the new events."""
    known = state.pipeline
    if known is not None and (known.state == "errored" or seen.state in (known.state, UNAVAILABLE)):
        return state, []
    return replace(state, pipeline=seen), [PipelineEvent(seen, known.state if known else None)]


def see_workflows(state: RunState, seen: Iterable[RunWorkflow]) -> Change:
    """The state after a page of workflows, and the new events."""
    workflows = dict(state.workflows)
    events: list[RunEvent] = []
    for workflow in seen:
        known = workflows.get(workflow.id)
        if known is None or (known.status not in WORKFLOW_ENDED and workflow.status not in (known.status, UNAVAILABLE)):
            workflows[workflow.id] = workflow
            events.append(WorkflowEvent(workflow, known.status if known else None))
        elif workflow.status == known.status and workflow.is_complete and not known.is_complete:
            workflows[workflow.id] = workflow
    return replace(state, workflows=workflows), events


def see_jobs(state: RunState, workflow: RunWorkflow, seen: Iterable[RunJob], first: int = 0) -> Change:
    """The state after a page of the jobs of a workflow, and the new events. `first` is the position of its first."""
    jobs = dict(state.jobs.get(workflow.id, {}))
    events: list[RunEvent] = []
    for position, job in enumerate(seen, first):
        key = _identity(job, position)
        known = jobs.get(key)
        if known is None and (other := _elsewhere(state, key)) is not None and other.status == job.status:
            jobs[key] = job
            continue
        if known is not None and (known.status in JOB_ENDED or job.status in (known.status, UNAVAILABLE)):
            continue
        jobs[key] = job
        previous = known.status if known else None
        events.append(ApprovalEvent(job, previous) if job.is_approval else JobEvent(job, previous))
    return replace(state, jobs={**state.jobs, workflow.id: jobs}), events


def _identity(job: RunJob, position: int) -> str:
    """The id of a job; without one its name, its number or its position, which no other job of the workflow has."""
    for name in ("id", "name", "number"):
        if value := getattr(job, name, None):
            return value if name == "id" else f"{job.workflow_id}: {name} {value}"
    return f"{job.workflow_id}: {position}"


def _elsewhere(state: RunState, identity: str) -> RunJob | None:
    """The same job in another workflow: a rerun lists the jobs that it does not repeat."""
    return next((jobs[identity] for jobs in state.jobs.values() if identity in jobs), None)


def in_order(state: RunState, events: Iterable[RunEvent]) -> list[RunEvent]:
    """The events of one poll, in chronological order.

    The pipeline, then workflow by workflow, oldest first: its start, its jobs, its end.
    """

    def position(event: RunEvent) -> tuple[object, ...]:
        match event:
            case PipelineEvent():
                return (0,)
            case WorkflowEvent(workflow, previous):
                return (1, _begun(workflow), workflow.id, 0 if previous is None else 2)
            case JobEvent(job) | ApprovalEvent(job):
                return (1, _begun(state.workflows[job.workflow_id]), job.workflow_id, 1)

    return sorted(events, key=position)


def mark_final(state: RunState, workflow: RunWorkflow, idle: float) -> RunState:
    """The state after all jobs of a workflow were read.

    `workflow` is the workflow as it was before the read, `idle` the seconds since the last change.
    """
    if workflow.status not in WORKFLOW_ENDED:
        return state
    moving = any(job.status in JOB_MOVING for job in state.jobs.get(workflow.id, {}).values())
    if moving and idle < JOBS_WINDOW:
        return state
    return replace(state, final=state.final | {workflow.id})


def current_workflows(state: RunState) -> tuple[RunWorkflow, ...]:
    """The newest workflow of each name, in the order in which the names first appeared.

    A workflow whose name or time of creation is unavailable counts on its own: no rerun can be known to replace it.
    """
    chosen: dict[tuple[str, str], RunWorkflow] = {}
    for workflow in sorted(state.workflows.values(), key=_begun):
        group = _group(workflow)
        other = chosen.get(group)
        if other is None or _age(workflow) > _age(other):
            chosen[group] = workflow
    return tuple(chosen.values())


def _group(workflow: RunWorkflow) -> tuple[str, str]:
    """A key that is the same for a workflow and its reruns."""
    name = if_available(lambda: workflow.name)
    return ("id", workflow.id) if name is None or _begun(workflow) is _EARLIEST else ("name", name)


def _begun(workflow: RunWorkflow) -> datetime:
    return if_available(lambda: workflow.created_at) or _EARLIEST


def _age(workflow: RunWorkflow) -> tuple[datetime, bool]:
    """A sort key: a rerun may start at the very time at which the first one ended."""
    return _begun(workflow), workflow.status not in WORKFLOW_ENDED


def jobs_of(state: RunState) -> tuple[RunJob, ...]:
    """The jobs of the current workflows, as far as they were read."""
    return tuple(job for workflow in current_workflows(state) for job in state.jobs.get(workflow.id, {}).values())


def waiting_approvals(state: RunState) -> tuple[RunJob, ...]:
    """The approvals that are pending, as far as jobs were read."""
    unfinished = {workflow.id for workflow in current_workflows(state) if workflow.status not in WORKFLOW_ENDED}
    return tuple(
        job for job in jobs_of(state) if job.is_approval and job.status == "on_hold" and job.workflow_id in unfinished
    )


def wants_pipeline(state: RunState) -> bool:
    """Whether the pipeline itself may still change: until it is created and has more than a setup workflow."""
    if state.pipeline is None:
        return True
    if state.pipeline.state == "errored":
        return False
    return state.pipeline.state != "created" or all(_may_be_setup(one) for one in state.workflows.values())


def wants_workflows(state: RunState) -> bool:
    """Whether there may be workflows to read."""
    return state.pipeline is not None and state.pipeline.state not in ("pending", "setup-pending")


def wanted_jobs(
    state: RunState, assessment: Assessment, *, every_job: bool, approvals: bool, fresh: frozenset[str] = frozenset()
) -> tuple[RunWorkflow, ...]:
    """The workflows whose jobs to read now.

    `every_job` selects the jobs of all workflows, until each has ended. Otherwise only the jobs that the result
    contains are read: those of failed workflows at the end, and with `approvals` those of workflows on hold, once
    nothing else is in progress. `fresh` were read in this poll.
    """
    if every_job:
        return tuple(one for one in state.workflows.values() if one.id not in state.final | fresh)
    current = current_workflows(state)
    if assessment.over:
        return tuple(
            one for one in current if one.status not in ("success", "not_run") and one.id not in state.final | fresh
        )
    unfinished = [one for one in current if one.status not in WORKFLOW_ENDED]
    if approvals and unfinished and all(one.status == "on_hold" for one in unfinished):
        return tuple(one for one in unfinished if one.id not in fresh)
    return ()


def assess(
    state: RunState,
    *,
    idle: float,
    awaited: frozenset[str] = frozenset(),
    approved: frozenset[str] = frozenset(),
) -> Assessment:
    """The assessment of a run, `idle` seconds after the last observed change.

    `awaited` are ids of requested reruns that have to appear, `approved` the ids of approvals that were sent and may
    not be visible yet.
    """
    if state.pipeline is None:
        return Assessment("pending")
    current = current_workflows(state)
    unfinished = [one for one in current if one.status not in WORKFLOW_ENDED]
    if unfinished:
        held = _is_held(state, unfinished, approved) and not _is_missing(state, awaited, idle)
        return Assessment(_status_underway(current), held=held)
    if _may_continue(state, state.pipeline, current, idle) or _is_missing(state, awaited, idle):
        return Assessment(_status_underway(current) if current else "pending")
    if state.pipeline.state == "errored":
        return Assessment("errored", over=True)
    return Assessment(_status_at_end(current), over=True)


def _is_missing(state: RunState, awaited: frozenset[str], idle: float) -> bool:
    return not awaited <= state.workflows.keys() and idle < WORKFLOW_DELAY


def _may_continue(state: RunState, pipeline: RunPipeline, current: tuple[RunWorkflow, ...], idle: float) -> bool:
    """Whether more may follow although every observed workflow has ended."""
    if pipeline.state == "errored":
        return False
    if pipeline.state in ("pending", "setup-pending"):
        return True
    if any(one.status != "success" and if_available(lambda it: it.is_setup, one) for one in current):
        return _reruns_itself(current, idle)
    if pipeline.state != "created" or all(one.status == "success" and _may_be_setup(one) for one in current):
        return idle < WORKFLOW_DELAY
    return _reruns_itself(current, idle) or (idle < START_WINDOW and _lasted(current) < START_WINDOW)


def _may_be_setup(workflow: RunWorkflow) -> bool:
    """Whether it is a setup workflow, or may be one: then others are expected after its success."""
    return if_available(lambda: workflow.is_setup) is not False


def _lasted(current: tuple[RunWorkflow, ...]) -> float:
    """Seconds from the start of the last workflow to the last end, by the clock of the API; 0 if unavailable."""
    begun = max(_begun(one) for one in current)
    ended = max(_ended(one) for one in current)
    return 0.0 if begun is _EARLIEST else (ended - begun).total_seconds()


def _ended(workflow: RunWorkflow) -> datetime:
    return if_available(lambda: workflow.stopped_at) or _begun(workflow)


def _reruns_itself(current: Iterable[RunWorkflow], idle: float) -> bool:
    """Whether an automatic rerun may follow, also if the number of those that are left is unavailable."""
    return idle < RERUN_WINDOW and any(one.status == "failed" and _may_rerun(one) for one in current)


def _may_rerun(workflow: RunWorkflow) -> bool:
    return if_available(lambda: workflow.auto_reruns_left) != 0


def _is_held(state: RunState, unfinished: Iterable[RunWorkflow], approved: frozenset[str]) -> bool:
    """Whether every unfinished workflow is on hold and an approval is pending."""
    ids: set[str] = set()
    for workflow in unfinished:
        if workflow.status != "on_hold":
            return False
        ids.add(workflow.id)
    return any(job.workflow_id in ids and approval_id(job) not in approved for job in waiting_approvals(state))


def approval_id(job: RunJob) -> str | None:
    """The id for `v2.workflows.approve`; None if it is unavailable."""
    return if_available(lambda: job.approval_request_id) or if_available(lambda: job.id)


def _status_underway(current: Iterable[RunWorkflow]) -> RunStatus:
    seen = {str(one.status) for one in current}
    if seen & {"failing", "failed", "error", "unauthorized"}:
        return "failing"
    if seen - WORKFLOW_ENDED == {"on_hold"}:
        return "on_hold"
    return "running"


def _status_at_end(current: Iterable[RunWorkflow]) -> RunStatus:
    seen = {str(one.status) for one in current}
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
    """Seconds until the next poll of a run.

    Short at first, longer with the `age` of the watch in seconds. The rate limit is shared by all runs watched with
    this client, with `calls` for each poll. `retry_after` is the server's minimum. `chance`, between 0 and 1, is the
    jitter.
    """
    pace = max(FASTEST, min(age / 10, max(SLOW, min(SLOWEST, age / 60))))
    delay = pace * (0.85 + 0.3 * chance)
    if rate_limit is not None:
        if rate_limit.limit and rate_limit.window:
            delay = max(delay, calls * watched * rate_limit.window / rate_limit.limit)
        if rate_limit.remaining is not None and rate_limit.remaining < calls and rate_limit.reset:
            delay = max(delay, rate_limit.reset)
    return max(delay, retry_after or 0.0)
