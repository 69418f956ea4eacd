"""The rate limiter: holds calls back until the limits of the API admit them.

`LocalRateLimiter` is that of one process; an application that shares a token between processes brings its own
`RateLimiter`. A limiter is shared by all event loops and threads that use its client.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakKeyDictionary

from circleci_sdk._public import public

from .policy.rate_limit import DEFAULT_SPACING, LONGEST_PAUSE, RateKey, RateLimit, pause_for, spacing_of

if TYPE_CHECKING:
    import anyio

    from .clock import Clock

MAX_CATCH_UP: Final = 0.02
"""Sleeps end late, by a millisecond or more. So many seconds of that are made up for by the next in the queue."""


@public("circleci_sdk")
class RateLimiter(Protocol):
    """Asked before each attempt. Implement it to share a rate limit between processes.

    Exceptions of a limiter pass through. In `observe` they cost a response that is there already: log them instead.
    """

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        """Wait until a call may proceed, and return None.

        If the pause itself would last longer than `max_wait` seconds, or the pause and the queue together longer
        than `max_total`, return at once the seconds it would take.
        """
        ...

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        """Learn from a response. `retry_after` is given when the call was rejected with 429: pause that long."""
        ...


class _Queue:
    """Calls that wait for one limit. After a pause they proceed one by one, first come, first served.

    The head of the queue sleeps, the others wait for it. Event loops cannot wait for each other, so each has a head
    of its own; several heads proceed in turns, because each checks the time again when it wakes.
    """

    __slots__ = ("_clock", "_heads", "_next", "_paused_until", "_waiting", "spacing")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heads: WeakKeyDictionary[object, anyio.Lock] = WeakKeyDictionary()
        self._waiting: set[object] = set()  # no counter: threads would lose counts
        self._next = self._paused_until = 0.0
        self.spacing = DEFAULT_SPACING

    @property
    def is_free(self) -> bool:
        return not self._waiting and self._clock.monotonic() >= self._next

    @property
    def is_paused(self) -> bool:
        return self._clock.monotonic() < self._paused_until

    def pause(self, seconds: float, spacing: float) -> None:
        self._next = self._paused_until = max(self._next, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))
        self.spacing = spacing

    async def wait(self, max_wait: float, max_total: float) -> float | None:
        started = self._clock.monotonic()
        rest = max(0.0, self._next - started)
        total = rest + len(self._waiting) * self.spacing
        if rest > max_wait or total >= max_total:
            return total
        import anyio
        from anyio.lowlevel import current_token

        head = self._heads.setdefault(current_token().native_token, anyio.Lock(fast_acquire=True))
        place = object()
        self._waiting.add(place)
        try:
            async with head:
                while (rest := self._next - (now := self._clock.monotonic())) > 0:  # a later 429 may have moved it
                    if rest > max_wait or now - started + rest >= max_total:
                        return rest
                    await self._clock.sleep(rest)
                self._next = max(self._next, now - MAX_CATCH_UP) + self.spacing
                return None
        finally:
            self._waiting.discard(place)


class LocalRateLimiter:
    """The rate limiter of one process.

    One rejected call pauses its group for all tasks. When a second group of the same credential and server is
    limited while the first still is, the limit is taken to be the credential's, and all its groups pause.

    `in_flight` holds the requests in flight. The rest of a window that ends soon belongs to them: when
    it admits no further one, the limiter pauses before the server has to reject a call.
    """

    def __init__(self, clock: Clock, in_flight: Mapping[RateKey, Collection[object]] = MappingProxyType({})) -> None:
        self._clock = clock
        self._in_flight = in_flight
        self._queues: dict[RateKey, _Queue] = {}

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        for queue in self._queues_of(key):
            if not queue.is_free:
                started = self._clock.monotonic()
                seconds = await queue.wait(max_wait, max_total)
                if seconds is not None:
                    return seconds
                max_total -= self._clock.monotonic() - started
        return None

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        queue = self._queues.get(key)
        # Calls leave a queue at a pace that the limit bears, so that those in flight do not matter.
        in_flight = len(self._in_flight.get(key, ())) if queue is None or queue.is_free else 0
        seconds = pause_for(rate_limit, retry_after, in_flight)
        if seconds is None:
            return
        owner = _owner(key)
        others = [(one, queue) for one, queue in list(self._queues.items()) if one not in (key, owner)]
        is_second = any(_owner(one) == owner and queue.is_paused for one, queue in others)
        for one in (key, owner) if is_second else (key,):
            self._queues.setdefault(one, _Queue(self._clock)).pause(seconds, spacing_of(rate_limit))

    def is_paused(self, key: RateKey) -> bool:
        """Whether a pause is on that also holds for calls that have passed and were not sent yet."""
        return any(queue.is_paused for queue in self._queues_of(key))

    def _queues_of(self, key: RateKey) -> list[_Queue]:
        """The queue of all groups, then that of the group, as far as there are any."""
        if not self._queues:
            return []
        return [self._queues[one] for one in (_owner(key), key) if one in self._queues]


def _owner(key: RateKey) -> RateKey:
    """The key of the limit of all groups of a credential on a server."""
    return RateKey(key.credential, key.origin, "")
