"""The events of one run, as an async iterator."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

from circleci_sdk._public import Uncopied, public

from .facts import RunEvent
from .result import RunResult, RunTimeoutError
from .watcher import Watcher, WatchTimeoutError


@public("circleci_sdk.helpers")
class RunWatch(Uncopied, AsyncIterator[RunEvent]):
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

    def __aiter__(self) -> RunWatch:
        return self

    async def __anext__(self) -> RunEvent:
        while not self._events:
            if self._watcher.is_done:
                self._watcher.close()
                raise StopAsyncIteration
            try:
                await self._watcher.step()
            except WatchTimeoutError:
                if not self._events:
                    self._watcher.close()
                    raise timed_out("run.watch", self.result) from None
        return self._events.popleft()


def timed_out(method: str, result: RunResult) -> RunTimeoutError:
    """The error of a method whose timeout has passed."""
    return RunTimeoutError(f"{method}: the timeout has passed; the run continues. {result.describe()}.", result=result)
