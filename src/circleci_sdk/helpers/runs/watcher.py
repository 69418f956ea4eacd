"""Polls one run: reads, waits and reads again. `state.py` keeps what was read, `assessment.py` assesses it."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import CircleCIError, FieldUnavailableError, NotFoundError
from circleci_sdk._core.logs import logger
from circleci_sdk.helpers._shared.partial import UNAVAILABLE
from circleci_sdk.v2._client import V2

from .assessment import Assessment, assess, idle_seconds, next_delay, wanted_jobs, wants_pipeline, wants_workflows
from .facts import RunEvent, RunPipeline, RunWorkflow, job_of, pipeline_of, workflow_of, workflows_of
from .read_failures import ReadFailures
from .state import (
    JOB_STATUSES,
    JOBS_WINDOW,
    PIPELINE_STATES,
    WORKFLOW_STATUSES,
    RunState,
    has_moving_jobs,
    in_order,
    is_change,
    mark_final,
    mark_gone,
    see_jobs,
    see_pipeline,
    see_workflows,
)
from .turns import PacedCaller
from .unlisted import Unlisted

if TYPE_CHECKING:
    from .context import RunContext
    from .memory import RunMemory

FIRST_CALLS: Final = 2
"""Calls that are expected of a first look."""
UNCLEAR_POLLS: Final = 3
"""The jobs of a workflow that has ended are read so many times while the status of one is unavailable."""
NEW_PIPELINE_DELAY: Final = 60.0
"""Seconds for which the API may respond 404 for a pipeline that this client has just started."""
OTHER_PIPELINE_DELAY: Final = 10.0
"""The same for a pipeline started elsewhere, whose id may be wrong."""
WORKFLOWS_POLL: Final = 4
"""One poll of so many reads the workflows, while the others read the jobs of one alone, of which one moves."""


class WatchTimeoutError(Exception):
    """The timeout of a watcher has passed."""


class Watcher:
    """Polls a run until its end.

    `not_found_delay` is the time in seconds for which the pipeline may be unknown. `every_job` reads all jobs, for
    their events; otherwise only those that the result contains. `approvals` reads the approvals when nothing else is in
    progress. `memory` is shared with the `Run`.
    """

    def __init__(
        self,
        context: RunContext,
        pipeline_id: str,
        *,
        timeout: float | None,
        not_found_delay: float,
        every_job: bool,
        approvals: bool,
        memory: RunMemory,
    ) -> None:
        self.state: RunState = RunState()
        self.events: deque[RunEvent] = deque()
        self._context = context
        self._v2 = context.v2
        self._clock = context.caller.clock
        self._pipeline_id = pipeline_id
        self._read_failures = ReadFailures(not_found_delay)
        self._every_job = every_job
        self._approvals = approvals
        self._memory = memory
        self._began = self._clock.monotonic()
        self._news = self._began
        self._changed: float | None = None
        self._deadline = None if timeout is None else self._began + timeout
        self._polls = 0
        self._paced: PacedCaller | None = None
        self._reading = ""
        self._unlisted = Unlisted()
        self._is_complete = True
        self._succeeded = False
        self._has_looked = False
        self._retry_after: float | None = None
        self._new: list[RunEvent] = []
        self._jobs_not_found: dict[str, float] = {}
        self._unclear: dict[str, int] = {}
        self._unknown_statuses: set[str] = set()

    @property
    def assessment(self) -> Assessment:
        """The assessment of the run as far as it was observed.

        It is neither over nor held unless the last poll read the whole list of workflows, each with an id.
        """
        assessment = self._assess()
        if self._is_complete:
            return assessment
        return Assessment("running" if assessment.over else assessment.status)

    def _idle(self) -> float:
        now = self._clock.monotonic()
        return idle_seconds(
            self.state.latest,
            server_time=self._context.caller.session.server_time(),
            local_time=self._clock.time(),
            since_news=now - self._news,
            since_change=None if self._changed is None else now - self._changed,
        )

    def _assess(self) -> Assessment:
        awaited = frozenset(self._memory.awaited)
        if any(self.state.workflows.keys() <= before for before in self._memory.before):
            awaited |= {""}  # no workflow has this id
        since = self._began if self._changed is None else self._changed
        return assess(
            self.state,
            idle=self._idle(),
            waited=self._clock.monotonic() - since,
            awaited=awaited,
            approved=frozenset(self._memory.approved),
        )

    @property
    def is_done(self) -> bool:
        """Whether the run has ended and everything about it was read, by the last poll too."""
        return self._succeeded and self.assessment.over and not self._wanted_jobs()

    async def step(self) -> None:
        """Wait for the next poll, then poll once. Raises `WatchTimeoutError`, and errors that are not transient."""
        import anyio

        self._context.watchers.add(self)
        await self._pause()
        left = self._left()
        self._polls += 1
        ended = False
        with anyio.move_on_after(None if left == inf else left):
            await self._try_poll()
            ended = True
        if not ended:
            raise WatchTimeoutError

    def close(self) -> None:
        """Stop counting as one of the watchers that share the rate limit."""
        self._context.watchers.discard(self)

    def _left(self) -> float:
        left = inf if self._deadline is None else self._deadline - self._clock.monotonic()
        if left <= 0:
            raise WatchTimeoutError
        return left

    async def _pause(self) -> None:
        calls = FIRST_CALLS
        if self._paced is None:
            self._paced = PacedCaller(self._context.caller, self._context.turns)
            self._v2 = V2(self._paced)
        else:
            calls = max(1, self._paced.calls) if self._moving() is None else 1
            delay = next_delay(
                age=self._clock.monotonic() - self._began,
                calls=calls,
                each_call=not self._every_job,
                watched=len(self._context.watchers),
                rate_limit=self._context.caller.session.rate_limit,
                retry_after=self._retry_after,
                chance=self._clock.random(),
            )
            await self._sleep(delay)
        await self._sleep(self._paced.begin(calls))

    async def _sleep(self, seconds: float) -> None:
        left = self._left()
        if seconds > 0:
            await self._context.caller.session.sleep(min(seconds, left))
            self._left()

    async def _try_poll(self) -> None:
        now = self._clock.monotonic()
        self._retry_after = None
        self._succeeded = False
        try:
            await self.poll()
        except CircleCIError as error:
            first, chance = self._polls == 1, self._clock.random()
            left = inf if self._deadline is None else self._deadline - now
            self._retry_after = self._read_failures.pause(
                self._reading, error, now, first=first, chance=chance, left=left
            )
            if self._retry_after is None:
                if not first and not isinstance(error, NotFoundError):
                    pipeline_id = self._pipeline_id
                    error.add_note(f"The run {pipeline_id} continues: runs.attach({pipeline_id!r}) waits for it again.")
                raise
        else:
            self._read_failures.polled()
            self._succeeded = self._has_looked = True

    async def poll(self) -> None:
        """Read everything that may have changed, in order of creation: pipeline, workflows, jobs."""
        try:
            await self._read()
        finally:
            self._memory.keep(self.state)
            self.events.extend(in_order(self.state, self._new))
            self._new.clear()

    async def _read(self) -> None:
        self._is_complete = False
        if self._polls % WORKFLOWS_POLL and await self._still_moves():
            return
        if is_read := self._wants_pipeline():
            await self._read_pipeline()
        pipeline = self.state.pipeline
        assert pipeline is not None
        unidentified: list[FieldUnavailableError] = []
        if wants_workflows(self.state, self._idle()):
            listed: set[str] = set()
            self._reading = "workflows"
            async for page in self._v2.pipelines.list_workflows(self._pipeline_id).pages():
                workflows, errors = workflows_of(page, pipeline)
                unidentified += errors
                for workflow in workflows:
                    self._check_status("workflow", workflow.status, WORKFLOW_STATUSES)
                    listed.add(workflow.id)
                self._apply(see_workflows(self.state, workflows))
            self._recall()
            if not unidentified:
                self._read_failures.read(self._reading)
                await self._read_unlisted(listed, pipeline)
        if not is_read and self._wants_pipeline():  # the last workflow has ended
            await self._read_pipeline()
        self._is_complete = not unidentified
        fresh: set[str] = set()
        while self._moving() is None and (wanted := self._wanted_jobs(frozenset(fresh))):
            for workflow in wanted:
                await self._read_jobs(workflow)
                fresh.add(workflow.id)
        if unidentified:
            self._reading = "workflows"
            raise unidentified[0]

    async def _still_moves(self) -> bool:
        """Whether a job that moved when it was last read moves still: then the run is neither held nor over.

        Reads no more than it needs for that. It is not asked in each poll: a response may be stale for ever.
        """
        while (workflow := self._moving()) is not None:
            await self._read_jobs(workflow)
            if has_moving_jobs(self.state, workflow):
                return True
        return False

    def _moving(self) -> RunWorkflow | None:
        """The first of the workflows that may wait for an approval of which a job moved when it was last read."""
        if self._every_job or not self._has_looked or self._assess().over:
            return None
        return next((one for one in self._wanted_jobs() if has_moving_jobs(self.state, one)), None)

    def _wanted_jobs(self, fresh: frozenset[str] = frozenset()) -> tuple[RunWorkflow, ...]:
        assessment = self._assess()
        return wanted_jobs(self.state, assessment, every_job=self._every_job, approvals=self._approvals, fresh=fresh)

    def _wants_pipeline(self) -> bool:
        return wants_pipeline(self.state, each_change=self._every_job)

    async def _read_pipeline(self) -> None:
        self._reading = "pipeline"
        seen = pipeline_of(await self._v2.pipelines.get(self._pipeline_id), self._pipeline_id, self._context.app)
        self._check_status("pipeline", seen.state, PIPELINE_STATES)
        self._apply(see_pipeline(self.state, seen))
        self._read_failures.read(self._reading)

    def _recall(self) -> None:
        """Add the workflows that an earlier watcher read and the list lacks: they count all the same."""
        memory = self._memory
        lost = [one for one in memory.workflows.values() if one.id not in self.state.workflows]
        self._apply(see_workflows(self.state, lost))
        for workflow in lost:
            if workflow.id in memory.gone:
                self.state = mark_gone(self.state, workflow.id)

    async def _read_unlisted(self, listed: set[str], pipeline: RunPipeline) -> None:
        """Ask for the workflows that have not ended and are missing from the list for some time, by their ids."""
        for workflow in self._unlisted.due(self.state, listed, self._clock.monotonic()):
            self._reading = f"workflow {workflow.id}"
            try:
                found = workflow_of(await self._v2.workflows.get(workflow.id), pipeline)
            except NotFoundError:
                self.state = mark_gone(self.state, workflow.id)
            else:
                self._apply(see_workflows(self.state, [found]))
                self._unlisted.found(workflow.id)
            self._read_failures.read(self._reading)

    async def _read_jobs(self, workflow: RunWorkflow) -> None:
        count = 0
        is_known = True
        self._reading = workflow.id
        try:
            async for page in self._v2.workflows.list_jobs(workflow.id).pages():
                jobs = [job_of(one, workflow) for one in page]
                for job in jobs:
                    self._check_status("job", job.status, JOB_STATUSES)
                self._apply(see_jobs(self.state, workflow, jobs, count))
                count += len(jobs)
                is_known = is_known and all(job.status != UNAVAILABLE for job in jobs)
            self._jobs_not_found.pop(workflow.id, None)
            self._read_failures.read(self._reading)
        except NotFoundError:
            # The workflow may be too new, or may have expired before its pipeline.
            now = self._clock.monotonic()
            since = now - self._jobs_not_found.setdefault(workflow.id, now)
            if max(since, self._idle()) < NEW_PIPELINE_DELAY:
                return
        # An unavailable status may hide the end of a job: in a late poll the next response has it perhaps.
        self._unclear[workflow.id] = unclear = 0 if is_known else self._unclear.get(workflow.id, 0) + 1
        if not unclear or (unclear >= UNCLEAR_POLLS and self._idle() >= JOBS_WINDOW):
            self.state = mark_final(self.state, workflow, self._idle())

    def _apply(self, change: tuple[RunState, list[RunEvent]]) -> None:
        latest = self.state.latest
        self.state, events = change
        self._new += events
        # Jobs that are read for the first time may be old.
        is_changed = any(is_change(event) for event in events)
        if is_changed or self.state.latest != latest:
            self._news = self._clock.monotonic()
        if is_changed and self._has_looked:
            self._changed = self._clock.monotonic()

    def _check_status(self, kind: str, status: str, known: frozenset[str]) -> None:
        """Log a status that this version does not know, once for each run. An unavailable one was logged as drift."""
        if status not in known and status != UNAVAILABLE and status not in self._unknown_statuses:
            self._unknown_statuses.add(status)
            logger.warning("%s status %s is unknown to this version and is not treated as final", kind, status)
