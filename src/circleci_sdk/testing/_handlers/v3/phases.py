"""The phases and outcomes of API v3, from the states of runs.

The tables are complete. Not seen on CircleCI are the rows of approvals and of `skipped`, `retried` and
`terminated-unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from circleci_sdk.testing._handlers.context import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakePipeline, FakeWorkflow, JobState, WorkflowState


class Progress(NamedTuple):
    """A phase, and the outcome of what has ended or the current one of what has started."""

    phase: str
    outcome: str | None = None


_ENDED = "ended"
JOBS: Final[dict[JobState, Progress]] = {
    "blocked": Progress("created"),
    "queued": Progress("queued"),
    "on_hold": Progress("queued"),
    "running": Progress("started"),
    "success": Progress(_ENDED, "succeeded"),
    "failed": Progress(_ENDED, "failed"),
    "canceled": Progress(_ENDED, "canceled"),
    "timedout": Progress(_ENDED, "timedout"),
    "infrastructure_fail": Progress(_ENDED, "infrastructure_fail"),
    "unauthorized": Progress(_ENDED, "unauthorized"),
    "terminated-unknown": Progress(_ENDED, "errored"),
    "retried": Progress(_ENDED, "infrastructure_fail"),
    "skipped": Progress(_ENDED, "not_run"),
    "not_run": Progress(_ENDED, "not_run"),
}
WORKFLOWS: Final[dict[WorkflowState, Progress]] = {
    "queued": Progress("queued"),
    "running": Progress("started", "succeeded"),
    "on_hold": Progress("started", "succeeded"),
    "failing": Progress("started", "failed"),
    "success": Progress(_ENDED, "succeeded"),
    "failed": Progress(_ENDED, "failed"),
    "error": Progress(_ENDED, "errored"),
    "canceled": Progress(_ENDED, "canceled"),
    "unauthorized": Progress(_ENDED, "unauthorized"),
    "not_run": Progress(_ENDED, "not_run"),
}
STEPS: Final[dict[str, Progress]] = {
    "running": Progress("started"),
    "success": Progress(_ENDED, "succeeded"),
    "failed": Progress(_ENDED, "failed"),
    "timedout": Progress(_ENDED, "timedout"),
    "canceled": Progress(_ENDED, "canceled"),
    "infrastructure_fail": Progress(_ENDED, "infrastructure_fail"),
}
_WORST_FIRST: Final = ("errored", "failed", "unauthorized", "canceled", "not_run", "succeeded")
"""Outcomes of workflows. The outcome of a run is the worst of them."""

_STATUSES: Final = {"succeeded": "success", "errored": "error"}
"""Statuses in searches that differ from the outcome."""


def show_progress(progress: Progress) -> JsonObject:
    """The members of a job, a workflow or a step: `outcome` only at the end, `current_outcome` only before."""
    name = "outcome" if progress.phase == _ENDED else "current_outcome"
    return present(phase=progress.phase, **{name: progress.outcome})


def progress_of_job(job: FakeJob) -> Progress:
    return JOBS[job.state]


def progress_of_workflow(workflow: FakeWorkflow) -> Progress:
    return WORKFLOWS[workflow.state]


def progress_of_run(pipeline: FakePipeline) -> Progress:
    """The phase of a run, and its current outcome, which it keeps when it has ended."""
    if pipeline.state == "errored":
        return Progress(_ENDED, "errored")
    latest = _latest(pipeline)
    if not latest:
        return Progress("created") if _continues(pipeline) else Progress(_ENDED, "not_run")
    found = [WORKFLOWS[workflow.state] for workflow in latest]
    worst = next((each for each in _WORST_FIRST if any(each == one.outcome for one in found)), None)
    if all(one.phase == _ENDED for one in found) and not _continues(pipeline):
        return Progress(_ENDED, worst)
    if all(one.phase == "queued" for one in found):
        return Progress("queued")
    return Progress("started", "failed" if worst in ("failed", "errored") else worst)


def status_of_run(pipeline: FakePipeline) -> str:
    """The value of `pipeline.status` in searches."""
    phase, outcome = progress_of_run(pipeline)
    if phase == _ENDED:
        return _STATUSES.get(outcome or "", outcome or "")
    if phase != "started":
        return "queued"
    if outcome == "failed":
        return "failing"
    going = [workflow for workflow in _latest(pipeline) if not workflow.ended]
    return "on_hold" if going and all(workflow.state == "on_hold" for workflow in going) else "running"


def _latest(pipeline: FakePipeline) -> Sequence[FakeWorkflow]:
    """The newest workflow of each name: a rerun counts in place of what it repeats."""
    return list({workflow.name: workflow for workflow in pipeline.workflows}.values())


def _continues(pipeline: FakePipeline) -> bool:
    """Whether workflows of a pipeline are still to come."""
    return pipeline.state != "created" or pipeline.workflows_to_come > 0
