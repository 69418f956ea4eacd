"""The observed state of a run, its changes by responses, and what it contains: pure functions.

The observed state only grows. A pipeline, workflow or job that has ended stays ended, even if a stale response says
otherwise later, so that no event is reported twice.

An unavailable status is an unknown one: not ended, and no success. It never replaces a known status: the next response
decides. Neither does another unavailable field: what was read of it stays. A job without an id is recognized by its
name or its number, so that it is not reported as another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import UNAVAILABLE, filled

from .facts import (
    ApprovalEvent,
    JobEvent,
    PipelineEvent,
    RunEvent,
    RunJob,
    RunPipeline,
    RunWorkflow,
    WorkflowEvent,
    is_approval,
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
        if known is None:
            workflows[workflow.id] = workflow
            events.append(WorkflowEvent(workflow, None))
        elif known.status not in WORKFLOW_ENDED and workflow.status not in (known.status, UNAVAILABLE):
            workflows[workflow.id] = changed = _with_facts(workflow, known)
            events.append(WorkflowEvent(changed, known.status))
        elif workflow.status in (known.status, UNAVAILABLE):
            workflows[workflow.id] = _with_facts(known, workflow)
    return replace(state, workflows=workflows, latest=latest, gone=state.gone - listed), events


def _with_facts(workflow: RunWorkflow, other: RunWorkflow) -> RunWorkflow:
    """The workflow with what another response about it says in place of its gaps.

    A response without the tag of a setup workflow does not show that it is none.
    """
    merged = filled(workflow, other)
    if if_available(lambda: other.is_setup) and not merged.is_setup:
        return replace(merged, is_setup=True)
    return merged


def see_jobs(state: RunState, workflow: RunWorkflow, seen: Iterable[RunJob], first: int = 0) -> Change:
    """The state after a page of the jobs of a workflow, and the new events. `first` is the position of its first."""
    jobs = dict(state.jobs.get(workflow.id, {}))
    events: list[RunEvent] = []
    latest = state.latest
    page = list(seen)
    for job, key in zip(page, _keys(jobs, page, first), strict=True):
        latest = _latest(latest, job, "started_at", "stopped_at")
        own = if_available(lambda it: it.id, job)
        if own and key in jobs and key != own and not _has_id(jobs[key]):
            jobs = {own if one == key else one: each for one, each in jobs.items()}
            key = own
        known = jobs.get(key)
        if known is None and (other := _elsewhere(state, key)) is not None and other.status == job.status:
            jobs[key] = job
            continue
        if known is not None and job.status in (known.status, UNAVAILABLE):
            jobs[key] = filled(known, job)
            continue
        if known is not None and known.status in JOB_ENDED:
            continue
        jobs[key] = changed = filled(job, known) if known else job
        previous = known.status if known else None
        events.append(ApprovalEvent(changed, previous) if is_approval(changed) else JobEvent(changed, previous))
    return replace(state, jobs={**state.jobs, workflow.id: jobs}, latest=latest), events


def _has_id(job: RunJob) -> bool:
    return bool(if_available(lambda: job.id))


def _keys(jobs: Mapping[str, RunJob], page: Sequence[RunJob], first: int) -> list[str]:
    """The keys of the jobs of a page in `jobs`, each another one.

    Jobs with an id come first: one without may be any of those that are left.
    """
    keys: dict[int, str] = {}
    taken = {job.id for job in page if _has_id(job)}
    for index in sorted(range(len(page)), key=lambda one: not _has_id(page[one])):
        keys[index] = _key(jobs, page[index], first + index, taken)
        taken.add(keys[index])
    return [keys[index] for index in range(len(page))]


def _key(jobs: Mapping[str, RunJob], job: RunJob, position: int, taken: set[str]) -> str:
    """The key of the job in `jobs`, where it may be known without the id, or be without it now; else a new one."""
    own = _identity(job, position)
    if own in jobs and (own not in taken or _has_id(job)):
        return own
    left = {key: one for key, one in jobs.items() if key not in taken and not (_has_id(job) and _has_id(one))}
    for name in ("name", "number"):
        value = getattr(job, name, None)
        same = [key for key, one in left.items() if value is not None and getattr(one, name, None) == value]
        if len(same) == 1:
            return same[0]
    place = f"{job.workflow_id}: {position}"
    return place if place in left else own


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
