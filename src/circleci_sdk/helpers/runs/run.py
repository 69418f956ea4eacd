"""One run: wait for it, watch it, approve, run again, cancel."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID
from weakref import WeakSet

from circleci_sdk._core.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    RunFailedError,
    RunTimeoutError,
)
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.retrying import patiently

from .arguments import check_rerun, choose_approval, choose_jobs, choose_workflow
from .facts import RunEvent, RunJob, RunWorkflow, app_of, job_of, pipeline_of, workflow_of
from .result import RunResult, result_of
from .state import WORKFLOW_ENDED, RunState, newest, see_pipeline, see_workflows
from .watcher import MISSING_OLD, OutOfTimeError, Watcher

if TYPE_CHECKING:
    from circleci_sdk.client import AsyncCircleCI

OnHold = Literal["wait", "return", "raise"]
_ON_HOLD: Final = ("wait", "return", "raise")
_HOUR: Final = 3600.0


@public("circleci_sdk.helpers")
class RunWatch(AsyncIterator[RunEvent]):
    """What happens in a run, as it happens. Made by `Run.watch`.

    The loop ends when the run is over. `result` says at any time how the run stands by what was seen of it. Leaving
    the loop early sends nothing more and leaves nothing behind.
    """

    __slots__ = ("_events", "_result", "_watcher")

    def __init__(self, watcher: Watcher, result: Callable[[], RunResult]) -> None:
        self._watcher = watcher
        self._result = result
        self._events: deque[RunEvent] = watcher.events

    @property
    def result(self) -> RunResult:
        """How the run stands by what was seen so far."""
        return self._result()

    def __aiter__(self) -> RunWatch:
        return self

    async def __anext__(self) -> RunEvent:
        while not self._events:
            if self._watcher.is_done:
                self._watcher.leave()
                raise StopAsyncIteration
            try:
                await self._watcher.step()
            except OutOfTimeError:
                if not self._events:
                    self._watcher.leave()
                    raise _timed_out(self.result) from None
        return self._events.popleft()


@public("circleci_sdk.helpers")
class Run:
    """A pipeline with its workflows. Made by `circleci.runs`.

    `id` is the id of the pipeline, `number` its number in the project and `project_slug` the project; the two are None
    on a run that was attached by its id alone.
    """

    def __init__(
        self,
        circleci: AsyncCircleCI,
        crowd: WeakSet[Watcher],
        pipeline_id: str,
        *,
        number: int | None = None,
        project_slug: str | None = None,
        missing: float = MISSING_OLD,
    ) -> None:
        self.id: Final = pipeline_id
        self.number = number
        self.project_slug = project_slug
        self._circleci = circleci
        self._crowd = crowd
        self._missing = missing
        self._awaited: set[str] = set()
        self._approved: set[str] = set()

    def __repr__(self) -> str:
        name = f"{self.project_slug} {self.number}" if self.number is not None else self.id
        return f"<Run {name}>"

    def watch(self, *, timeout: float | None = _HOUR) -> RunWatch:
        """See everything that happens: `async for event in run.watch()`.

        First comes what is there already, as events without a `previous`. Then each change once: of the pipeline, its
        workflows, jobs and approvals. What changes twice between two looks is seen once. The loop ends with the run.

        Args:
            timeout: seconds until it gives up; None watches on for ever.

        Raises:
            RunTimeoutError: from the loop; it carries the result so far. The run goes on.
            NotFoundError: from the loop; the pipeline does not exist, or this token may not see it.

        For each look: one call for the workflows, one for the jobs of each workflow that has not ended, and until there
        are workflows one for the pipeline.
        """
        watcher = self._watcher(timeout, every_job=True, holds=True)
        return RunWatch(watcher, partial(self._result, watcher))

    async def wait(self, *, timeout: float | None = _HOUR, on_hold: OnHold = "wait") -> RunResult:
        """Wait until the run is over.

        The run is over when all its workflows are, of each name the newest one; a setup workflow alone is not the
        end, nor is a status that this version does not know. A pipeline that has no workflows ten minutes after it was
        made is over too, as `not_run`.

        Args:
            timeout: seconds until it gives up; None waits for ever.
            on_hold: what to do when nothing goes on without an approval: `"wait"`, `"return"` a result whose status is
                `on_hold` and which names the `approvals`, or `"raise"`.

        Raises:
            RunTimeoutError: the time is over. The run goes on; the error carries the result so far.
            RunFailedError: it is on hold, with `on_hold="raise"`. A run that ends badly raises nothing here; see
                `RunResult.raise_for_failure`.
            NotFoundError: the pipeline does not exist, or this token may not see it.

        One call for each look, two until there are workflows; at the end one for each workflow that has failed.
        """
        if on_hold not in _ON_HOLD:
            raise InvalidArgumentError(f"wait: on_hold is one of {', '.join(_ON_HOLD)}, not {on_hold!r}.")
        watcher = self._watcher(timeout, every_job=False, holds=on_hold != "wait")
        try:
            while True:
                await watcher.step()
                watcher.events.clear()
                held = on_hold != "wait" and watcher.verdict.held
                if held or watcher.is_done:
                    break
        except OutOfTimeError:
            raise _timed_out(self._result(watcher)) from None
        finally:
            watcher.leave()
        result = self._result(watcher)
        if held and on_hold == "raise":
            raise RunFailedError(f"{result.describe()}.", result=result)
        return result

    async def result(self) -> RunResult:
        """How the run stands right now, without waiting: its status, failed jobs and waiting approvals.

        One call for the pipeline, one for its workflows, one for each workflow with jobs that failed or wait.
        """
        watcher = self._watcher(None, every_job=False, holds=True)
        await patiently(self._circleci, watcher.look)
        return self._result(watcher)

    async def approve(self, *, job: str | None = None) -> RunJob:
        """Approve a job that is on hold, and return it.

        One that was approved before is returned too, and nothing is sent, so that it is safe to ask twice.

        Args:
            job: its name or id. Default: the only one that waits.

        Raises:
            InvalidArgumentError: no such approval waits, or several do; it lists what there is.

        Reads the workflows and the jobs of each that has not ended, then sends one approval, never twice.
        """
        state = await self._read()
        jobs: list[RunJob] = []
        for workflow in newest(state):
            if workflow.status not in WORKFLOW_ENDED or job is not None:
                jobs += await self._jobs_of(workflow)
        chosen = choose_approval(jobs, job)
        key = chosen.approval_request_id or chosen.id
        if chosen.status == "on_hold" and key not in self._approved:
            await self._circleci.v2.workflows.approve(chosen.workflow_id, key)
            self._approved.add(key)
        return chosen

    async def rerun(
        self,
        *,
        from_failed: bool = False,
        jobs: Sequence[str | UUID] | Unset = UNSET,
        ssh: bool = False,
        sparse_tree: bool = False,
        workflow: str | UUID | None = None,
    ) -> str:
        """Run a workflow again, and return the id of the new workflow. `wait` then waits for the new one.

        Args:
            from_failed: only the jobs that failed and what follows them; not together with `jobs`.
            jobs: only these jobs, by name or id, and what follows them.
            ssh: let you into the new jobs by SSH; needs `jobs`.
            sparse_tree: leave out what the jobs do not need; needs `jobs`.
            workflow: name or id of the workflow. Default: the only one, or with `from_failed` the only one that failed.

        Raises:
            InvalidArgumentError: arguments that exclude each other; or no workflow or job fits, or several do: it lists
                what there is.

        Reads the workflows, with `jobs` also the jobs of each, then sends one rerun, never twice.
        """
        wanted = check_rerun(jobs, from_failed=from_failed, ssh=ssh, sparse_tree=sparse_tree)
        there = newest(await self._read())
        name = None if workflow is None else str(workflow)
        if wanted is None:
            chosen = choose_workflow(there, name, failed_only=from_failed).id
            response = await self._circleci.v2.workflows.rerun(chosen, from_failed=from_failed or UNSET)
        else:
            if name is not None:
                there = (choose_workflow(there, name, failed_only=False),)
            chosen, ids = choose_jobs({one.id: await self._jobs_of(one) for one in there}, wanted)
            response = await self._circleci.v2.workflows.rerun(
                chosen, jobs=ids, enable_ssh=ssh or UNSET, sparse_tree=sparse_tree or UNSET
            )
        self._awaited.add(response.workflow_id)
        return response.workflow_id

    async def cancel(self) -> tuple[str, ...]:
        """Cancel all workflows that have not ended, and return the ids of those.

        It says that the request was taken; `wait` for the end. Workflows that end meanwhile are no error. A pipeline
        that has no workflows yet cannot be canceled. Reads the workflows, then one call for each.
        """
        state = await self._read()
        alive = [one.id for one in state.workflows.values() if one.status not in WORKFLOW_ENDED]
        return tuple([workflow_id for workflow_id in alive if await cancel_workflow(self._circleci, workflow_id)])

    def _watcher(self, timeout: float | None, *, every_job: bool, holds: bool) -> Watcher:
        return Watcher(
            self._circleci,
            self.id,
            self._crowd,
            timeout=timeout,
            missing=self._missing,
            every_job=every_job,
            holds=holds,
            awaited=self._awaited,
            approved=self._approved,
        )

    def _result(self, watcher: Watcher) -> RunResult:
        return result_of(self._circleci, self.id, watcher.state, watcher.verdict)

    async def _read(self) -> RunState:
        """The pipeline and all its workflows, as they are now."""
        v2, app = self._circleci.v2, app_of(self._circleci.base_url)
        pipeline = pipeline_of(await patiently(self._circleci, lambda: v2.pipelines.get(self.id)), app)
        workflows = await patiently(self._circleci, lambda: v2.pipelines.list_workflows(self.id).collect())
        state, _ = see_pipeline(RunState(), pipeline)
        return see_workflows(state, [workflow_of(one, pipeline) for one in workflows])[0]

    async def _jobs_of(self, workflow: RunWorkflow) -> list[RunJob]:
        jobs = await patiently(self._circleci, lambda: self._circleci.v2.workflows.list_jobs(workflow.id).collect())
        return [job_of(job, workflow) for job in jobs]


async def cancel_workflow(circleci: AsyncCircleCI, workflow_id: str) -> bool:
    """Cancel a workflow; False when it was over already."""
    try:
        await circleci.v2.workflows.cancel(workflow_id)
    except (NotFoundError, ConflictError):
        return False
    return True


def _timed_out(result: RunResult) -> RunTimeoutError:
    return RunTimeoutError(f"The time to wait is over, the run goes on. {result.describe()}.", result=result)
