"""The output of a step that still runs, as it grows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.caller import Caller
from circleci_sdk._core.errors import CallFacts, CircleCIError, NotFoundError, RequestTimeoutError
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS, asked_wait, is_refusal, is_transient
from circleci_sdk.helpers._shared.versions import note_fallback
from circleci_sdk.v3._client import V3

from .output import new_decoder, whole
from .steps_v3 import has_ended

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock
    from circleci_sdk._streams.streams import ByteStream
    from circleci_sdk.helpers._shared.versions import ApiVersion

    from .output import Source
    from .steps import Step

INTERVAL: Final = 1.5
"""Seconds from one read of v3 to the next. Output is at most 2 seconds late, with two failed calls in between."""

INTERVAL_V1: Final = 5.0
"""Seconds from one read of v1.1 to the next: each takes two calls and reads the whole output."""

CHECK_INTERVAL: Final = 10.0
"""Seconds from one look at whether a silent step has ended to the next."""

FIRST_PAUSE: Final = 0.15
LONGEST_PAUSE: Final = 30.0
MAX_FAILURES: Final = 8
MAX_FAILURE_TIME: Final = 300.0
"""An error is raised after this many consecutive failures that span at least this many seconds."""


class Pace:
    """When the next call is due, after successes and failures, and when the time is over."""

    def __init__(self, caller: Caller, timeout: float | None) -> None:
        self._caller = caller
        self._deadline = inf if timeout is None else self.clock.monotonic() + timeout
        self._failures = 0
        self._refusals = 0
        self._failing_since = 0.0
        self.due: float = -inf

    @property
    def clock(self) -> Clock:
        return self._caller.clock

    async def wait(self) -> float:
        """Wait until the next call is due. Returns the time."""
        while (now := self.clock.monotonic()) < min(self.due, self._deadline):
            await self._caller.session.sleep(min(self.due, self._deadline) - now)
        if now >= self._deadline:
            facts = CallFacts("logs.follow", "GET", "", retry_stop_reason="deadline", request_outcome="processed")
            raise RequestTimeoutError("logs.follow: the time ran out.", facts=facts)
        return now

    def succeeded(self, due: float) -> None:
        """Note a success, and when the next call is due."""
        self._failures = self._refusals = 0
        self.due = due

    def failed(self, error: CircleCIError) -> None:
        """Note a failure that may pass; raise any other one."""
        now = self.clock.monotonic()
        self._failing_since = now if not self._failures else self._failing_since
        self._failures += 1
        self._refusals = self._refusals + 1 if is_refusal(error) else 0
        is_over = self._failures >= MAX_FAILURES and now - self._failing_since > MAX_FAILURE_TIME
        if not (is_transient(error) or is_refusal(error)) or is_over or self._refusals >= MAX_REFUSALS:
            raise error
        self.due = now + max(asked_wait(error), min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10)))


class FollowSource:
    """Standard output from v3 by byte offset until its end, then standard error.

    `other` is the source to take if v3 refuses the client.
    """

    is_cut: bool = False

    def __init__(self, caller: Caller, job_id: str, step: Step, other: Source | None, timeout: float | None) -> None:
        self.api: ApiVersion = "v3"
        self._jobs = V3(Caller(caller.session, replace(caller.options, max_retries=0))).jobs
        self._job_id = job_id
        self._step = step
        self._other = other
        self._is_refused = False
        self._pace = Pace(caller, timeout)
        self._looks = Pace(caller, None)
        self._stdout = self._jobs.stream_stdout(job_id, step_num=step.number, execution=step.index)
        self._stream: ByteStream | None = None
        self._decoder = new_decoder()
        self._began = 0.0
        self._offset = 0
        self._had = 0
        self._was_served = False
        self._checked = -inf
        self._is_last = False
        self._is_over = False
        self._state = "stdout"

    async def open(self) -> None:
        """Nothing yet: a step may have no output for long."""

    async def read(self) -> str | None:
        if self._is_refused and self._other is not None:
            text = await self._other.read()
            self.is_cut = self._other.is_cut
            return text
        if self._state == "ended":
            return None
        if self._stream is None:
            self._began = await self._pace.wait()
        try:
            return await (self._stderr() if self._state == "stderr" else self._read())
        except CircleCIError as error:
            await self._close()
            if self._is_over:
                raise
            if self._other is not None and not self._was_served and is_refusal(error):
                self._is_refused, self.api = True, self._other.api
                note_fallback("logs.follow", self.api, error)
                await self._other.open()
            else:
                self._pace.failed(error)
            return ""

    async def aclose(self) -> None:
        await self._close()
        if self._other is not None:
            await self._other.aclose()

    async def _read(self) -> str:
        stream = self._stream
        if stream is None:
            stream = self._stdout.resume(self._offset)
            self._had = self._offset
            try:
                await stream.__aenter__()
            except NotFoundError:
                await self._had_nothing()
                return ""
            self._stream, self._was_served = stream, True
        try:
            piece = await stream.__anext__()
        except StopAsyncIteration:
            is_terminal = stream.is_terminal
            await self._close()
            if not is_terminal:
                await self._had_nothing()
            else:
                self._state = "stderr"
            return ""
        self._offset = stream.offset
        return self._decoder.decode(piece)

    async def _had_nothing(self) -> None:
        """Note the end of a read. If it brought nothing, find out whether the step has ended."""
        self._pace.succeeded(self._began + INTERVAL)
        if self._offset > self._had:
            return
        if self._is_last:
            self._state = "stderr"
        elif self._began - self._checked >= CHECK_INTERVAL:
            self._checked = self._began
            try:
                self._is_last = await self._has_ended()
            except CircleCIError as error:  # the output may be readable all the same
                self._is_over = True
                self._looks.failed(error)
                self._is_over = False
            else:
                self._looks.succeeded(self._began)
            if self._is_last:  # what was written meanwhile is still to be read
                self._pace.succeeded(self._began)

    async def _has_ended(self) -> bool:
        job = await self._jobs.get(self._job_id)
        self._was_served = True
        if if_available(lambda: job.phase == "ended"):
            return True
        steps = if_available(lambda: (job.parallel_executions or [])[self._step.index].steps) or []
        return any(has_ended(step) for step in steps if if_available(lambda it: it.num, step) == self._step.number)

    async def _stderr(self) -> str:
        stream = self._jobs.stream_stderr(self._job_id, step_num=self._step.number, execution=self._step.index)
        content = await whole(stream)
        self._state = "ended"
        return self._decoder.decode(b"", final=True) + content.decode(errors="replace")

    async def _close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.__aexit__(None, None, None)


class PollSource:
    """The output of v1.1, read as a whole again and again; what was given already is passed over."""

    api: ApiVersion = "v1.1"

    def __init__(
        self,
        caller: Caller,
        find: Callable[[], Awaitable[Step | None]],
        link: Callable[[Step], Source],
        timeout: float | None,
    ) -> None:
        self.is_cut: bool = False
        self._find = find
        self._link = link
        self._pace = Pace(caller, timeout)
        self._given = 0
        self._ended = False

    async def open(self) -> None:
        """Nothing yet: a step may have no output for long."""

    async def read(self) -> str | None:
        if self._ended:
            return None
        began = await self._pace.wait()
        try:
            step = await self._find()
            text = "" if step is None else await self._new(self._link(step))
        except CircleCIError as error:
            self._pace.failed(error)
            return ""
        self._pace.succeeded(began + INTERVAL_V1)
        self._ended = step is None or if_available(lambda: step.status) != "running"
        if not self._ended:
            text = text.rstrip("\ufffd")  # perhaps a character of which the first bytes are written
        self._given += len(text)
        self.is_cut = self.is_cut or step is None
        return text

    async def aclose(self) -> None:
        """Nothing is open between two reads."""

    async def _new(self, source: Source) -> str:
        """The text behind what was given."""
        passed, texts = 0, list[str]()
        try:
            await source.open()
            while (text := await source.read()) is not None:
                skip = max(0, self._given - passed)
                passed += len(text)
                texts.append(text[skip:])
        finally:
            await source.aclose()
        self.is_cut = source.is_cut
        return "".join(texts)
