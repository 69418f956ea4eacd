"""Stores of delivery ids, for deduplication."""

from __future__ import annotations

import inspect
from sys import getsizeof
from typing import Any, Final, Protocol

from circleci_sdk._core.checks import STR, at_least, check, got, may_be_async
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._public import public

MAX_BYTES: Final = 32 * 1024 * 1024
_ENTRY: Final = 200
"""Bytes that an entry takes beside its strings, at most."""


@public("circleci_sdk.webhooks")
class DeliveryStore(Protocol):
    """A store of delivery ids. Implement it to share ids between processes or to keep them over a restart.

    It has two values for each id: the owner of its claim, and a short string, the progress of failed attempts. With a
    client of Redis:

        class RedisStore:
            def __init__(self, redis: Redis) -> None:
                self._redis = redis

            async def claim(self, delivery_id: str, owner: str) -> bool:
                key = f"claim:{delivery_id}"
                if await self._redis.set(key, owner, nx=True, ex=86400):
                    return True
                return await self._redis.get(key) in (owner, owner.encode())

            async def release(self, delivery_id: str, owner: str) -> None:
                same = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
                await self._redis.eval(same, 1, f"claim:{delivery_id}", owner)

            async def load(self, delivery_id: str) -> str | bytes | None:
                return await self._redis.get(f"progress:{delivery_id}")

            async def save(self, delivery_id: str, progress: str) -> None:
                await self._redis.set(f"progress:{delivery_id}", progress, ex=86400)

    Only `claim` and `release` must be atomic: `load` and `save` are called by the one that has claimed the id. If that
    process ends abruptly, the id stays claimed until the store removes it, here after a day.

    A store is a remote service, which may fail. Each call is limited to `Router(store_timeout=...)`. A claim without a
    response may have been stored all the same. It is released then, until the store confirms it, and each claim has
    an owner of its own, so that this release ends no other claim. Until then no other process takes the delivery for a
    duplicate: the progress says whether the outcome of the claim is known to its owner, and without that the delivery
    is rejected, so that CircleCI sends it again. With a store whose `load` does not return what was saved, each
    claimed id is a duplicate. A delivery is lost only if its process ends before the handlers have, or if after a
    failed attempt the store fails to save the progress and to release the id until CircleCI sends it no more. An id has
    at most 200 characters, in ASCII.
    """

    async def claim(self, delivery_id: str, owner: str) -> bool:
        """Claim the id for an owner; True if it was not claimed, or by this owner only.

        Of several owners, also concurrent ones, exactly one gets True: in Redis `SET id owner NX EX 86400`, in SQL an
        insert with a unique key. For the same owner again it is True: a client that repeats a command after a lost
        response must not find its own claim. If it raises, the delivery is rejected, and CircleCI sends it again.
        """
        ...

    async def release(self, delivery_id: str, owner: str) -> None:
        """End the claim of an id if it is by this owner: the delivery was rejected after all, or failed.

        Otherwise change nothing. The progress of the id stays.
        """
        ...

    async def load(self, delivery_id: str) -> str | bytes | None:
        """The progress that was saved last for the id; None without one."""
        ...

    async def save(self, delivery_id: str, progress: str) -> None:
        """Save the progress of an id, in place of an older one.

        Called after `claim` has returned True, and after each failed attempt, before `release`.
        """
        ...


@public("circleci_sdk.webhooks")
class MemoryStore:
    """Stores the newest ids in memory, for one process.

    Args:
        size: maximum number of ids, and of ids with progress.
        max_bytes: maximum size in memory of the ids, and of the progress, in bytes. The default suffices for the
            default `size` and ids of CircleCI.

    New ids replace those that were handled first. Ids of deliveries that are being handled are kept in addition.
    """

    def __init__(self, size: int = 100_000, *, max_bytes: int = MAX_BYTES) -> None:
        check("MemoryStore", size=(size, at_least(1)), max_bytes=(max_bytes, at_least(1)))
        self._size = size
        self._ids = _Newest(size, max_bytes)
        self._running: dict[str, str] = {}
        self._progress = _Newest(size, max_bytes)

    def __len__(self) -> int:
        return len(self._ids.values) + len(self._running)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self)} ids, at most {self._size}>"

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        """Claim the id; True if it was not claimed, or by this owner. An empty owner is another one in each call."""
        check("MemoryStore.claim", delivery_id=(delivery_id, STR), owner=(owner, STR))
        holder = self._running.get(delivery_id, self._ids.values.get(delivery_id))
        if holder is not None:
            return holder == owner != ""
        self._ids.put(delivery_id, owner)
        return True

    async def release(self, delivery_id: str, owner: str = "") -> None:
        """End the claim of an id if it is by this owner; with an empty owner by any."""
        check("MemoryStore.release", delivery_id=(delivery_id, STR), owner=(owner, STR))
        holder = self._running.get(delivery_id, self._ids.values.get(delivery_id))
        if owner in ("", holder):
            self._running.pop(delivery_id, None)
            self._ids.pop(delivery_id)

    async def load(self, delivery_id: str) -> str | None:
        """The progress that was saved last for the id."""
        check("MemoryStore.load", delivery_id=(delivery_id, STR))
        return self._progress.values.get(delivery_id)

    async def save(self, delivery_id: str, progress: str) -> None:
        """Save the progress of an id."""
        check("MemoryStore.save", delivery_id=(delivery_id, STR), progress=(progress, STR))
        self._progress.put(delivery_id, progress)

    def begin(self, delivery_id: str) -> None:
        """Keep a claimed id until `end`: its delivery is being handled."""
        check("MemoryStore.begin", delivery_id=(delivery_id, STR))
        owner = self._ids.pop(delivery_id)
        if owner is not None:
            self._running[delivery_id] = owner

    def end(self, delivery_id: str) -> None:
        """The delivery is not being handled any more: its id is the newest of those that may be replaced."""
        check("MemoryStore.end", delivery_id=(delivery_id, STR))
        owner = self._running.pop(delivery_id, None)
        if owner is not None:
            self._ids.put(delivery_id, owner)


class _Newest:
    """The newest strings by key, up to a number and a size in bytes."""

    def __init__(self, size: int, max_bytes: int) -> None:
        self.values: dict[str, str] = {}
        self._size = size
        self._max_bytes = max_bytes
        self._bytes = 0

    def put(self, key: str, value: str) -> None:
        self.pop(key)
        self.values[key] = value
        self._bytes += _size(key, value)
        while len(self.values) > self._size or self._bytes > self._max_bytes:
            self.pop(next(iter(self.values)))

    def pop(self, key: str) -> str | None:
        value = self.values.pop(key, None)
        if value is not None:
            self._bytes -= _size(key, value)
        return value


def _size(key: str, value: str) -> int:
    return getsizeof(key) + getsizeof(value) + _ENTRY


def check_store(store: Any) -> None:
    """Refuse a store whose methods cannot be called as the protocol says."""
    for name, arguments in (("claim", "id owner"), ("release", "id owner"), ("load", "id"), ("save", "id progress")):
        method = getattr(store, name, None)
        if not callable(method):
            raise InvalidArgumentError(f"Router: store: expected a DeliveryStore, got one without {name}().")
        if not may_be_async(method):
            raise InvalidArgumentError(f"Router: store: {name}: expected an async method, got {got(method)}.")
        try:
            inspect.signature(method).bind(*arguments.split())
        except (TypeError, ValueError):  # ValueError: a `partial` with arguments that the method does not have
            given = arguments.replace("id", "delivery_id").replace(" ", ", ")
            raise InvalidArgumentError(
                f"Router: store: {name}: expected a method with the parameters ({given}), as DeliveryStore describes."
            ) from None
