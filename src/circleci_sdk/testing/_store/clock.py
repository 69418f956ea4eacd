"""The clock of the fake, which triggers all scheduled events."""

from __future__ import annotations

import heapq
import threading  # noqa: TID251  # a served fake is used by two threads
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.checks import AWARE, BOOL, PLAIN_FUNCTION, check
from circleci_sdk._public import public

from .arguments import MOMENT, NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable

START: Final = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


@public("circleci_sdk.testing")
class FakeClock:
    """The clock of a `FakeCircleCI`.

    It is stopped, and `advance` moves it. With a `speed` other than 0 it runs by itself: 1 is real time, 60 turns
    each second into a minute. Due events happen in order, each at its own time: when the clock is moved or, with a
    running clock, at the next request.
    """

    def __init__(self, start: datetime = START, *, speed: float = 0.0) -> None:
        check("FakeClock", start=(start, MOMENT), speed=(speed, NUMBER))
        self.lock: Final = threading.RLock()
        self._now = start.astimezone(UTC)
        self._speed = self._synced = 0.0
        self._events: list[tuple[datetime, int, bool, Callable[[], object]]] = []
        self._count = self._pending = 0
        self.run(speed)

    @property
    def now(self) -> datetime:
        """The current time, in UTC."""
        with self.lock:
            self.sync()
            return self._now

    @property
    def speed(self) -> float:
        """Seconds of the fake per real second; 0 for a stopped clock."""
        return self._speed

    def run(self, speed: float = 1.0) -> None:
        """Set the speed of the clock; 0 stops it. Raises `ValueError` below 0."""
        check("FakeClock.run", speed=(speed, NUMBER))
        if speed < 0:
            raise ValueError(f"FakeClock.run: speed: expected at least 0, got {speed!r}.")
        with self.lock:
            self.sync()
            self._speed = speed
            self._synced = _real_time()

    def advance(self, seconds: float) -> None:
        """Move forward by a number of seconds and run all due events. Raises `ValueError` below 0."""
        check("FakeClock.advance", seconds=(seconds, NUMBER))
        if seconds < 0:
            raise ValueError(f"FakeClock.advance: seconds: expected at least 0, got {seconds!r}.")
        with self.lock:
            self.sync()
            self.advance_to(self._now + timedelta(seconds=seconds))

    def advance_to(self, moment: datetime) -> None:
        """Move forward to a time and run all due events. A past time changes nothing."""
        check("FakeClock.advance_to", moment=(moment, AWARE))
        with self.lock:
            while self._events and self._events[0][0] <= moment:
                due, _, counts, action = heapq.heappop(self._events)
                self._pending -= counts
                self._now = max(self._now, due)
                action()
            self._now = max(self._now, moment)

    def run_until_idle(self, limit: float = 7 * 86_400.0) -> None:
        """Move forward until no event is left, by at most `limit` seconds.

        Afterwards all runs have ended or are on hold. Recurring events, such as schedules, do not count.
        """
        check("FakeClock.run_until_idle", limit=(limit, NUMBER))
        with self.lock:
            self.sync()
            end = self._now + timedelta(seconds=limit)
            while self._pending and self._events[0][0] <= end:
                self.advance_to(self._events[0][0])

    def call_later(self, seconds: float, action: Callable[[], object], *, recurring: bool = False) -> None:
        """Call `action` after a number of seconds; at once for 0.

        `run_until_idle` does not wait for `recurring` events.
        """
        check("FakeClock.call_later", seconds=(seconds, NUMBER), action=(action, PLAIN_FUNCTION))
        check("FakeClock.call_later", recurring=(recurring, BOOL))
        with self.lock:
            if seconds <= 0:
                action()
                return
            self._count += 1
            due = self._now + timedelta(seconds=seconds)
            heapq.heappush(self._events, (due, self._count, not recurring, action))
            self._pending += not recurring

    def sync(self) -> None:
        """Bring a running clock up to real time. A stopped clock does not change."""
        if not self._speed:
            return
        with self.lock:
            now = _real_time()
            passed, self._synced = now - self._synced, now
            self.advance_to(self._now + timedelta(seconds=passed * self._speed))


def _real_time() -> float:
    return time.monotonic()  # noqa: TID251  # a running clock follows real time
