"""The status of a run by everything that was read, and what speaks against it. Pure functions.

`docs/guides/run-status.md` has the table of all statuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import UNAVAILABLE

from .facts import label
from .state import JOB_FAILED, PIPELINE_STATES, WORKFLOW_ENDED, WORKFLOW_FAILED, RunState, current_workflows

if TYPE_CHECKING:
    from .facts import RunJob, RunPipeline, RunStatus, RunWorkflow

PENDING: Final = frozenset({"pending", "setup-pending"})
"""States of pipelines that have no workflows yet."""


def has_unread_errors(pipeline: RunPipeline) -> bool:
    """Whether the errors of the pipeline are unavailable: then it is unknown whether there are any."""
    return not pipeline.is_complete and pipeline.errors == (UNAVAILABLE,)


def is_unclear(pipeline: RunPipeline) -> bool:
    """Whether the state or the errors of the pipeline are unknown, so that nothing proves a success."""
    return pipeline.state not in PIPELINE_STATES or (pipeline.state != "errored" and has_unread_errors(pipeline))


def status_underway(state: RunState, current: Iterable[RunWorkflow]) -> RunStatus:
    """The status of a run that may continue."""
    if _speaks_against(state, current):
        return "failing"
    unfinished = {str(one.status) for one in current if one.status not in WORKFLOW_ENDED}
    return "on_hold" if unfinished == {"on_hold"} else "running"


def _speaks_against(state: RunState, current: Iterable[RunWorkflow]) -> bool:
    pipeline = state.pipeline
    if pipeline is not None and (pipeline.state == "errored" or (pipeline.errors and not has_unread_errors(pipeline))):
        return True
    return any(one.status in WORKFLOW_FAILED | {"failing"} or one.id in state.gone for one in current) or bool(
        failures(state)
    )


def final_status(state: RunState, current: Sequence[RunWorkflow]) -> RunStatus:
    """The status of a run of which nothing more is expected."""
    pipeline = state.pipeline
    if pipeline is None or pipeline.state == "errored":
        return "errored"
    seen = {str(one.status) for one in current}
    if seen & {"failed", "error"} or any(one.id in state.gone for one in current):
        return "failed"
    if "unauthorized" in seen:
        return "unauthorized"
    if "canceled" in seen:
        return "canceled"
    ran = any(one.status == "success" and _is_known_not_to_be_setup(one) for one in current)
    if failures(state):
        return "failed"
    if pipeline.errors and not has_unread_errors(pipeline):
        return "failed" if ran else "errored"
    if not ran:
        return "not_run"
    return "failed" if pipeline.state in PENDING else "success"


def _is_known_not_to_be_setup(workflow: RunWorkflow) -> bool:
    return if_available(lambda: workflow.is_setup) is False


def failures(state: RunState) -> tuple[RunJob, ...]:
    """The failed jobs of current workflows that report no failure, as far as they were read.

    Not those that ran again: another job of the same name in the workflow succeeded.
    """
    found: list[RunJob] = []
    for workflow in current_workflows(state):
        if workflow.status not in ("success", "not_run"):
            continue
        jobs = state.jobs.get(workflow.id, {}).values()
        succeeded = {if_available(lambda one: one.name, job) for job in jobs if job.status == "success"} - {None}
        found += [
            job for job in jobs if job.status in JOB_FAILED and if_available(lambda one: one.name, job) not in succeeded
        ]
    return tuple(found)


def objections(state: RunState, *, is_over: bool) -> tuple[str, ...]:
    """What speaks against the success of a run, as sentences, failed workflows and jobs apart."""
    pipeline = state.pipeline
    if pipeline is None:
        return ()
    current = current_workflows(state)
    found = list(pipeline.errors)
    found += [
        f"workflow {label(one)} is no longer listed; its last status was {one.status}"
        for one in current
        if one.id in state.gone
    ]
    if not is_over:
        return tuple(found)
    if pipeline.state in PENDING or (pipeline.state == "setup" and not current):
        found.append(f"the pipeline has not started: its state is {pipeline.state}")
    if current and all(one.status == "success" and not _is_known_not_to_be_setup(one) for one in current):
        for one in current:
            if if_available(lambda it: it.is_setup, one):
                found.append(f"setup workflow {label(one)} was continued by no workflow")
            else:
                found.append(f"workflow {label(one)} may be a setup workflow, which was continued by no workflow")
    return tuple(found)
