"""Rate limiters beyond that of one process.

async with RedisRateLimiter.from_url("redis://localhost:6379/0") as limiter:
    async with AsyncCircleCI(rate_limiter=limiter) as circleci:
        ...

A `CircleCI` takes them too: `CircleCI(rate_limiter=RedisRateLimiter(redis))` borrows a `redis.Redis`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import RedisClient
    from .redis import RedisRateLimiter
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(__name__, {".connection": "RedisClient", ".redis": "RedisRateLimiter"})

__all__ = ["RedisClient", "RedisRateLimiter"]
