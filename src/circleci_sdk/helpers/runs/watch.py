"""The events of one run, as an async iterator."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered

from .facts import RunEvent
from .result import RunResult, RunTimeoutError
from .watcher import Watcher, WatchTimeoutError


@public("circleci_sdk.helpers")
class RunWatch(Uncopied, Buffered[RunEvent]):
    """The events of a run, as they happen. Returned by `Run.watch`.

    The loop ends with the run. `result` is at any time the state of the run as far as it was observed. Leaving the
    loop early sends no further request.
    """

    __slots__ = ("_events", "_result", "_watcher")

    def __init__(self, watcher: Watcher, result: Callable[[], RunResult], /) -> None:
        self._watcher = watcher
        self._result = result
        self._events: deque[RunEvent] = watcher.events

    @property
    def result(self) -> RunResult:
        """The state of the run as far as it was observed."""
        return self._result()

    def _next_buffered(self) -> RunEvent | Unset:
        return self._events.popleft() if self._events else UNSET

    async def _fill_buffer(self) -> None:
        if self._watcher.is_done:
            self._watcher.close()
            raise StopAsyncIteration
        try:
            await self._watcher.step()
        except WatchTimeoutError:
            if not self._events:
                self._watcher.close()
                raise timed_out("run.watch", self.result) from None


def timed_out(method: str, result: RunResult) -> RunTimeoutError:
    """The error of a method whose timeout has passed."""
    return RunTimeoutError(f"{method}: the timeout has passed; the run continues. {result.describe()}.", result=result)
