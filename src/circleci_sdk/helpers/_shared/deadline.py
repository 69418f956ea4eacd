"""The time that a task has, shared by all its calls."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.caller import Caller

if TYPE_CHECKING:
    from circleci_sdk._core.call import CallResult
    from circleci_sdk._core.messages import Prepared
    from circleci_sdk._core.operation import Operation

INSTANT: Final = 0.001
"""Seconds for a call that begins when the time is over: a limit is above 0, and this one ends it at its first step."""


class TimedCaller(Caller):
    """Carries the calls of one task, which have to be done within so many seconds from now, all together.

    Each call has the client's timeout too, and ends by whichever comes first. None sets no limit.
    """

    __slots__ = ("deadline",)

    def __init__(self, caller: Caller, seconds: float | None) -> None:
        super().__init__(caller.session, caller.options)
        self.deadline: Final[float] = inf if seconds is None else self.clock.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """Seconds that a call or a download may take now, as its `timeout`."""
        return None if self.deadline == inf else max(INSTANT, self.deadline - self.clock.monotonic())

    async def _execute(self, operation: Operation[Any], prepared: Prepared) -> CallResult:
        left, timeout = self.left, self.options.timeout
        if left is None or (timeout.total is not None and timeout.total <= left):
            return await super()._execute(operation, prepared)
        hurried = Caller(self.session, replace(self.options, timeout=replace(timeout, total=left)))
        return await hurried._execute(operation, prepared)
