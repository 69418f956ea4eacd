"""The time that a call of a store has."""

from __future__ import annotations

import anyio
import pytest

from circleci_sdk.webhooks import MemoryStore
from circleci_sdk.webhooks import claims as module
from circleci_sdk.webhooks.claims import Claims


class Asked(MemoryStore):
    """Counts its calls."""

    count = released = 0
    fails = False

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        self.count += 1
        return await super().claim(delivery_id, owner)

    async def release(self, delivery_id: str, owner: str = "") -> None:
        self.released += 1
        if self.fails:
            raise ConnectionError("no store")
        await super().release(delivery_id, owner)


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


@pytest.mark.parametrize(
    ("left", "fails", "released", "warned"), [(1.0, False, 3, 0), (1.0, True, 3, 1), (0.0, True, 0, 0)]
)
async def test_releasing_the_rest_is_bounded_and_logged_once(
    left: float, fails: bool, released: int, warned: int, caplog: pytest.LogCaptureFixture
) -> None:
    store = Asked()
    claims = Claims(store, 10.0)
    for number in "123":
        assert await claims.claim(number)
        claims.give_up(number)
    store.fails = fails
    await claims.release_rest(until=anyio.current_time() + left)
    assert store.released == released
    assert [record.getMessage() for record in caplog.records] == [
        "webhooks: the store failed; 3 deliveries may stay claimed that were not handled: ConnectionError: no store"
    ] * warned


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "_MAX_HELD", 2)
    monkeypatch.setattr(module, "_MAX_UNRELEASED", 2)
    store = Asked()
    claims = Claims(store, 10.0)
    for number in "1234":
        assert await claims.claim(number)
    for number in "1234":  # the first two are not known any more
        await claims.release(number)
    assert store.released == 2
    for number in "567":
        await claims.claim(number)
        claims.give_up(number)
    assert claims.unreleased == 2
    (warning,) = caplog.records
    assert "delivery 5 may stay claimed" in warning.getMessage()
