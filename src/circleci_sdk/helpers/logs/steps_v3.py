"""The steps of a job of v3, in the words of v1.1. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import try_field

from .steps import Step
from .steps_v1 import FAILED

if TYPE_CHECKING:
    from circleci_sdk.v3.models import JobDetails, JobStep

_WORDS: Final = {"succeeded": "success", "started": "running"}
"""Outcomes and phases of v3 that have another word in v1.1."""


def steps_of_job(job: JobDetails, project_slug: str | None, job_number: int | None) -> list[Step] | None:
    """The steps of a job, by parallel run, in order. None if they are unavailable: another version may have them."""
    executions = if_available(lambda: job.parallel_executions)
    if executions is None:
        waits = if_available(lambda: job.phase != "ended" and job.started_at is None)
        return [] if waits else None
    lists = [if_available(lambda one: one.steps, execution) for execution in executions]
    slug = if_available(lambda: job.project_id) if project_slug is None else project_slug
    steps: list[Step] = []
    for index, listed in enumerate(lists):
        if listed is None or slug is None or any(if_available(lambda one: one.num, step) is None for step in listed):
            return None
        steps += [_step_of(step, index, slug, job_number, job.id) for step in listed]
    return steps


def has_ended(step: JobStep) -> bool:
    """Whether the command of a step has ended."""
    return bool(if_available(lambda: step.phase == "ended" or step.ended_at is not None))


def _step_of(step: JobStep, index: int, project_slug: str, job_number: int | None, job_id: str) -> Step:
    stdout, stderr = (if_available(lambda: step.stdout_bytes), if_available(lambda: step.stderr_bytes))
    return Step(
        name=try_field(lambda: step.name),
        number=step.num,
        index=index,
        status=try_field(lambda: _status(step)),
        is_failed=_is_failed(step),
        exit_code=try_field(lambda: step.exit_code),
        timed_out=try_field(lambda: step.outcome == "timedout"),
        infrastructure_failed=try_field(lambda: step.outcome == "infrastructure_fail"),
        is_background=None,
        command=try_field(lambda: step.command),
        started_at=try_field(lambda: step.started_at),
        seconds=try_field(lambda: (step.ended_at - step.started_at).total_seconds() if step.ended_at else None),
        has_output=bool(stdout or stderr) or (stdout is None or stderr is None),
        stdout_bytes=stdout,
        stderr_bytes=stderr,
        project_slug=project_slug,
        job_number=job_number,
        job_id=job_id,
        api="v3",
        url=None,
    )


def _status(step: JobStep) -> str:
    word = step.outcome or step.phase
    return _WORDS.get(word, str(word))


def _is_failed(step: JobStep) -> bool:
    """Whether a step has failed, by what is available. Ended without an outcome it counts as failed, unless with 0."""
    outcome, code = if_available(lambda: step.outcome), if_available(lambda: step.exit_code)
    if outcome is not None:
        return outcome in FAILED or outcome == "errored" or (bool(code) and outcome != "succeeded")
    phase = if_available(lambda: step.phase)
    return (phase is None or phase == "ended" or bool(code)) and code != 0
