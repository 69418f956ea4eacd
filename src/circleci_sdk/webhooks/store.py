"""Where the ids of deliveries are remembered, so that each is handled once."""

from __future__ import annotations

from typing import Protocol

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.options import is_count
from circleci_sdk._public import public


@public("circleci_sdk.webhooks")
class DeliveryStore(Protocol):
    """A memory of deliveries. Write your own to share it between processes or to keep it over a restart."""

    async def claim(self, delivery_id: str) -> bool:
        """Remember the id; True if it was new.

        Of any number of calls with the same id, at the same time too, exactly one may response True: in Redis
        `SET id 1 NX EX 86400`, in SQL an insert under a unique key. When it raises, the delivery is not taken, and
        CircleCI sends it again.
        """
        ...

    async def release(self, delivery_id: str) -> None:
        """Forget the id again, because the delivery was not taken after all."""
        ...


@public("circleci_sdk.webhooks")
class MemoryStore:
    """The memory of one process: the newest ids, up to a number.

    Args:
        size: how many ids are kept; the oldest make room for new ones.
    """

    def __init__(self, size: int = 100_000) -> None:
        if not is_count(size, least=1):
            raise InvalidArgumentError(f"size: it is a whole number from 1 up, not {size!r}.")
        self._size = size
        self._ids: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._ids)} ids, at most {self._size}>"

    async def claim(self, delivery_id: str) -> bool:
        """Remember the id; True if it was new."""
        if delivery_id in self._ids:
            return False
        self._ids[delivery_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return True

    async def release(self, delivery_id: str) -> None:
        """Forget the id."""
        self._ids.pop(delivery_id, None)
