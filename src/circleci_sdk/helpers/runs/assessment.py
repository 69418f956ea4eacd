"""The assessment of a run, what to read next and when: pure functions over the observed state.

An unavailable status is an unknown one: not ended, and no success. Other unavailable fields make no success either: see
where they are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.policy.rate_limit import usable_wait
from circleci_sdk.helpers._shared.available import if_available

from .final_status import PENDING, final_status, has_unread_errors, is_unclear, status_underway
from .state import (
    EARLIEST,
    RunState,
    approval_id,
    creation_time,
    current_workflows,
    has_ended,
    has_moving_jobs,
    waiting_approvals,
)

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk._core.policy.rate_limit import RateLimit

    from .facts import RunPipeline, RunStatus, RunWorkflow

WORKFLOW_DELAY: Final = 600.0
"""Seconds without any change after which no further workflow is expected."""
PENDING_DELAY: Final = 3600.0
"""Seconds without any change after which a pending pipeline is not expected to start."""
START_WINDOW: Final = 5.0
"""Seconds within which all workflows of a pipeline appear. A rejected workflow may end before others start."""
MAX_CLOCK_DIFFERENCE: Final = 86400.0
"""Seconds that the clock of the server may be ahead of the clock of this machine without a doubt."""
RERUN_WINDOW: Final = 30.0
"""Seconds after a failure within which an automatic rerun has to appear."""

MAY_BE_HELD: Final = frozenset({"on_hold", "failing"})
"""Statuses of workflows that may wait for an approval and nothing else."""

FASTEST: Final = 1.0
SLOW: Final = 9.5
SLOWEST: Final = 60.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """The assessment of a run. `held`: it does not continue without an approval."""

    status: RunStatus
    over: bool = False
    held: bool = False


def wants_pipeline(state: RunState, *, each_change: bool) -> bool:
    """Whether the pipeline itself may still change: until it is created and has more than a setup workflow.

    While a workflow is in progress the run continues, whatever the pipeline says: it is read for `each_change` alone.
    """
    if state.pipeline is None:
        return True
    if state.pipeline.state == "errored":
        return False
    if not each_change and any(not has_ended(state, one) for one in state.workflows.values()):
        return False
    unread = has_unread_errors(state.pipeline)
    return unread or state.pipeline.state != "created" or all(_may_be_setup(one) for one in state.workflows.values())


def wants_workflows(state: RunState, idle: float = 0.0) -> bool:
    """Whether there may be workflows to read: those of a pending pipeline only when it is late, or when it has some."""
    pipeline = state.pipeline
    return pipeline is not None and (pipeline.state not in PENDING or bool(state.workflows) or idle >= WORKFLOW_DELAY)


def wanted_jobs(
    state: RunState, assessment: Assessment, *, every_job: bool, approvals: bool, fresh: frozenset[str] = frozenset()
) -> tuple[RunWorkflow, ...]:
    """The workflows whose jobs to read now.

    `every_job` selects the jobs of all workflows, until each has ended. Otherwise only the jobs that the result
    contains are read: those of failed workflows at the end, and with `approvals` those of workflows that may wait for
    one, once no other is in progress. `fresh` were read in this poll.
    """
    read = state.gone | fresh
    if every_job:
        return tuple(one for one in state.workflows.values() if one.id not in state.final | read)
    current = current_workflows(state)
    if assessment.over:
        return tuple(
            one for one in current if one.status not in ("success", "not_run") and one.id not in state.final | read
        )
    unfinished = [one for one in current if not has_ended(state, one)]
    if approvals and unfinished and all(one.status in MAY_BE_HELD for one in unfinished):
        return tuple(one for one in unfinished if one.id not in fresh)
    return ()


def idle_seconds(
    latest: datetime | None,
    *,
    server_time: float,
    local_time: float,
    since_news: float,
    since_change: float | None,
) -> float:
    """How long a run has been quiet.

    That is counted from the `latest` time in the responses to the time of the server. A run whose last change was
    observed is not quiet for longer than that, `since_change` seconds. It is quiet at least for as long as it was
    observed without a change or a newer time, `since_news` seconds: so a `Date` header that stands still, or lies
    before the latest time, keeps no run for ever.

    A server that is far ahead of the clock of this machine may be wrong: then the less quiet of both counts, unless the
    clock of this machine is known to be wrong, since it is behind the latest time.
    """
    if latest is None:
        return since_news
    quiet = server_time - latest.timestamp()
    local = local_time - latest.timestamp()
    if server_time - local_time > MAX_CLOCK_DIFFERENCE and local >= 0:
        quiet = min(quiet, local)
    if since_change is not None:
        quiet = min(quiet, since_change)
    return max(quiet, since_news)


def assess(
    state: RunState,
    *,
    idle: float,
    waited: float | None = None,
    awaited: frozenset[str] = frozenset(),
    approved: frozenset[str] = frozenset(),
) -> Assessment:
    """The assessment of a run that has been quiet for `idle` seconds.

    `awaited` are ids of requested reruns that have to appear, since `waited` seconds, by default `idle`; `approved` the
    ids of approvals that were sent and may not be visible yet.
    """
    pipeline = state.pipeline
    if pipeline is None:
        return Assessment("pending")
    current = current_workflows(state)
    unfinished = [one for one in current if not has_ended(state, one)]
    is_missing = not awaited <= state.workflows.keys() and (idle if waited is None else waited) < WORKFLOW_DELAY
    if unfinished:
        held = _is_held(state, unfinished, approved) and not is_missing
        return Assessment(status_underway(state, current), held=held)
    if is_missing or _may_continue(pipeline, current, idle):
        return Assessment(status_underway(state, current) if current else "pending")
    status = final_status(state, current)
    if status in ("success", "not_run") and is_unclear(pipeline):
        return Assessment("running" if current else "pending")
    return Assessment(status, over=True)


def _may_continue(pipeline: RunPipeline, current: tuple[RunWorkflow, ...], idle: float) -> bool:
    """Whether more may follow although every observed workflow has ended."""
    if pipeline.state == "errored":
        return False
    if pipeline.state in PENDING:
        return idle < PENDING_DELAY
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
    start = max(creation_time(one) for one in current)
    ended = max(_ended(one) for one in current)
    return 0.0 if start is EARLIEST else (ended - start).total_seconds()


def _ended(workflow: RunWorkflow) -> datetime:
    return if_available(lambda: workflow.stopped_at) or creation_time(workflow)


def _reruns_itself(current: Iterable[RunWorkflow], idle: float) -> bool:
    """Whether an automatic rerun may follow, also if the number of those that are left is unavailable."""
    return idle < RERUN_WINDOW and any(one.status == "failed" and _may_rerun(one) for one in current)


def _may_rerun(workflow: RunWorkflow) -> bool:
    return if_available(lambda: workflow.auto_reruns_left) != 0


def _is_held(state: RunState, unfinished: Iterable[RunWorkflow], approved: frozenset[str]) -> bool:
    """Whether an approval is pending and no job of an unfinished workflow moves. Their jobs have to be known.

    `failing` says that a job has failed, not that others move.
    """
    ids: set[str] = set()
    for workflow in unfinished:
        if workflow.status not in MAY_BE_HELD or not state.jobs.get(workflow.id) or has_moving_jobs(state, workflow):
            return False
        ids.add(workflow.id)
    return any(job.workflow_id in ids and approval_id(job) not in approved for job in waiting_approvals(state))


def next_delay(
    *,
    age: float,
    calls: int,
    each_call: bool,
    watched: int,
    rate_limit: RateLimit | None,
    retry_after: float | None,
    chance: float,
) -> float:
    """Seconds until the next poll of a run.

    Short at first, longer with the `age` of the watch in seconds: an eighth of it until that is `SLOW`, later a
    sixtieth of it. So the end of a run of ten minutes is noticed within 6 seconds on average, with at most 90 polls.
    With `each_call` that is the time for each of the `calls` of a poll, so that these are at most 90. The rate limit is
    shared by all runs watched with this client. `retry_after` is the server's minimum. `chance`, between 0 and 1, is
    the jitter.
    """
    pace = max(FASTEST, min(age / 8, max(SLOW, min(SLOWEST, age / 60)))) * (calls if each_call else 1)
    delay = pace * (0.85 + 0.3 * chance)
    if rate_limit is not None:
        if rate_limit.limit and rate_limit.window:
            delay = max(delay, usable_wait(calls * watched * rate_limit.window / rate_limit.limit) or 0.0)
        if rate_limit.remaining is not None and rate_limit.remaining < calls and rate_limit.reset:
            delay = max(delay, rate_limit.reset)
    return max(delay, retry_after or 0.0)
