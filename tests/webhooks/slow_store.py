"""A store whose claims wait, to interrupt them."""

from __future__ import annotations

from typing import Literal

import anyio

from circleci_sdk.webhooks import MemoryStore


class SlowStore(MemoryStore):
    """Each call of `claim` sets `entered` and waits for `proceed`; it claims the id before or after the wait."""

    def __init__(self, *, claims: Literal["before", "after"]) -> None:
        super().__init__()
        self.entered, self.proceed = anyio.Event(), anyio.Event()
        self._claims = claims

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        if self._claims == "before":
            new = await super().claim(delivery_id, owner)
            await self._wait()
            return new
        await self._wait()
        return await super().claim(delivery_id, owner)

    async def load(self, delivery_id: str) -> str | None:
        await anyio.lowlevel.checkpoint()  # of which a cancellation may make use
        return await super().load(delivery_id)

    async def _wait(self) -> None:
        self.entered.set()
        await self.proceed.wait()
