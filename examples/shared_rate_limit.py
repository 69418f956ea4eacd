"""One rate limit for a fleet: many processes share a token, and Redis keeps the line.

    limiter = RedisRateLimiter(redis.asyncio.Redis.from_url("redis://localhost"))
    async with AsyncCircleCI(rate_limiter=limiter) as circleci:
        ...

When one process is refused, all of them wait, and then leave one by one. Time is Redis' own, so the clocks of the
machines need not agree.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio

if TYPE_CHECKING:
    from circleci_sdk import RateKey, RateLimit

PACE: Final = 0.05
"""Seconds between two calls that leave the line, when the server says nothing of its pace."""
LONGEST: Final = 86400.0

NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function read(key) return tonumber(redis.call('GET', key) or '0') end
"""
# KEYS: pause, line, pace. The line holds the moment at which its next place is free; to wait is to take a place.
TAKE_PLACE: Final = (
    NOW
    + """
local paused, line, pace = read(KEYS[1]), read(KEYS[2]), read(KEYS[3])
if paused <= now and line <= now then return 0 end
local wait = math.max(paused, line) - now
if paused - now > tonumber(ARGV[1]) or wait >= tonumber(ARGV[2]) then return -wait end
redis.call('SET', KEYS[2], now + wait + pace, 'PX', wait + pace + 1)
return wait
"""
)
STILL_PAUSED: Final = NOW + "return math.max(0, read(KEYS[1]) - now)"
PAUSE: Final = (
    NOW
    + """
local till = math.max(read(KEYS[1]), now + ARGV[1])
redis.call('SET', KEYS[1], till, 'PX', till - now + 1)
redis.call('SET', KEYS[3], ARGV[2], 'PX', till - now + 60000)
"""
)


class Redis(Protocol):
    """What is used of a Redis client; `redis.asyncio.Redis` has it."""

    async def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any: ...


class RedisRateLimiter:
    """Implements `circleci_sdk.RateLimiter`.

    What Redis raises in `acquire` ends the call before it is sent. In `observe` the response is there already and must
    not be lost, so the errors named in `unavailable` are passed over.
    """

    def __init__(self, redis: Redis, *, unavailable: tuple[type[Exception], ...] = (OSError,)) -> None:
        self._redis = redis
        self._unavailable = unavailable

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        while True:
            wait: int = await self._run(TAKE_PLACE, key, max_wait, max_total)
            if wait < 0:
                return -wait / 1000
            if wait == 0:
                return None
            await anyio.sleep(wait / 1000)
            max_total -= wait / 1000
            if not await self._run(STILL_PAUSED, key):  # a later refusal may have moved the pause
                return None

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        seconds = retry_after
        if seconds is None and rate_limit is not None and rate_limit.remaining == 0:
            seconds = rate_limit.reset
        if not seconds:
            return
        pace = PACE
        if rate_limit is not None and rate_limit.limit and rate_limit.window:
            pace = min(1.0, rate_limit.window / rate_limit.limit)
        with suppress(*self._unavailable):
            await self._run(PAUSE, key, seconds, pace)

    async def _run(self, script: str, key: RateKey, *seconds: float) -> Any:
        name = f"circleci:{{{key.credential}:{key.origin}:{key.group}}}"  # braces: one slot of a cluster
        arguments = (str(round(min(LONGEST, each) * 1000)) for each in seconds)
        return await self._redis.eval(script, 3, f"{name}:pause", f"{name}:line", f"{name}:pace", *arguments)
