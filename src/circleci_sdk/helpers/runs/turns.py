"""The pace of all watchers of a client together: one of them is hardly ever slowed, a hundred take turns."""

from __future__ import annotations

from collections import deque
from math import inf
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.caller import Caller

if TYPE_CHECKING:
    from circleci_sdk._core.call import CallResult
    from circleci_sdk._core.messages import Prepared
    from circleci_sdk._core.operation import Operation

MOST_IN_A_SECOND: Final = 25
"""Calls of watchers that leave in any second. The retries of a call are not counted."""
EARLY: Final = 0.5
"""Seconds by which polls may begin before their turn: a few at once do not wait."""


class Turns:
    """When polls may begin and their calls may leave. No I/O.

    A poll begins when those before it have had the time for their calls, so that few are in progress, and what each of
    them reads is of one moment. A call of a poll that was expected to make fewer delays the polls after it.
    """

    def __init__(self) -> None:
        self._free = -inf
        self._last: deque[float] = deque(maxlen=MOST_IN_A_SECOND)

    def poll(self, now: float, calls: int) -> float:
        """Seconds until the next poll may begin, with so many calls."""
        turn = max(now, self._free)
        self._free = turn + calls / MOST_IN_A_SECOND
        return max(0.0, turn - EARLY - now)

    def call(self, now: float, *, expected: bool) -> float:
        """Seconds until the next call may leave: a second after the one that is `MOST_IN_A_SECOND` before it."""
        if not expected:
            self._free = max(now, self._free) + 1 / MOST_IN_A_SECOND
        is_full = len(self._last) == MOST_IN_A_SECOND
        leaves = max(now, self._last[0] + 1.0) if is_full else now
        self._last.append(leaves)
        return leaves - now


class PacedCaller(Caller):
    """A caller for the polls of one watcher. `calls` counts those of the last poll."""

    __slots__ = ("_expected", "_turns", "calls")

    def __init__(self, caller: Caller, turns: Turns) -> None:
        super().__init__(caller.session, caller.options)
        self._turns = turns
        self._expected = 0
        self.calls: int = 0

    def begin(self, calls: int) -> float:
        """Seconds to wait before the next poll, which is expected to make so many calls."""
        self._expected, self.calls = calls, 0
        return self._turns.poll(self.clock.monotonic(), calls)

    async def _execute(self, operation: Operation[Any], prepared: Prepared) -> CallResult:
        self.calls += 1
        delay = self._turns.call(self.clock.monotonic(), expected=self.calls <= self._expected)
        if delay > 0:
            await self.session.sleep(delay)
        return await super()._execute(operation, prepared)
