"""Calls that share script calls: each is decided, however the others are cancelled."""

from __future__ import annotations

import random

import anyio
import pytest
from anyio.lowlevel import checkpoint

from circleci_sdk.limiters import batches
from circleci_sdk.limiters.batches import Entry, SharedLimit
from circleci_sdk.limiters.questions import Asked, Decision
from tests.support.clock import run_until_idle


@pytest.mark.parametrize("seed", range(40))
async def test_no_call_waits_for_one_that_was_cancelled(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    monkeypatch.setattr(batches, "LARGEST", rng.choice((1, 3, 200)))
    given: set[int] = set()
    kept: list[int] = []

    async def send(limit: SharedLimit, entries: list[Entry]) -> None:
        """Ends with the cancellation of the call that runs it, before or after the decisions."""
        for _ in range(rng.randrange(4)):
            await checkpoint()
        for entry in entries:
            ticket = len(given) + 1
            given.add(ticket)
            limit.give(entry, Decision("proceed", ticket, 1.0, may_shrink=False), 0)
            entry.is_done = True
        for _ in range(rng.randrange(2)):
            await checkpoint()

    limit = SharedLimit(("key",), send)

    async def call(*, cancelled: bool) -> None:
        for _ in range(rng.randrange(6)):
            await checkpoint()
        entry = Entry(Asked(1.0, 1.0))
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(decide, entry)
                for _ in range(rng.randrange(6)):
                    await checkpoint()
                if cancelled:
                    scope.cancel()

    async def decide(entry: Entry) -> None:
        await limit.decide(entry)
        assert entry.decision is not None
        kept.append(entry.decision.ticket)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(30):
                tasks.start_soon(lambda one=number: call(cancelled=one % 3 > 0))
    assert len(kept) >= 10
    assert sorted((*kept, *limit.returned)) == sorted(given)


@pytest.mark.parametrize("in_flight", [False, True])
async def test_the_ticket_of_a_cancelled_call_is_returned_once(in_flight: bool) -> None:
    """At once while it waits, and with the decision while another call runs the script call."""
    released = anyio.Event(), anyio.Event()
    sent: list[int] = []

    async def send(limit: SharedLimit, entries: list[Entry]) -> None:
        sent.append(len(entries))
        await released[len(sent) - 1].wait()
        for entry in entries:
            assert entry.asked is not None
            limit.give(entry, Decision("proceed", entry.asked.ticket, 1.0, may_shrink=False), 0)
            entry.is_done = True

    limit = SharedLimit(("key",), send)
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def call(number: int) -> None:
        with scopes[number]:
            await limit.decide(Entry(Asked(1.0, 1.0, number + 1)))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(call, number)
                await run_until_idle()
            if in_flight:
                released[0].set()
                await run_until_idle()
            scopes[2].cancel()
            await run_until_idle()
            for event in released:
                event.set()
    assert sent == [1, 2 if in_flight else 1]
    assert limit.returned == [3]
