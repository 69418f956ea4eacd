"""The time that a call of a store has."""

from __future__ import annotations

import anyio
import pytest

from circleci_sdk.webhooks import MemoryStore
from circleci_sdk.webhooks.claims import Claims


class Asked(MemoryStore):
    """Counts the claims."""

    count = 0

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        self.count += 1
        return await super().claim(delivery_id, owner)


@pytest.mark.parametrize(("left", "count"), [(1.0, 1), (0.0, 0), (-1.0, 0)])
async def test_without_time_the_store_is_not_asked(left: float, count: int) -> None:
    store = Asked()
    claims = Claims(store, 10.0)
    until = anyio.current_time() + left
    if count:
        assert await claims.claim("1", until)
    else:
        with pytest.raises(TimeoutError, match="no time was left"):
            await claims.claim("1", until)
    assert store.count == count
