"""Steps of jobs and their output, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from circleci_sdk._public import public
from circleci_sdk.helpers._shared.partial import Partial
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.helpers._shared.versions import ApiVersion


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(Partial):
    """One step in one of the parallel runs of a job.

    Attributes:
        name: its name in the config, or its command.
        number: identifies it within its parallel run; ascending, with gaps. The same step has the same number in all
            parallel runs.
        index: the parallel run, from 0.
        status: such as `success`, `failed`, `running`, `canceled` or `timedout`; the words of v1.1 with v3 too.
        is_failed: whether it failed, timed out, was canceled, or had an infrastructure failure; also for a step whose
            status is unavailable.
        exit_code: of its command; None without a command and for commands that were terminated.
        timed_out: whether it exceeded its run time or its time without output.
        infrastructure_failed: whether the infrastructure of CircleCI failed; `status` may be `success` all the same.
        is_background: whether the job continued without waiting for it; None with v3, which does not say.
        command: the command, None if it has none.
        started_at: the start, None if unknown.
        seconds: its run time, None if unknown.
        has_output: whether there is output to read; True also if unknown.
        stdout_bytes: size of its standard output so far; None with v1.1, and if unknown.
        stderr_bytes: size of its standard error so far; None with v1.1, and if unknown.
        project_slug: the project of the job, as given; its id if only the id of the job was given.
        job_number: the number of the job, None if only its id was given.
        job_id: the id of the job, None with v1.1.
        api: the version of the API that it was read with, `v3` or `v1.1`. In a `StepLog` the one of its output.
    """

    name: str
    number: int
    index: int
    status: str
    is_failed: bool
    exit_code: int | None
    timed_out: bool
    infrastructure_failed: bool
    is_background: bool | None
    command: str | None
    started_at: datetime | None
    seconds: float | None
    has_output: bool
    stdout_bytes: int | None
    stderr_bytes: int | None
    project_slug: str
    job_number: int | None
    job_id: str | None
    api: ApiVersion
    url: str | None = field(repr=False)
    """The signed link to the output, None with v3. It is valid for a limited time and gives access without a token."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class StepLog(Value):
    """The output of a step, or the end of it.

    `text` is as the step wrote it, control characters included: see `circleci_sdk.printable`. With v3 standard error
    follows standard output. `is_cut`: the beginning is left out, or the server kept only a part. `problem`: why the
    output could not be read.
    """

    step: Step
    text: str
    is_cut: bool = False
    problem: str | None = None
