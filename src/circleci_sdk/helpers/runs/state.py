"""The observed state of a run, its changes by responses, and what it contains: pure functions.

The observed state only grows. A pipeline, workflow or job that has ended stays ended, even if a stale response says
otherwise later, so that no event is reported twice.

An unavailable status is an unknown one: not ended, and no success. It never replaces a known status: the next response
decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import UNAVAILABLE

from .facts import (
    ApprovalEvent,
    JobEvent,
    PipelineEvent,
    RunEvent,
    RunJob,
    RunPipeline,
    RunWorkflow,
    WorkflowEvent,
)

PIPELINE_STATES: Final = frozenset({"created", "errored", "setup-pending", "setup", "pending"})
WORKFLOW_FAILED: Final = frozenset({"failed", "error", "canceled", "unauthorized"})
WORKFLOW_ENDED: Final = WORKFLOW_FAILED | {"success", "not_run"}
WORKFLOW_STATUSES: Final = WORKFLOW_ENDED | {"queued", "running", "failing", "on_hold"}
JOB_FAILED: Final = frozenset(
    {"failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized", "canceled"}
)
JOB_ENDED: Final = JOB_FAILED | {"success", "not_run", "retried", "skipped"}
JOB_WAITING: Final = frozenset({"not_running", "on_hold", "blocked"})
"""Statuses of jobs that have not ended and wait for others, or for an approval."""
JOB_STATUSES: Final = JOB_ENDED | JOB_WAITING | {"queued", "running"}

JOBS_WINDOW: Final = 30.0
"""Seconds after the end of a workflow within which its jobs have to end."""

EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""Stands for an unavailable time of creation in comparisons."""


@dataclass(frozen=True, slots=True)
class RunState:
    """The observed state of a run.

    `jobs` are grouped by workflow id; `final` are the ids of the workflows whose jobs were read after their end, `gone`
    those of the workflows that had not ended when the API last knew them. `latest` is the newest time in all responses.
    """

    pipeline: RunPipeline | None = None
    workflows: Mapping[str, RunWorkflow] = field(default_factory=dict[str, RunWorkflow])
    jobs: Mapping[str, Mapping[str, RunJob]] = field(default_factory=dict[str, Mapping[str, RunJob]])
    final: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    latest: datetime | None = None


Change = tuple[RunState, list[RunEvent]]


def see_pipeline(state: RunState, seen: RunPipeline) -> Change:
    """The state after a response about the pipeline, and the new events."""
    known = state.pipeline
    state = replace(state, latest=_latest(state.latest, seen, "created_at", "updated_at"))
    if known is None or (known.state != "errored" and seen.state not in (known.state, UNAVAILABLE)):
        return replace(state, pipeline=seen), [PipelineEvent(seen, known.state if known else None)]
    if seen.state == known.state and (seen.errors != known.errors or seen.is_complete > known.is_complete):
        state = replace(state, pipeline=seen)
    return state, []


def _latest(latest: datetime | None, part: RunPipeline | RunWorkflow | RunJob, *names: str) -> datetime | None:
    """The newest of a time and of the times of a part with these names, as far as they are available."""
    for name in names:
        time: datetime | None = getattr(part, name, None)
        if time is not None and (latest is None or time > latest):
            latest = time
    return latest


def see_workflows(state: RunState, seen: Iterable[RunWorkflow]) -> Change:
    """The state after a page of workflows, and the new events."""
    workflows = dict(state.workflows)
    events: list[RunEvent] = []
    listed: set[str] = set()
    latest = state.latest
    for workflow in seen:
        listed.add(workflow.id)
        latest = _latest(latest, workflow, "created_at", "stopped_at")
        known = workflows.get(workflow.id)
        if known is None or (known.status not in WORKFLOW_ENDED and workflow.status not in (known.status, UNAVAILABLE)):
            workflows[workflow.id] = workflow
            events.append(WorkflowEvent(workflow, known.status if known else None))
        elif workflow.status == known.status and workflow.is_complete and not known.is_complete:
            workflows[workflow.id] = workflow
    return replace(state, workflows=workflows, latest=latest, gone=state.gone - listed), events


def see_jobs(state: RunState, workflow: RunWorkflow, seen: Iterable[RunJob], first: int = 0) -> Change:
    """The state after a page of the jobs of a workflow, and the new events. `first` is the position of its first."""
    jobs = dict(state.jobs.get(workflow.id, {}))
    events: list[RunEvent] = []
    latest = state.latest
    for position, job in enumerate(seen, first):
        latest = _latest(latest, job, "started_at", "stopped_at")
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
    return replace(state, jobs={**state.jobs, workflow.id: jobs}, latest=latest), events


def _identity(job: RunJob, position: int) -> str:
    """The id of a job; without one its name, its number or its position, which no other job of the workflow has."""
    for name in ("id", "name", "number"):
        if value := getattr(job, name, None):
            return value if name == "id" else f"{job.workflow_id}: {name} {value}"
    return f"{job.workflow_id}: {position}"


def _elsewhere(state: RunState, identity: str) -> RunJob | None:
    """The same job in another workflow: a rerun lists the jobs that it does not repeat."""
    return next((jobs[identity] for jobs in state.jobs.values() if identity in jobs), None)


def is_change(event: RunEvent) -> bool:
    """Whether the event is known to be new: not of a job or an approval that is read for the first time."""
    return event.previous is not None or isinstance(event, PipelineEvent | WorkflowEvent)


def in_order(state: RunState, events: Iterable[RunEvent]) -> list[RunEvent]:
    """The events of one poll, in chronological order.

    The pipeline, then workflow by workflow, oldest first: its start, its jobs, its end.
    """

    def position(event: RunEvent) -> tuple[object, ...]:
        match event:
            case PipelineEvent():
                return (0,)
            case WorkflowEvent(workflow, previous):
                return (1, creation_time(workflow), workflow.id, 0 if previous is None else 2)
            case JobEvent(job) | ApprovalEvent(job):
                return (1, creation_time(state.workflows[job.workflow_id]), job.workflow_id, 1)

    return sorted(events, key=position)


def has_ended(state: RunState, workflow: RunWorkflow) -> bool:
    """Whether nothing more is expected of a workflow: it has ended, or the API no longer knows it."""
    return workflow.status in WORKFLOW_ENDED or workflow.id in state.gone


def has_moving_jobs(state: RunState, workflow: RunWorkflow) -> bool:
    """Whether a job of the workflow, as far as they were read, neither has ended nor waits."""
    return any(job.status not in JOB_ENDED | JOB_WAITING for job in state.jobs.get(workflow.id, {}).values())


def mark_gone(state: RunState, workflow_id: str) -> RunState:
    """The state after the API no longer knows a workflow."""
    return replace(state, gone=state.gone | {workflow_id})


def mark_final(state: RunState, workflow: RunWorkflow, idle: float) -> RunState:
    """The state after all jobs of a workflow were read.

    `workflow` is the workflow as it was before the read, `idle` the seconds since the last change.
    """
    if workflow.status not in WORKFLOW_ENDED:
        return state
    if has_moving_jobs(state, workflow) and idle < JOBS_WINDOW:
        return state
    return replace(state, final=state.final | {workflow.id})


def current_workflows(state: RunState) -> tuple[RunWorkflow, ...]:
    """The newest workflow of each name, in the order in which the names first appeared.

    A workflow whose name or time of creation is unavailable counts on its own: no rerun can be known to replace it.
    """
    chosen: dict[tuple[str, str], RunWorkflow] = {}
    for workflow in sorted(state.workflows.values(), key=creation_time):
        group = _group(workflow)
        other = chosen.get(group)
        if other is None or _age(workflow) > _age(other):
            chosen[group] = workflow
    return tuple(chosen.values())


def _group(workflow: RunWorkflow) -> tuple[str, str]:
    """A key that is the same for a workflow and its reruns."""
    name = if_available(lambda: workflow.name)
    return ("id", workflow.id) if name is None or creation_time(workflow) is EARLIEST else ("name", name)


def creation_time(workflow: RunWorkflow) -> datetime:
    """When the workflow was created; `EARLIEST` if that is unavailable."""
    return if_available(lambda: workflow.created_at) or EARLIEST


def _age(workflow: RunWorkflow) -> tuple[datetime, bool]:
    """A sort key: a rerun may start at the very time at which the first one ended."""
    return creation_time(workflow), workflow.status not in WORKFLOW_ENDED


def jobs_of(state: RunState) -> tuple[RunJob, ...]:
    """The jobs of the current workflows, as far as they were read."""
    return tuple(job for workflow in current_workflows(state) for job in state.jobs.get(workflow.id, {}).values())


def waiting_approvals(state: RunState) -> tuple[RunJob, ...]:
    """The approvals that are pending, as far as jobs were read."""
    unfinished = {workflow.id for workflow in current_workflows(state) if not has_ended(state, workflow)}
    return tuple(
        job for job in jobs_of(state) if job.is_approval and job.status == "on_hold" and job.workflow_id in unfinished
    )


def approval_id(job: RunJob) -> str | None:
    """The id for `v2.workflows.approve`; None if it is unavailable."""
    return if_available(lambda: job.approval_request_id) or if_available(lambda: job.id)
