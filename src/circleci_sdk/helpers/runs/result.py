"""The result of a run, its explanation, and the errors that carry a result.

They refer to each other (`RunFailedError.result`, `RunResult.raise_for_failure`, `Explanation.result`), so they live in
one module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.checks import at_least, check, or_none
from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.printable import printable
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.values import Value

from .facts import label
from .final_status import objections
from .state import JOB_FAILED, JOB_STATUSES, RunState, current_workflows, jobs_of, waiting_approvals

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import RequestOutcome

    from .assessment import Assessment
    from .explain import JobExplanation
    from .facts import RunJob, RunStatus, RunWorkflow

_FAILED: Final = frozenset({"failing", "failed", "errored", "canceled", "unauthorized", "not_run"})
COMMENT_LIMIT: Final = 60_000
"""Characters of a comment on GitHub, with a margin."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True)
class RunResult(Value):
    """The result of a run, or its state while it is in progress.

    Attributes:
        status: see `RunStatus`.
        is_over: whether the run has ended.
        pipeline_id: the id of its pipeline.
        number: the number of the pipeline in its project; None until the API reports it.
        project_slug: the project; None until the API reports it.
        url: its page in the web app; None until the API reports its number.
        errors: why the pipeline, or a part of it, could not be created, and what else speaks against a success, such as
            a setup workflow that was continued by no workflow.
        workflows: the newest workflow of each name: a rerun replaces the workflow that it repeats.
        failed_jobs: the jobs of these workflows that ended without success, canceled jobs included.
        approvals: the approvals that the run waits for.
        jobs: the jobs of these workflows that were read: all of them after `Run.watch`; after `Run.wait` and
            `Run.result` those of workflows that failed or wait. `Run.jobs` reads all.
    """

    status: RunStatus
    is_over: bool
    pipeline_id: str
    number: int | None
    project_slug: str | None
    url: str | None
    errors: tuple[str, ...] = ()
    workflows: tuple[RunWorkflow, ...] = ()
    failed_jobs: tuple[RunJob, ...] = ()
    approvals: tuple[RunJob, ...] = ()
    jobs: tuple[RunJob, ...] = ()

    @property
    def is_success(self) -> bool:
        """Whether the run has ended with success."""
        return self.status == "success"

    def raise_for_failure(self) -> None:
        """Raise `RunFailedError`, which carries this result, if the run or a part of it has failed.

        A run that is in progress or on hold has not failed.
        """
        if self.status in _FAILED:
            raise RunFailedError(f"{self.describe()}.", result=self)

    def describe(self) -> str:
        """One sentence: the run, its status, and the jobs or workflows that caused it."""
        parts = [*self.errors, *(f"{label(job)}: {job.status}" for job in self.failed_jobs)]
        if not self.is_over:
            parts += [f"{label(job)} waits for approval" for job in self.approvals]
        if not self.is_over or not parts:
            parts += [f"{label(one)}: {one.status}" for one in self.workflows if one.status != "success"]
        shown = "; ".join(parts[:10]) + ("; ..." if len(parts) > 10 else "")
        where = f" {self.url}" if self.url else ""
        return printable(f"{_name_of(self)}: {self.status}{f' ({shown})' if shown else ''}{where}", lines=True)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class Explanation(Value):
    """Why a run failed. `markdown` formats it.

    `jobs` are the failed jobs; `problems` lists what could not be read for the run as a whole.
    """

    result: RunResult
    jobs: tuple[JobExplanation, ...]
    problems: tuple[str, ...] = ()

    @property
    def flaky_only(self) -> bool:
        """Whether every failed job has failed tests and all of them are known to be flaky.

        False if another job may have failed, since its status is unavailable or unknown.
        """
        if _unclear_jobs(self.result):
            return False
        return bool(self.jobs) and all(job.tests and all(test.is_flaky for test in job.tests) for job in self.jobs)

    def markdown(self, *, limit: int | None = COMMENT_LIMIT) -> str:
        """The explanation as Markdown, for a comment or a message.

        It has at most `limit` characters: output is shortened, and finally left out, until it fits. None for no limit.
        """
        check("Explanation.markdown", limit=(limit, or_none(at_least(0))))
        lines = max((log.text.count("\n") + 1 for job in self.jobs for log in job.logs), default=0)
        text = self._format(lines)
        while limit is not None and len(text) > limit and lines:
            lines //= 2
            text = self._format(lines)
        if limit is not None and len(text) > limit:
            return text[: max(0, limit - 4)] + "\n..."
        return text

    def _format(self, lines: int) -> str:
        from .markdown import format_report

        result = self.result
        return format_report(
            _name_of(result), result.url, result.status, result.errors, self.jobs, self.problems, lines=lines
        )


@public("circleci_sdk")
class _RunError(CircleCIError):
    """Errors of a run. `result` is its state: a `circleci_sdk.helpers.RunResult`."""

    result: RunResult | None = None

    def __init__(self, message: str = "", *, result: RunResult | None = None) -> None:
        super().__init__(message)
        self.result = result


@public("circleci_sdk")
class RunFailedError(_RunError):
    """A run ended without success; or it waits for an approval and `on_hold="raise"` was given."""


@public("circleci_sdk")
class RunTimeoutError(_RunError, TimeoutError):
    """A run did not end within the timeout. The run itself continues."""


@public("circleci_sdk")
class RunSkippedError(CircleCIError):
    """The API accepted the trigger and started nothing; the message is the server's.

    `request_outcome` is `rejected`: see `CallError`.
    """

    request_outcome: RequestOutcome = "rejected"


def _unclear_jobs(result: RunResult) -> list[RunJob]:
    """The jobs of failed workflows whose status does not say whether they failed."""
    failed = {one.id for one in result.workflows if one.status not in ("success", "not_run")}
    return [job for job in result.jobs if job.status not in JOB_STATUSES and job.workflow_id in failed]


def _name_of(result: RunResult) -> str:
    if result.number is None:
        return f"Run {result.pipeline_id}"
    return f"Run {result.number} of {result.project_slug or 'unknown'}"


def result_of(pipeline_id: str, state: RunState, assessment: Assessment) -> RunResult:
    """The result of a run with this observed state and assessment."""
    pipeline, jobs = state.pipeline, jobs_of(state)
    return RunResult(
        assessment.status,
        assessment.over,
        pipeline_id,
        if_available(lambda: pipeline.number) if pipeline else None,
        if_available(lambda: pipeline.project_slug) if pipeline else None,
        if_available(lambda: pipeline.url) if pipeline else None,
        objections(state, is_over=assessment.over),
        current_workflows(state),
        tuple(job for job in jobs if job.status in JOB_FAILED),
        waiting_approvals(state),
        jobs,
    )


async def explain(
    caller: Caller, result: RunResult, method: str, *, tail: int, concurrency: int, timeout: float | None
) -> Explanation:
    """Read why a run failed. See `Runs.explain`; `method` is the public method for error texts."""
    from .explain import explain_jobs

    jobs, problems = await explain_jobs(
        caller,
        result.failed_jobs,
        result.project_slug,
        method,
        tail=tail,
        concurrency=concurrency,
        timeout=timeout,
    )
    unclear = tuple(f"{label(job)}: its status is {job.status}: it may have failed" for job in _unclear_jobs(result))
    return Explanation(result, jobs, unclear + problems)
