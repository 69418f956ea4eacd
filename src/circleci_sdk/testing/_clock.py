"""Time as a dial: nothing in the fake happens unless its clock says so."""

from __future__ import annotations

import heapq
import threading  # noqa: TID251  # a served fake lives in two threads
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

START: Final = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


class FakeClock:
    """The clock of a `FakeCircleCI`.

    It stands still until it is moved with `advance`. With a `speed` other than 0 it runs by itself: 1 is real time,
    60 makes a minute of each second. What is due happens in order, each event at its own moment, when the clock is
    moved or, on a running clock, when the fake is next asked for something.
    """

    def __init__(self, start: datetime = START, *, speed: float = 0.0) -> None:
        if start.tzinfo is None:
            raise ValueError("The start of the clock needs a time zone.")
        self.lock: Final = threading.RLock()
        self._now = start.astimezone(UTC)
        self._speed = self._seen = 0.0
        self._events: list[tuple[datetime, int, bool, Callable[[], object]]] = []
        self._count = self._awaited = 0
        self.run(speed)

    @property
    def now(self) -> datetime:
        """The present moment, in UTC."""
        with self.lock:
            self.sync()
            return self._now

    @property
    def speed(self) -> float:
        """Seconds of the fake per real second; 0 when only the test moves the clock."""
        return self._speed

    def run(self, speed: float = 1.0) -> None:
        """Let the clock run by itself from now on; with 0 it stands still. Raises `ValueError` below 0."""
        if speed < 0:
            raise ValueError("The clock does not run backwards.")
        with self.lock:
            self.sync()
            self._speed = speed
            self._seen = _real_time()

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds, letting everything happen that falls due. Raises `ValueError` below 0."""
        if seconds < 0:
            raise ValueError("The clock does not run backwards.")
        with self.lock:
            self.sync()
            self.advance_to(self._now + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Move on to a moment; one that has passed changes nothing."""
        with self.lock:
            while self._events and self._events[0][0] <= moment:
                due, _, awaited, action = heapq.heappop(self._events)
                self._awaited -= awaited
                self._now = max(self._now, due)
                action()
            self._now = max(self._now, moment)

    def run_until_idle(self, limit: float = 7 * 86_400.0) -> None:
        """Move on until nothing is due any more, at most `limit` seconds: runs are over, or wait for an approval."""
        with self.lock:
            self.sync()
            end = self._now + timedelta(seconds=limit)
            while self._awaited and self._events[0][0] <= end:
                self.advance_to(self._events[0][0])

    def call_later(self, seconds: float, action: Callable[[], object], *, patient: bool = False) -> None:
        """Let something happen in so many seconds; without a wait it happens now.

        `patient` is for what comes back for ever, such as schedules: `run_until_idle` does not wait for it.
        """
        with self.lock:
            if seconds <= 0:
                action()
                return
            self._count += 1
            due = self._now + timedelta(seconds=seconds)
            heapq.heappush(self._events, (due, self._count, not patient, action))
            self._awaited += not patient

    def sync(self) -> None:
        """Bring a running clock up to real time; a clock that stands still stays where it is."""
        if not self._speed:
            return
        with self.lock:
            seen = _real_time()
            passed, self._seen = seen - self._seen, seen
            self.advance_to(self._now + timedelta(seconds=passed * self._speed))


def _real_time() -> float:
    return time.monotonic()  # noqa: TID251  # real time is the point of a running clock
