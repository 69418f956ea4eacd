"""The rate limiter: holds calls back until the limits of the API admit them.

`LocalRateLimiter` is that of one process; an application that shares a token between processes brings its own
`RateLimiter`. A limiter is shared by all event loops and threads that use its client.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from circleci_sdk._public import public

from .policy.rate_limit import RateKey, RateLimit, pause_for
from .sleepers import Sleepers

if TYPE_CHECKING:
    from .clock import Clock
    from .queue import Queue


@public("circleci_sdk")
class RateLimiter(Protocol):
    """Asked before each attempt. Implement it to share a rate limit between processes.

    It may be a remote service, and is bounded: `observe` may take a second, and `acquire` hangs if none of its calls
    returns for `max_wait` and five more seconds. What it raises costs neither a call nor a response: it is logged, once
    a minute, and the limiter of this process decides instead. A limiter that hangs is asked again after 30 seconds.
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
        self._queues: dict[RateKey, Queue] = {}
        self._sleepers = Sleepers()

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        for queue in self._queues_of(key):
            started = self._clock.monotonic()
            seconds = await queue.wait(max_wait, max_total)
            if seconds is not None:
                return seconds
            max_total -= self._clock.monotonic() - started
        return None

    async def observe(
        self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None, within: float = inf
    ) -> None:
        queue = self._queues.get(key)
        # Calls leave a queue at a pace that the limit bears, so that those in flight do not matter.
        in_flight = len(self._in_flight.get(key, ())) if queue is None or queue.is_free else 0
        seconds = pause_for(rate_limit, retry_after, in_flight)
        if seconds is None:
            return
        from .queue import Queue  # most processes meet no limit: 3 million instructions of a cold start

        owner = _owner(key)
        others = [(one, queue) for one, queue in list(self._queues.items()) if one not in (key, owner)]
        is_second = any(_owner(one) == owner and queue.is_paused for one, queue in others)
        for one in (key, owner) if is_second else (key,):
            queue = self._queues.setdefault(one, Queue(self._clock, self._sleepers))
            queue.pause(seconds, rate_limit, refused=retry_after is not None)

    def reset(self) -> None:
        """Forget all limits; calls that wait proceed. Safe to call from any thread."""
        for queue in list(self._queues.values()):
            queue.reset()
        self._sleepers.wake()

    def is_paused(self, key: RateKey) -> bool:
        """Whether a pause is on that also holds for calls that have passed and were not sent yet."""
        return any(queue.is_paused for queue in self._queues_of(key))

    def _queues_of(self, key: RateKey) -> list[Queue]:
        """The queue of all groups, then that of the group, as far as there are any."""
        if not self._queues:
            return []
        return [self._queues[one] for one in (_owner(key), key) if one in self._queues]


def _owner(key: RateKey) -> RateKey:
    """The key of the limit of all groups of a credential on a server."""
    return RateKey(key.credential, key.origin, "")
