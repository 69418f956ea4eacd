"""How a run ended, or stands: what `Run.wait` gives and what its errors carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.errors import InvalidArgumentError, RunFailedError
from circleci_sdk._public import public

from .state import JOB_FAILED, RunState, Verdict, jobs_of, newest, waiting_approvals

if TYPE_CHECKING:
    from circleci_sdk.client import AsyncCircleCI

    from .explain import Explanation
    from .facts import RunJob, RunStatus, RunWorkflow

_FAILED: Final = frozenset({"failing", "failed", "errored", "canceled", "unauthorized", "not_run"})


@public("circleci_sdk.helpers")
@dataclass(frozen=True)
class RunResult:
    """How a run ended, or how it stood when nobody waited any longer.

    Attributes:
        status: where it stands; see `RunStatus`.
        is_over: whether it has come to its end.
        pipeline_id: the id of its pipeline.
        number: the number of the pipeline in its project, None if the API has not told it yet.
        project_slug: the project, None if the API has not told it yet.
        url: its page in the web app, None if the API has not told its number yet.
        errors: why the pipeline could not be made.
        workflows: of each name the newest one, so that a rerun counts and not what it replaces.
        failed_jobs: the jobs of these workflows that ended without success, canceled ones included.
        approvals: the approvals that somebody has to give before it goes on.
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
    _circleci: AsyncCircleCI | None = field(default=None, repr=False, compare=False, kw_only=True)

    @property
    def is_success(self) -> bool:
        """Whether it is over and all went well."""
        return self.status == "success"

    def raise_for_failure(self) -> None:
        """Raise `RunFailedError`, which carries this result, if the run has failed, or a part of it has.

        A run that is still under way or on hold has not failed.
        """
        if self.status in _FAILED:
            raise RunFailedError(f"{self.describe()}.", result=self)

    def describe(self) -> str:
        """One sentence for people: which run, how it stands, and what is to blame."""
        name = f"Run {self.number} of {self.project_slug}" if self.number is not None else f"Run {self.pipeline_id}"
        parts = [*self.errors, *(f"{job.workflow_name}/{job.name}: {job.status}" for job in self.failed_jobs)]
        if not self.is_over:
            parts += [f"{job.workflow_name}/{job.name} waits for approval" for job in self.approvals]
            parts += [f"{one.name}: {one.status}" for one in self.workflows if one.status != "success"]
        elif not parts:
            parts = [f"{one.name}: {one.status}" for one in self.workflows if one.status != "success"]
        shown = "; ".join(parts[:10]) + ("; ..." if len(parts) > 10 else "")
        where = f" {self.url}" if self.url else ""
        return f"{name}: {self.status}{f' ({shown})' if shown else ''}{where}"

    async def explain(
        self,
        *,
        tail: int = 50,
        concurrency: int = 8,
        timeout: float | None = 300.0,
        circleci: AsyncCircleCI | None = None,
    ) -> Explanation:
        """Gather why it failed: for each failed job its failed steps, the end of their output, and its failing tests.

        Everything is asked for at once: one call to v1.1 and one to v2 for each failed job, a download for each failed
        step, and one call for the flaky tests of the project. What cannot be had is named in the explanation.

        Args:
            tail: lines to keep of each step's output.
            concurrency: calls under way at once.
            timeout: seconds for all of it; what is not there by then is named as missing. None waits on.
            circleci: the client to ask. A result that was pickled needs one, others remember theirs.
        """
        client = circleci or self._circleci
        if client is None:
            raise InvalidArgumentError("explain: a result that was pickled has no client; pass circleci=.")
        from .explain import explain

        return await explain(client, self, tail=tail, concurrency=concurrency, timeout=timeout)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_circleci": None}


def result_of(circleci: AsyncCircleCI, pipeline_id: str, state: RunState, verdict: Verdict) -> RunResult:
    """The result out of what was seen."""
    pipeline = state.pipeline
    return RunResult(
        verdict.status,
        verdict.over,
        pipeline_id,
        pipeline.number if pipeline else None,
        pipeline.project_slug if pipeline else None,
        pipeline.url if pipeline else None,
        pipeline.errors if pipeline else (),
        newest(state),
        tuple(job for job in jobs_of(state) if job.status in JOB_FAILED),
        waiting_approvals(state),
        _circleci=circleci,
    )
