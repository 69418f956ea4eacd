"""The calls that wait for one rate limit."""

from __future__ import annotations

import threading  # noqa: TID251  # nothing is awaited while the lock is held
from math import inf
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from .policy import pace as policy
from .policy.pace import Pace, grown, spacing_at, time_for
from .policy.rate_limit import LONGEST_PAUSE, RateLimit, spacing_of

if TYPE_CHECKING:
    import anyio

    from .clock import Clock
    from .sleepers import Sleepers

MAX_CATCH_UP: Final = 0.02
"""Sleeps end late, by a millisecond or more. So many seconds of that are made up for by the next in the queue."""
LONGEST_RESPONSE: Final = 1.0
"""Refusals within so many seconds are taken for refusals of the same pace."""
MEMORY: Final = 60.0
"""Seconds after the last pause for which calls that find no queue keep to the pace."""


class Queue:
    """Calls that wait for one limit. After a pause they proceed one by one, first come, first served.

    The head of the queue sleeps, the others wait for it. Event loops cannot wait for each other, so each has a head
    of its own; several heads proceed in turns, because each checks the time again when it wakes. What the loops share
    is numbers, which change under a lock of threads that nothing awaits.
    """

    __slots__ = (
        "_clock",
        "_heads",
        "_last",
        "_lock",
        "_next",
        "_pace",
        "_paused_until",
        "_refused_at",
        "_same_until",
        "_sleepers",
        "_waiting",
    )

    def __init__(self, clock: Clock, sleepers: Sleepers) -> None:
        self._clock = clock
        self._sleepers = sleepers
        self._heads: WeakKeyDictionary[object, anyio.Lock] = WeakKeyDictionary()
        self._waiting: set[object] = set()  # no counter: threads would lose counts
        self._lock = threading.Lock()
        self._next = self._paused_until = self._last = self._same_until = 0.0
        self._refused_at = -inf
        self._pace: Pace | None = None

    @property
    def is_free(self) -> bool:
        return not self._waiting and self._clock.monotonic() >= self._next

    @property
    def is_paused(self) -> bool:
        return self._clock.monotonic() < self._paused_until

    def pause(self, seconds: float, rate_limit: RateLimit | None, *, refused: bool) -> None:
        """Let no call proceed for so long, and the next ones at the pace that is known then."""
        with self._lock:
            now = self._clock.monotonic()
            until = now + min(seconds, LONGEST_PAUSE)
            if rate_limit is not None and rate_limit.limit and rate_limit.window:
                self._pace = Pace(known=spacing_of(rate_limit))
            elif refused and now >= self._same_until:
                self._pace = policy.refused(self._pace)
                # Calls that left at the pace before may be refused too, which says nothing of the new one.
                self._same_until = max(until, now + LONGEST_RESPONSE)
            else:
                self._pace = self._pace or Pace()
            self._refused_at = now
            self._next = self._paused_until = max(self._next, until)

    def reset(self) -> None:
        """Forget all; the caller wakes those that sleep."""
        with self._lock:
            self._next = self._paused_until = self._same_until = 0.0
            self._pace = None

    async def wait(self, max_wait: float, max_total: float) -> float | None:
        place = object()
        with self._lock:
            started = self._clock.monotonic()
            rest = max(0.0, self._next - started)
            if not self._waiting and not rest:
                self._pass_free(started)
                return None
            total = rest + (0.0 if self._pace is None else time_for(self._pace, len(self._waiting)))
            if rest > max_wait or total >= max_total:
                return total
            self._waiting.add(place)
        try:
            async with self._head():
                while (rest := self._proceed()) > 0:  # a later 429 may have moved it
                    if rest > max_wait or self._clock.monotonic() - started + rest >= max_total:
                        return rest
                    await self._sleepers.sleep(self._clock, rest)
                return None
        finally:
            self._waiting.discard(place)

    def _head(self) -> anyio.Lock:
        import anyio
        from anyio.lowlevel import current_token

        return self._heads.setdefault(current_token().native_token, anyio.Lock(fast_acquire=True))

    def _pass_free(self, now: float) -> None:
        """Note a call that need not wait. A limit that no header names also holds for calls that find no queue."""
        if self._pace is None or self._pace.known is not None:
            return
        if now - self._refused_at > MEMORY:
            self._pace = None
            return
        self._leave(now, self._pace)

    def _proceed(self) -> float:
        """Let the head of a queue proceed and return 0, or return the seconds until it may."""
        with self._lock:
            now = self._clock.monotonic()
            if now < self._next:
                return self._next - now
            if self._pace is not None:
                since = now - max(self._last, self._paused_until)
                self._pace = grown(self._pace, max(0.0, since))
                self._leave(now, self._pace)
            return 0.0

    def _leave(self, now: float, pace: Pace) -> None:
        self._last = now
        self._next = max(self._next, now - MAX_CATCH_UP) + spacing_at(pace)
