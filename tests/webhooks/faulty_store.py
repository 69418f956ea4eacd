"""A store as a remote service that fails: it raises, hangs, responds late, or not after it has stored."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio

from circleci_sdk.webhooks import MemoryStore
from tests.support.foreign import foreign_cancellation

FAULTS: Final = ("raises", "hangs", "cancelled")
"""What a call does instead of its work, or after it: a response that is lost."""


class FaultyStore:
    """Each call has a fault with a probability. `seen` lists the faults."""

    def __init__(self, rng: random.Random, chance: float, faults: tuple[str, ...] = FAULTS) -> None:
        self.store: MemoryStore = MemoryStore()
        self.seen: list[str] = []
        self.chance = chance
        self._rng = rng
        self._faults = faults

    async def claim(self, delivery_id: str, owner: str) -> bool:
        return await self._call("claim", lambda: self.store.claim(delivery_id, owner))

    async def release(self, delivery_id: str, owner: str) -> None:
        await self._call("release", lambda: self.store.release(delivery_id, owner))

    async def load(self, delivery_id: str) -> str | None:
        return await self._call("load", lambda: self.store.load(delivery_id))

    async def save(self, delivery_id: str, progress: str) -> None:
        await self._call("save", lambda: self.store.save(delivery_id, progress))

    async def _call(self, method: str, work: Callable[[], Awaitable[Any]]) -> Any:
        fails = self._rng.random() < self.chance
        fault = self._rng.choice(self._faults) if fails else ""
        after = self._rng.random() < 0.5
        await anyio.lowlevel.checkpoint()
        if fault:
            self.seen.append(f"{method} {fault}{' after it' if after else ''}")
        if after:
            result = await work()
            await self._fail(fault)
            return result
        await self._fail(fault)
        return await work()

    async def _fail(self, fault: str) -> None:
        match fault:
            case "raises":
                raise ConnectionError("no store")
            case "hangs":
                await anyio.sleep_forever()
            case "cancelled":
                await foreign_cancellation()
            case _:
                pass
