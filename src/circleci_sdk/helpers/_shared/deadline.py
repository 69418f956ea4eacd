"""One timeout for all calls of a helper method."""

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
"""The timeout in seconds of a call that starts after the deadline; a timeout has to be above 0."""


class TimedCaller(Caller):
    """A caller whose calls have to end within `seconds` from now, all together; None for no limit.

    The timeout of the client for each call applies too.
    """

    __slots__ = ("deadline",)

    def __init__(self, caller: Caller, seconds: float | None) -> None:
        super().__init__(caller.session, caller.options)
        self.deadline: Final[float] = inf if seconds is None else self.clock.monotonic() + seconds

    @property
    def left(self) -> float | None:
        """The remaining seconds, as the `timeout` of the next call or download; None for no limit."""
        return None if self.deadline == inf else max(INSTANT, self.deadline - self.clock.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.deadline - self.clock.monotonic() <= INSTANT

    async def _execute(self, operation: Operation[Any], prepared: Prepared) -> CallResult:
        left, timeout = self.left, self.options.timeout
        if left is None or (timeout.total is not None and timeout.total <= left):
            return await super()._execute(operation, prepared)
        limited = Caller(self.session, replace(self.options, timeout=replace(timeout, total=left)))
        return await limited._execute(operation, prepared)
