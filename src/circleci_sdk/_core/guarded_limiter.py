"""A custom rate limiter, treated as the remote service that it may be: bounded in time, and never in the way.

What it raises, or a value that is none of its protocol, is logged, and the local rate limiter decides in its place. The
local one learns from all responses, so it knows of pauses when it is needed.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from .cancellation import is_failure
from .logs import logger

if TYPE_CHECKING:
    import anyio

    from .clock import Clock
    from .limiter import LocalRateLimiter, RateLimiter
    from .policy.rate_limit import RateKey, RateLimit

OBSERVE_SECONDS: Final = 1.0
"""Seconds that `observe` may take, and `acquire` when it is only asked whether it responds again."""
LONGEST_SILENCE: Final = 5.0
"""Seconds in addition to `max_wait` after which `acquire` hangs, if meanwhile no call of it returned."""
SUSPENSION: Final = 30.0
"""Seconds for which a limiter that hangs is not asked."""
QUIET: Final = 60.0
"""Seconds from one warning to the next one."""
_BUMP: Final = 1.0


class GuardedLimiter:
    """A custom rate limiter and the local one that replaces it while it fails."""

    def __init__(self, custom: RateLimiter, local: LocalRateLimiter, clock: Clock) -> None:
        self.custom: Final = custom
        self._local = local
        self._clock = clock
        self._waiting: WeakKeyDictionary[object, dict[anyio.CancelScope, float]] = WeakKeyDictionary()
        self._returned_at = self._suspended_until = -inf
        self._warned_at: dict[str, float] = {}
        self._is_replaced = False

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        """As in the protocol; the local rate limiter decides if the custom one fails or hangs."""
        started = self._clock.monotonic()
        if started >= self._suspended_until and await self._responds(key):
            returned, wait = await self._ask(key, max_wait, max_total, max_wait + LONGEST_SILENCE)
            if returned:
                self._is_replaced = False
                return wait
        self._is_replaced = True
        return await self._local.acquire(key, max_wait, max_total - (self._clock.monotonic() - started))

    async def observe(
        self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None, within: float = inf
    ) -> None:
        """As in the protocol, in at most `within` seconds. Raises nothing: the response is there already."""
        import anyio

        await self._local.observe(key, rate_limit, retry_after)
        if self._clock.monotonic() < self._suspended_until:
            return
        with anyio.move_on_after(min(OBSERVE_SECONDS, within)) as scope:
            try:
                await self.custom.observe(key, rate_limit, retry_after)
            except BaseException as error:  # whatever the user's limiter raises
                if not is_failure(error):
                    raise
                self._warn("observe", f"{type(error).__name__}: {error}")
        if scope.cancelled_caught and within >= OBSERVE_SECONDS:
            self._suspend("observe")

    def is_paused(self, key: RateKey) -> bool:
        """Whether the local rate limiter is in use and holds a pause. A custom one keeps no record of pauses."""
        return self._is_replaced and self._local.is_paused(key)

    def reset(self) -> None:
        """Reset the local rate limiter, and ask the custom one again."""
        self._suspended_until = -inf
        self._local.reset()

    async def _ask(self, key: RateKey, max_wait: float, max_total: float, seconds: float) -> tuple[bool, float | None]:
        """Whether the custom limiter returned, and what. It hangs if no call of it returns for so many seconds."""
        import anyio
        from anyio.lowlevel import current_token

        started = self._clock.monotonic()
        waiting = self._waiting.setdefault(current_token().native_token, {})
        with anyio.move_on_after(seconds) as scope:
            waiting[scope] = seconds
            try:
                wait = await self.custom.acquire(key, max_wait, max_total)
                if not _is_wait(wait):
                    raise TypeError(f"expected None or seconds from 0 up, got {repr(wait)[:50]}")
                wait = None if wait is None else float(wait)
            except BaseException as error:  # whatever the user's limiter raises
                if is_failure(error):
                    self._warn("acquire", f"{type(error).__name__}: {error}")
                    return False, None
                # The deadline of the call came first.
                if (
                    self._clock.monotonic() - started >= max(LONGEST_SILENCE, max_total - 0.1)
                    and self._returned_at < started
                ):
                    self._suspend("acquire")
                raise
            finally:
                del waiting[scope]
            self._note_return(waiting)
            return True, wait
        self._suspend("acquire")
        return False, None

    async def _responds(self, key: RateKey) -> bool:
        """Whether the limiter is to be asked. After a suspension one call finds out, and the others do not wait."""
        if self._suspended_until == -inf:
            return True
        self._suspended_until = self._clock.monotonic() + SUSPENSION
        returned, _ = await self._ask(key, 0.0, 0.0, OBSERVE_SECONDS)
        if returned:
            self._suspended_until = -inf
            logger.info("The custom rate limiter responds again.")
        return returned

    def _note_return(self, waiting: dict[anyio.CancelScope, float]) -> None:
        """A limiter that lets calls proceed one by one does not hang: those that wait continue to wait."""
        now, before = self._clock.monotonic(), self._returned_at
        if now - before < _BUMP:
            return
        self._returned_at = now
        if waiting:
            import anyio

            for scope, seconds in waiting.items():
                scope.deadline = anyio.current_time() + seconds

    def _suspend(self, method: str) -> None:
        self._suspended_until = self._clock.monotonic() + SUSPENSION
        self._warn(method, "it did not return in time")

    def _warn(self, method: str, reason: str) -> None:
        now = self._clock.monotonic()
        if now - self._warned_at.get(method, -inf) >= QUIET:
            self._warned_at[method] = now
            text = "%s of the custom rate limiter failed, and the local one decides in its place: %s"
            logger.warning(text, method, ascii(reason)[1:-1])


def _is_wait(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)
