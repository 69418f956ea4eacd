"""Stores of delivery ids, for deduplication."""

from __future__ import annotations

from typing import Protocol

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.options import is_count
from circleci_sdk._public import public


@public("circleci_sdk.webhooks")
class DeliveryStore(Protocol):
    """A store of delivery ids. Implement it to share ids between processes or to keep them over a restart."""

    async def claim(self, delivery_id: str) -> bool:
        """Store the id; True if it is new.

        Of several calls with the same id, also concurrent ones, exactly one returns True: in Redis
        `SET id 1 NX EX 86400`, in SQL an insert with a unique key. If it raises, the delivery is rejected, and CircleCI
        sends it again.
        """
        ...

    async def release(self, delivery_id: str) -> None:
        """Remove the id of a delivery that was rejected after all."""
        ...


@public("circleci_sdk.webhooks")
class MemoryStore:
    """Stores the newest ids in memory, for one process.

    Args:
        size: maximum number of ids. New ids replace the oldest ones.
    """

    def __init__(self, size: int = 100_000) -> None:
        if not is_count(size, least=1):
            raise InvalidArgumentError(f"MemoryStore: size: expected an integer of at least 1, got {size!r}.")
        self._size = size
        self._ids: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._ids)} ids, at most {self._size}>"

    async def claim(self, delivery_id: str) -> bool:
        """Store the id; True if it is new."""
        if delivery_id in self._ids:
            return False
        self._ids[delivery_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return True

    async def release(self, delivery_id: str) -> None:
        """Remove the id."""
        self._ids.pop(delivery_id, None)
