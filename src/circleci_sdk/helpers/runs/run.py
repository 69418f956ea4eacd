"""One run: wait for it, watch it, approve, rerun, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from uuid import UUID

from circleci_sdk._core.checks import check, instance, one_of
from circleci_sdk._core.errors import ConflictError, FieldUnavailableError, InvalidArgumentError, NotFoundError
from circleci_sdk._core.printable import printable
from circleci_sdk._core.serialization.slugs import pipeline_url
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._shared.arguments import check_filter, check_timeout
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import retry_reads

from .arguments import check_rerun, choose_approval, choose_jobs, choose_workflow
from .facts import RunJob, RunWorkflow, job_of, pipeline_of, workflows_of
from .memory import RunMemory
from .result import Explanation, RunFailedError, RunResult, explain, result_of
from .state import WORKFLOW_ENDED, RunState, approval_id, current_workflows, see_pipeline, see_workflows
from .watch import RunWatch, timed_out
from .watcher import Watcher, WatchTimeoutError

if TYPE_CHECKING:
    from circleci_sdk.v2._client import V2

    from .context import RunContext

OnHold: TypeAlias = Literal["wait", "return", "raise"]
"""What `Run.wait` does when the run does not continue without an approval."""
_ON_HOLD: Final = ("wait", "return", "raise")
_HOUR: Final = 3600.0
READS_AT_ONCE: Final = 8
"""Workflows whose jobs are read at once."""


@public("circleci_sdk.helpers")
class Run(Uncopied):
    """A pipeline with its workflows. Returned by the methods of `circleci.runs`.

    `id` is the id of the pipeline, `number` its number in the project, `project_slug` the project. `number` and
    `project_slug` are None if the run was attached by its id alone.
    """

    id: str
    number: int | None
    project_slug: str | None

    def __init__(
        self,
        context: RunContext,
        pipeline_id: str,
        number: int | None,
        project_slug: str | None,
        not_found_delay: float,
        /,
    ) -> None:
        self.id = pipeline_id
        self.number = number
        self.project_slug = project_slug
        self._context = context
        self._not_found_delay = not_found_delay
        self._memory = RunMemory()

    def __repr__(self) -> str:
        name = f"{self.project_slug} {self.number}" if self.number is not None else self.id
        return f"<Run {printable(name)}>"

    @property
    def url(self) -> str | None:
        """Its page in the web app; None if the number or the project is unknown (`RunResult.url` has it then)."""
        if self.number is None or self.project_slug is None or self.project_slug.count("/") != 2:
            return None
        return pipeline_url(self._context.app, self.project_slug, self.number)

    def watch(self, *, timeout: float | None = _HOUR) -> RunWatch:
        """Iterate over all events of the run: `async for event in run.watch()`.

        The current state comes first, as events without a `previous`; then each change of the pipeline, its workflows,
        jobs and approvals, once. Two changes between two polls are one event. The loop ends with the run.

        Args:
            timeout: seconds until it gives up, None for no limit.

        Raises:
            InvalidArgumentError: `timeout` is not above 0.
            RunTimeoutError: from the loop; the timeout has passed. It carries the result so far; the run continues.
            NotFoundError: from the loop; the pipeline does not exist, or is hidden from this token.

        Each poll makes one call for the workflows, one for the jobs of each workflow that has not ended, and, until
        there are workflows, one for the pipeline.
        """
        watcher = self._watcher("run.watch", timeout, every_job=True, approvals=True)
        return RunWatch(watcher, partial(self._result, watcher))

    async def wait(self, *, timeout: float | None = _HOUR, on_hold: OnHold = "wait") -> RunResult:
        """Wait for the end of the run.

        A run ends with its current workflows: the newest of each name. A setup workflow alone is not the end, nor is a
        status that this version does not know or that is unavailable. Whether more may follow is decided by the times
        in the responses: a run that ended long ago is over at the first look. A pipeline without workflows ten minutes
        after its last change has ended as `not_run`, a pending one after an hour. A workflow that is no longer listed
        and not found by its id has ended, and the run has failed. `docs/guides/run-status.md` has a table.

        A response 401 or 403, or one that cannot be used, is passed over: the third in a row is raised, and the first
        look raises it at once. Other errors of the server and the network, and a workflow without an id, are raised
        after 8 failures in a row that span at least 5 minutes.

        Args:
            timeout: seconds until it gives up, None for no limit.
            on_hold: what to do when the run does not continue without an approval: `"wait"`, `"return"` a result with
                the pending `approvals` and the status `on_hold`, or `failing` if a part has failed, or `"raise"`.

        Raises:
            InvalidArgumentError: an argument is invalid.
            RunTimeoutError: the timeout has passed. It carries the result so far; the run continues.
            RunFailedError: the run is on hold and `on_hold="raise"` was given. A run that fails raises nothing here;
                see `RunResult.raise_for_failure`.
            NotFoundError: the pipeline does not exist, or is hidden from this token.

        Each poll makes one call, about 85 of them in ten minutes, and notices the end after five seconds on average; in
        an hour about 180, and half a minute. The pipeline is read until there are workflows, and again when all of
        them have ended, if more may follow; at the end the jobs of each workflow that has failed. With `on_hold` other
        than `"wait"` a poll reads the jobs of a workflow that may be on hold in place of the list of workflows, while
        one of them is in progress. A poll that makes several calls is followed by a longer pause.
        """
        check("run.wait", on_hold=(on_hold, one_of(*_ON_HOLD)))
        watcher = self._watcher("run.wait", timeout, every_job=False, approvals=on_hold != "wait")
        try:
            while True:
                await watcher.step()
                watcher.events.clear()
                held = on_hold != "wait" and watcher.assessment.held
                if held or watcher.is_done:
                    break
        except WatchTimeoutError:
            raise timed_out("run.wait", self._result(watcher)) from None
        finally:
            watcher.close()
        result = self._result(watcher)
        if held and on_hold == "raise":
            raise RunFailedError(f"{result.describe()}.", result=result)
        return result

    async def result(self) -> RunResult:
        """The current state of the run: its status, failed jobs and pending approvals. Does not wait.

        Raises:
            NotFoundError: the pipeline does not exist, or is hidden from this token.
            FieldUnavailableError: the id of a workflow is unavailable, so that the state is unknown.

        One call for the pipeline, one for its workflows, one for each workflow that failed or is on hold.
        """
        watcher = self._watcher("run.result", None, every_job=False, approvals=True)
        await retry_reads(self._context.caller, watcher.poll)
        return self._result(watcher)

    async def jobs(self) -> tuple[RunJob, ...]:
        """All jobs of the current workflows (the newest of each name), approvals included.

        Raises:
            NotFoundError: the pipeline does not exist, or is hidden from this token.
            FieldUnavailableError: the id of a workflow is unavailable, so that its jobs are unknown.

        One call for the pipeline, one for its workflows, one for each of the current workflows and page of jobs.
        """
        state, unidentified = await self._read()
        if unidentified:
            raise unidentified[0]
        return tuple(chain.from_iterable(await self._jobs_of(current_workflows(state))))

    async def explain(
        self, result: RunResult, *, tail: int = 50, concurrency: int = 8, timeout: float | None = 300.0
    ) -> Explanation:
        """Read why this run failed, from its `result`. See `Runs.explain`.

        Raises:
            InvalidArgumentError: an argument is invalid, or the result is that of another run.
        """
        check("run.explain", result=(result, instance("a RunResult", RunResult)))
        if result.pipeline_id != self.id:
            raise InvalidArgumentError(
                f"run.explain: result: expected a result of run {self.id}, got one of {result.pipeline_id}."
            )
        caller = self._context.caller
        return await explain(caller, result, "run.explain", tail=tail, concurrency=concurrency, timeout=timeout)

    async def approve(self, *, job: str | Unset = UNSET) -> RunJob:
        """Approve a job that is on hold, and return it.

        A job that was approved before is returned without a further request, so that a repeated call is safe.

        Args:
            job: its name or id. Default: the only pending approval.

        Raises:
            InvalidArgumentError: no pending approval matches, or several do or may do, since the type or status of a
                job is unavailable; the message lists them. Nothing was approved.
            FieldUnavailableError: the id of a workflow is unavailable, so that its approvals are unknown; pass `job`.

        Reads the workflows and the jobs of each that has not ended, then sends one approval, never twice.
        """
        check_filter("run.approve", "job", job)
        state, unidentified = await self._read()
        if unidentified and job is UNSET:
            raise unidentified[0]  # its approvals are unknown
        workflows = [one for one in current_workflows(state) if one.status not in WORKFLOW_ENDED or job is not UNSET]
        chosen = choose_approval(list(chain.from_iterable(await self._jobs_of(workflows))), job)
        key = approval_id(chosen) or chosen.id
        if chosen.status == "on_hold" and key not in self._memory.approved:
            await self._context.v2.workflows.approve(chosen.workflow_id, key)
            self._memory.approved.add(key)
        return chosen

    async def rerun(
        self,
        *,
        from_failed: bool = False,
        jobs: Sequence[str | UUID] | Unset = UNSET,
        ssh: bool = False,
        sparse_tree: bool = False,
        workflow: str | UUID | Unset = UNSET,
    ) -> str | None:
        """Rerun a workflow, and return the id of the new workflow. `wait` then waits for the new one.

        None if the API accepts the rerun without a readable id. The request is not sent again; `wait` waits for a new
        workflow all the same.

        Args:
            from_failed: only the jobs that failed and their dependents; excludes `jobs`.
            jobs: only these jobs, by name or id, and their dependents.
            ssh: allow SSH access to the new jobs; requires `jobs`.
            sparse_tree: leave out jobs that the selected ones do not need; requires `jobs`.
            workflow: name or id of the workflow. Default: the only one, or with `from_failed` the only failed one.

        Raises:
            InvalidArgumentError: arguments exclude each other; or no workflow or job matches, or several do or may
                do, since a status is unavailable: the message lists them. Nothing was rerun.
            FieldUnavailableError: the id of a workflow is unavailable, which may be the one to rerun; pass `workflow`.

        Reads the workflows, with `jobs` also the jobs of each, then sends one rerun, never twice.
        """
        wanted = check_rerun(jobs, workflow, from_failed=from_failed, ssh=ssh, sparse_tree=sparse_tree)
        state, unidentified = await self._read()
        if unidentified and workflow is UNSET:
            raise unidentified[0]  # it may be the one to rerun
        current = current_workflows(state)
        name = None if workflow is UNSET else str(workflow)
        workflows = self._context.v2.workflows
        if wanted is None:
            chosen = choose_workflow(current, name, failed_only=from_failed).id
            response = await workflows.rerun(chosen, from_failed=from_failed or UNSET)
        else:
            if name is not None:
                current = (choose_workflow(current, name, failed_only=False),)
            jobs_of = dict(zip((one.id for one in current), await self._jobs_of(current), strict=True))
            chosen, ids = choose_jobs(jobs_of, wanted)
            response = await workflows.rerun(
                chosen, jobs=ids, enable_ssh=ssh or UNSET, sparse_tree=sparse_tree or UNSET
            )
        new = getattr(response, "workflow_id", None)
        if not isinstance(new, str) or not new:
            self._memory.before.append(frozenset(state.workflows))
            return None
        self._memory.awaited.add(new)
        return new

    async def cancel(self) -> tuple[str, ...]:
        """Cancel all workflows that have not ended, and return their ids.

        The API has accepted the requests then; `wait` waits for the end. Workflows that end meanwhile are no error. A
        pipeline that has no workflows yet cannot be canceled. Reads the workflows, then makes one call for each.

        Raises:
            FieldUnavailableError: the id of a workflow is unavailable. All others are canceled.
        """
        (state, unidentified), v2 = await self._read(), self._context.v2
        unfinished = [one.id for one in state.workflows.values() if one.status not in WORKFLOW_ENDED]
        canceled = tuple([workflow_id for workflow_id in unfinished if await cancel_workflow(v2, workflow_id)])
        if unidentified:
            raise unidentified[0]
        return canceled

    def _watcher(self, method: str, timeout: float | None, *, every_job: bool, approvals: bool) -> Watcher:
        check_timeout(method, timeout)
        return Watcher(
            self._context,
            self.id,
            timeout=timeout,
            not_found_delay=self._not_found_delay,
            every_job=every_job,
            approvals=approvals,
            memory=self._memory,
        )

    def _result(self, watcher: Watcher) -> RunResult:
        return result_of(self.id, watcher.state, watcher.assessment)

    async def _read(self) -> tuple[RunState, list[FieldUnavailableError]]:
        """The current pipeline and all its workflows, and the errors of workflows without an id."""
        caller, v2 = self._context.caller, self._context.v2
        pipeline = pipeline_of(await retry_reads(caller, lambda: v2.pipelines.get(self.id)), self.id, self._context.app)
        workflows = await retry_reads(caller, lambda: v2.pipelines.list_workflows(self.id).collect())
        state, _ = see_pipeline(RunState(), pipeline)
        found, errors = workflows_of(workflows, pipeline)
        return see_workflows(state, found)[0], errors

    async def _jobs_of(self, workflows: Sequence[RunWorkflow]) -> list[list[RunJob]]:
        """The jobs of each of these workflows."""
        caller, v2 = self._context.caller, self._context.v2

        async def read(workflow: RunWorkflow) -> list[RunJob]:
            jobs = await retry_reads(caller, lambda: v2.workflows.list_jobs(workflow.id).collect())
            return [job_of(job, workflow) for job in jobs]

        return await map_concurrently(read, workflows, limit=READS_AT_ONCE)


async def cancel_workflow(v2: V2, workflow_id: str) -> bool:
    """Cancel a workflow; False if it had ended already."""
    try:
        await v2.workflows.cancel(workflow_id)
    except (NotFoundError, ConflictError):
        return False
    return True
