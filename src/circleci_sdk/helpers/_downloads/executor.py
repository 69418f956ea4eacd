"""Functions of many tasks in one thread: those that wait there are run together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from circleci_sdk._core.cancellation import finish

_LONGEST_WORK: Final = 3600.0
T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of a function in a thread, which no cancellation stops: it is raised afterwards."""
    return await finish(lambda: run_sync(work), seconds=_LONGEST_WORK)


class SerialExecutor:
    """Runs functions in a thread, one after the other: all that came while the last ones ran are run in one call.

    For a small file, the way to a thread and the lock of a folder take longer than the file itself. `after` is called
    in the thread when they have run.
    """

    def __init__(self, after: Callable[[], object] = lambda: None) -> None:
        self._after = after
        self._waiting: list[_WorkItem] = []
        self._running: anyio.Event | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of the function, or what it raises. A cancellation does not end it once its call has begun."""
        item = _WorkItem(work)
        self._waiting.append(item)
        try:
            while not item.is_done:
                if self._running is None:
                    await self._run_waiting()
                else:
                    await self._running.wait()
        finally:
            if item in self._waiting:  # cancelled before its call
                self._waiting.remove(item)
        result: T = item.take()
        return result

    async def _run_waiting(self) -> None:
        items, self._waiting = self._waiting, []
        self._running = running = anyio.Event()
        try:
            await in_thread(lambda: self._run(items))
        finally:
            for item in items:
                item.is_done = True
            self._running = None
            running.set()

    def _run(self, items: list[_WorkItem]) -> None:
        try:
            for item in items:
                item.run()
        finally:
            self._after()


class _WorkItem:
    __slots__ = ("_error", "_result", "_work", "is_done")

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._result: Any = None
        self._error: Exception | None = TimeoutError("The work in a thread did not end.")
        self.is_done = False

    def run(self) -> None:
        try:
            self._result = self._work()
        except Exception as error:  # noqa: BLE001  # raised in the task that waits for it
            self._error = error
        else:
            self._error = None
        self.is_done = True

    def take(self) -> Any:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result
