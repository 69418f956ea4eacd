"""The steps of a job at one moment: which have started, and what they have written so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from .plans import Step
    from .runs import FakeJob

MACHINE: Final = "Spin up environment"
"""The name of the step that each job begins with."""

FIRST_NUMBER: Final = 101
"""The number of the first step after the machine, which has the number 0."""

STUCK: Final = frozenset({"timedout", "canceled", "infrastructure_fail"})
"""States of a job that end a step before its command has ended."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that a step has written at a time."""

    at: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step that has started, as it is at one moment.

    `state` is `running`, `success`, `failed`, or the state of the job that ended it early. `number` identifies the
    step in its job; it is not its position.
    """

    number: int
    name: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    stdout: tuple[Write, ...] = ()
    stderr: tuple[Write, ...] = ()

    @property
    def is_machine(self) -> bool:
        """Whether it prepares the machine, and runs no command."""
        return self.number == 0


def step_runs(job: FakeJob, now: datetime) -> list[StepRun]:
    """The steps of a job that have started, in order; empty before the job starts."""
    if job.started_at is None:
        return []
    found = [StepRun(0, MACHINE, "success", job.started_at, job.started_at, None)]
    until = now if job.stopped_at is None else job.stopped_at
    start = job.started_at
    planned = job.steps
    for at, step in enumerate(planned):
        # The last step lasts as long as the job.
        end = None if at == len(planned) - 1 else start + timedelta(seconds=step.seconds)
        found.append(_step_run(job, FIRST_NUMBER + at, step, start, end, until))
        if end is None or end > until:
            break
        start = end
    return found


def _step_run(job: FakeJob, number: int, step: Step, start: datetime, end: datetime | None, until: datetime) -> StepRun:
    early = end is None or end > until
    ended_at = job.stopped_at if early else end
    stuck = early and job.state in STUCK
    state = "running" if ended_at is None else job.state if stuck else "failed" if step.exit_code else "success"
    writes = ((0.0, step.output), *step.writes)
    stdout = (
        Write(start + timedelta(seconds=seconds), content.encode() if isinstance(content, str) else content)
        for seconds, content in writes
        if content and start + timedelta(seconds=seconds) <= until
    )
    return StepRun(
        number,
        step.name,
        state,
        start,
        ended_at,
        None if stuck or ended_at is None else step.exit_code,
        tuple(stdout),
        (Write(ended_at, step.stderr.encode()),) if step.stderr and ended_at is not None else (),
    )


def step_run(job: FakeJob, number: int, now: datetime) -> StepRun | None:
    """The started step of that number; None if there is none."""
    return next((each for each in step_runs(job, now) if each.number == number), None)
