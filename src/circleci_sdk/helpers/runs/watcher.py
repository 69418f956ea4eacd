"""One watcher for a whole run: it asks, waits and asks again; what it sees is judged by `_run_state`."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from circleci_sdk._core.errors import CircleCIError, InvalidArgumentError, NotFoundError
from circleci_sdk._core.session import logger
from circleci_sdk.helpers._shared.retrying import clock_of, may_pass, pause_after

from .facts import RunEvent, RunWorkflow, app_of, job_of, pipeline_of, workflow_of
from .state import (
    JOB_STATUSES,
    PIPELINE_STATES,
    WORKFLOW_STATUSES,
    RunState,
    Verdict,
    in_order,
    judge,
    next_delay,
    see_jobs,
    see_pipeline,
    see_workflows,
    settle,
    wanted_jobs,
    wants_pipeline,
    wants_workflows,
)

if TYPE_CHECKING:
    from circleci_sdk.client import AsyncCircleCI

TROUBLE: Final = 300.0
TROUBLES: Final = 8
"""A watcher gives up when nothing but failing calls came for so many seconds, in so many looks."""
MISSING: Final = 60.0
"""Seconds that the API may take until it knows what it has just made."""
MISSING_OLD: Final = 10.0
"""The same for what somebody else has made, whose id may simply be wrong."""


class OutOfTimeError(Exception):
    """The time given to a watcher is over."""


class Watcher:
    """Sees a run to its end.

    `missing` is for how many seconds the pipeline may be unknown. `every_job` reads all jobs, for their events;
    otherwise only those that the result tells. `holds` looks at the approvals when nothing else moves. `awaited` and
    `approved` are shared with the `Run`: what it asked for.
    """

    def __init__(
        self,
        circleci: AsyncCircleCI,
        pipeline_id: str,
        crowd: WeakSet[Watcher],
        *,
        timeout: float | None,
        missing: float,
        every_job: bool,
        holds: bool,
        awaited: set[str],
        approved: set[str],
    ) -> None:
        if timeout is not None and not timeout > 0:
            raise InvalidArgumentError(f"timeout: it takes a number of seconds above 0, or None, not {timeout!r}.")
        self.state: RunState = RunState()
        self.events: deque[RunEvent] = deque()
        self._circleci = circleci
        self._clock = clock_of(circleci)
        self._pipeline_id = pipeline_id
        self._app = app_of(circleci.base_url)
        self._crowd = crowd
        self._missing = missing
        self._every_job = every_job
        self._holds = holds
        self._awaited = awaited
        self._approved = approved
        self._began = self._changed = self._clock.monotonic()
        self._deadline = None if timeout is None else self._began + timeout
        self._looks = 0
        self._calls = 1
        self._failures = 0
        self._trouble_since: float | None = None
        self._missing_since: float | None = None
        self._retry_after: float | None = None
        self._new: list[RunEvent] = []
        self._jobs_missing: dict[str, float] = {}
        self._strange: set[str] = set()

    @property
    def verdict(self) -> Verdict:
        """How the run stands by what was seen of it."""
        quiet = self._clock.monotonic() - self._changed
        return judge(self.state, quiet=quiet, awaited=frozenset(self._awaited), approved=frozenset(self._approved))

    @property
    def is_done(self) -> bool:
        """Whether the run is over and everything about it has been read."""
        verdict = self.verdict
        return verdict.over and not wanted_jobs(self.state, verdict, every_job=self._every_job, holds=self._holds)

    async def step(self) -> None:
        """Wait until it is time, then look once. Raises `OutOfTimeError`, and what does not pass by itself."""
        import anyio

        self._crowd.add(self)
        await self._pause()
        left = self._left()
        self._looks += 1
        ended = False
        with anyio.move_on_after(None if left == inf else left):
            await self._try_to_look()
            ended = True
        if not ended:
            raise OutOfTimeError

    def leave(self) -> None:
        """Count no longer among those who share the rate limit."""
        self._crowd.discard(self)

    def _left(self) -> float:
        left = inf if self._deadline is None else self._deadline - self._clock.monotonic()
        if left <= 0:
            raise OutOfTimeError
        return left

    async def _pause(self) -> None:
        left = self._left()
        if not self._looks:
            return
        now = self._clock.monotonic()
        delay = next_delay(
            age=now - self._began,
            calls=self._calls,
            watched=len(self._crowd),
            rate_limit=self._circleci.rate_limit,
            retry_after=self._retry_after,
            chance=self._clock.random(),
        )
        if delay >= left:
            await self._clock.sleep(left)
            raise OutOfTimeError
        await self._clock.sleep(delay)

    async def _try_to_look(self) -> None:
        now = self._clock.monotonic()
        self._retry_after = None
        try:
            await self.look()
        except NotFoundError:
            self._missing_since = now if self._missing_since is None else self._missing_since
            if now - self._missing_since > self._missing:
                raise
        except CircleCIError as error:
            if not may_pass(error):
                raise
            self._failures += 1
            self._trouble_since = now if self._trouble_since is None else self._trouble_since
            if self._failures >= TROUBLES and now - self._trouble_since > TROUBLE:
                raise
            self._retry_after = pause_after(error, self._failures, self._clock.random())
        else:
            self._missing_since = None

    async def look(self) -> None:
        """Read what may have changed, in the order in which the API makes it: pipeline, workflows, jobs."""
        try:
            await self._read()
        finally:
            self.events.extend(in_order(self.state, self._new))
            self._new.clear()

    async def _read(self) -> None:
        v2, calls = self._circleci.v2, 0
        if wants_pipeline(self.state):
            calls += 1
            seen = pipeline_of(await v2.pipelines.get(self._pipeline_id), self._app)
            self._note("pipeline", seen.state, PIPELINE_STATES)
            self._take(see_pipeline(self.state, seen))
        pipeline = self.state.pipeline
        assert pipeline is not None
        if wants_workflows(self.state):
            async for page in v2.pipelines.list_workflows(self._pipeline_id).pages():
                calls += 1
                workflows = [workflow_of(one, pipeline) for one in page]
                for workflow in workflows:
                    self._note("workflow", workflow.status, WORKFLOW_STATUSES)
                self._take(see_workflows(self.state, workflows))
        fresh: set[str] = set()
        while wanted := wanted_jobs(
            self.state, self.verdict, every_job=self._every_job, holds=self._holds, fresh=frozenset(fresh)
        ):
            for workflow in wanted:
                calls += await self._read_jobs(workflow)
                fresh.add(workflow.id)
        self._calls = max(1, calls)

    async def _read_jobs(self, workflow: RunWorkflow) -> int:
        calls = 0
        try:
            async for page in self._circleci.v2.workflows.list_jobs(workflow.id).pages():
                calls += 1
                jobs = [job_of(one, workflow) for one in page]
                for job in jobs:
                    self._note("job", job.status, JOB_STATUSES)
                self._take(see_jobs(self.state, workflow, jobs))
        except NotFoundError:
            # A workflow may be too new, or have expired while its pipeline is still known.
            now = self._clock.monotonic()
            if now - self._jobs_missing.setdefault(workflow.id, now) < MISSING:
                return calls
        self.state = settle(self.state, workflow, self._clock.monotonic() - self._changed)
        return calls

    def _take(self, change: tuple[RunState, list[RunEvent]]) -> None:
        self.state, events = change
        self._failures = 0
        self._trouble_since = None
        if events:
            self._changed = self._clock.monotonic()
            self._new += events

    def _note(self, what: str, status: str, known: frozenset[str]) -> None:
        """Log a status that this version does not know, once for each run."""
        if status not in known and status not in self._strange:
            self._strange.add(status)
            logger.warning("%s status %s is new to this version; it does not count as the end", what, status)
