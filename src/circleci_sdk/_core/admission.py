"""Admission of the requests of one call: the rate limiter, a concurrency slot, and the count of requests in flight."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from .logs import logger

if TYPE_CHECKING:
    import anyio

    from .operation import Operation
    from .options import Options
    from .policy.rate_limit import RateKey
    from .session import Session

LONG_WAIT: Final = 1.0
"""Waits of more seconds are logged."""


class Admission:
    """Acquired before a request is sent, released after it; one for all attempts of a call.

    A call first passes the rate limiter, then prepares its request, then takes a slot and sends. So no slot is held
    while the rate limiter, a hook or a source of tokens waits.
    """

    def __init__(
        self,
        session: Session,
        slots: anyio.Semaphore,
        key: RateKey,
        operation: Operation[object],
        options: Options,
        deadline: float | None,
    ) -> None:
        self._session = session
        self._slots = slots
        self._key = key
        self._label = operation.label
        self._max_wait = options.max_retry_after
        self._deadline = deadline
        self._in_flight = session.in_flight[key]
        self._holds_slot = False
        self.is_queued = False

    async def pass_limiter(self) -> float | None:
        """Wait for the rate limiter. Returns None, or the seconds of a wait that would be too long."""
        session = self._session
        before = session.clock.monotonic()
        left = inf if self._deadline is None else self._deadline - before
        self.is_queued = True
        wait = await session.limiter.acquire(self._key, min(self._max_wait, left), left)
        self.is_queued = False
        waited = session.clock.monotonic() - before
        if waited > LONG_WAIT and wait is None:
            logger.info("%s waited %.1f s for the rate limit of %s", self._label, waited, self._key.group)
        return wait

    async def acquire(self) -> float | None:
        """Take a concurrency slot. Returns what `pass_limiter` returns: a pause that began meanwhile holds here too."""
        await self._slots.acquire()
        while self._session.limiter.is_paused(self._key):
            self._slots.release()
            wait = await self.pass_limiter()
            if wait is not None:
                return wait
            await self._slots.acquire()
        self._holds_slot = True
        self._in_flight.add(self)
        return None

    def end_flight(self) -> None:
        """The response is there: the request no longer counts as in flight. A download keeps its slot."""
        self._in_flight.discard(self)

    async def resume(self) -> None:
        """Take the slot again that was released while a hook saw the response of a download."""
        await self._slots.acquire()
        self._holds_slot = True

    def release(self) -> None:
        """Return the slot. Safe to call twice, and without a slot."""
        self._in_flight.discard(self)
        if self._holds_slot:
            self._holds_slot = False
            self._slots.release()
