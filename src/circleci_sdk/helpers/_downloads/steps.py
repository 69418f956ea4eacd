"""Work of many tasks in one thread: what waits there is done together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from circleci_sdk._core.cancellation import finish

_LONGEST_WORK: Final = 3600.0
T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """The result of a function in a thread, which no cancellation stops: it is raised afterwards."""
    return await finish(lambda: run_sync(work), seconds=_LONGEST_WORK)


class Steps:
    """Runs functions in a thread, one after the other: all that came while the last ones ran are done in one visit.

    For a small file, going to a thread and locking a folder take longer than the file itself. `together` is entered
    for each visit.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        self._together = together
        self._waiting: list[_Step] = []
        self._visit: anyio.Event | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of the function, or what it raises. A cancellation does not end it once its visit has begun."""
        step = _Step(work)
        self._waiting.append(step)
        try:
            while not step.is_done:
                if self._visit is None:
                    await self._go()
                else:
                    await self._visit.wait()
        finally:
            if step in self._waiting:  # cancelled before its visit
                self._waiting.remove(step)
        result: T = step.take()
        return result

    async def _go(self) -> None:
        steps, self._waiting = self._waiting, []
        self._visit = visit = anyio.Event()
        try:
            await in_thread(lambda: self._run(steps))
        finally:
            for step in steps:
                step.is_done = True
            self._visit = None
            visit.set()

    def _run(self, steps: list[_Step]) -> None:
        try:
            with self._together():
                for step in steps:
                    step.run()
        except Exception as error:  # noqa: BLE001  # of what is entered for the visit: raised in each task
            for step in steps:
                step.fail(error)


class _Step:
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

    def fail(self, error: Exception) -> None:
        """Have this error, unless it ran."""
        if not self.is_done:
            self._error = error

    def take(self) -> Any:
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result
