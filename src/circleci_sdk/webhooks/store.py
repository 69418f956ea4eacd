"""Stores of delivery ids, for deduplication."""

from __future__ import annotations

from typing import Protocol

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.options import is_count
from circleci_sdk._public import public


@public("circleci_sdk.webhooks")
class DeliveryStore(Protocol):
    """A store of delivery ids. Implement it to share ids between processes or to keep them over a restart.

    It has two values for each id: whether it is claimed, and a short string, the progress of failed attempts. With a
    client of Redis:

        class RedisStore:
            def __init__(self, redis: Redis) -> None:
                self._redis = redis

            async def claim(self, delivery_id: str) -> bool:
                return bool(await self._redis.set(f"claim:{delivery_id}", 1, nx=True, ex=86400))

            async def release(self, delivery_id: str) -> None:
                await self._redis.delete(f"claim:{delivery_id}")

            async def load(self, delivery_id: str) -> str | bytes | None:
                return await self._redis.get(f"progress:{delivery_id}")

            async def save(self, delivery_id: str, progress: str) -> None:
                await self._redis.set(f"progress:{delivery_id}", progress, ex=86400)

    Only the claim must be atomic: `load`, `save` and `release` are called by the one that has claimed the id. If that
    process ends abruptly, the id stays claimed until the store removes it, here after a day.
    """

    async def claim(self, delivery_id: str) -> bool:
        """Claim the id; True if it was not claimed.

        Of several calls with the same id, also concurrent ones, exactly one returns True: in Redis
        `SET id 1 NX EX 86400`, in SQL an insert with a unique key. If it raises, the delivery is rejected, and CircleCI
        sends it again.
        """
        ...

    async def release(self, delivery_id: str) -> None:
        """End the claim of an id: the delivery was rejected after all, or failed. Its progress stays."""
        ...

    async def load(self, delivery_id: str) -> str | bytes | None:
        """The progress that was saved last for the id; None without one."""
        ...

    async def save(self, delivery_id: str, progress: str) -> None:
        """Save the progress of an id, in place of an older one. Called after each failed attempt, before `release`."""
        ...


@public("circleci_sdk.webhooks")
class MemoryStore:
    """Stores the newest ids in memory, for one process.

    Args:
        size: maximum number of ids, and of ids with progress. New ids replace the oldest ones.
    """

    def __init__(self, size: int = 100_000) -> None:
        if not is_count(size, least=1):
            raise InvalidArgumentError(f"MemoryStore: size: expected an integer of at least 1, got {size!r}.")
        self._size = size
        self._ids: dict[str, None] = {}
        self._progress: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._ids)} ids, at most {self._size}>"

    async def claim(self, delivery_id: str) -> bool:
        """Claim the id; True if it was not claimed."""
        if delivery_id in self._ids:
            return False
        self._ids[delivery_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return True

    async def release(self, delivery_id: str) -> None:
        """End the claim of an id."""
        self._ids.pop(delivery_id, None)

    async def load(self, delivery_id: str) -> str | None:
        """The progress that was saved last for the id."""
        return self._progress.get(delivery_id)

    async def save(self, delivery_id: str, progress: str) -> None:
        """Save the progress of an id."""
        self._progress.pop(delivery_id, None)
        self._progress[delivery_id] = progress
        if len(self._progress) > self._size:
            del self._progress[next(iter(self._progress))]
