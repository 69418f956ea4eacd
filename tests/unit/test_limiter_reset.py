"""Ending the waits of a rate limiter from any thread."""

from __future__ import annotations

import threading

import anyio
import pytest

from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.sleepers import Sleepers
from tests.support.clock import FakeClock, run_until_idle
from tests.unit.test_ratelimit import FOREVER, KEY, OTHER, THIRD, Queue


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "trio")], ids="-".join)
def test_reset_wakes_all_loops(backends: tuple[str, str]) -> None:
    """A thread without an event loop ends the waits of two others."""
    limiter = LocalRateLimiter(SystemClock())
    passed: list[float | None] = []

    async def wait() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(waiter)

    async def waiter() -> None:
        passed.append(await limiter.acquire(KEY, FOREVER, FOREVER))

    anyio.run(limiter.observe, KEY, None, 1000.0)
    threads = [threading.Thread(target=anyio.run, args=(wait,), kwargs={"backend": one}) for one in backends]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        limiter.reset()
        for thread in threads:
            thread.join(0.01)
    assert passed == [None] * 6


async def test_reset_forgets_refusals_and_their_pace() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    for key in (KEY, OTHER):
        await limiter.observe(key, None, 100.0)
    assert limiter.is_paused(THIRD)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        for name in "abc":
            await queue.join(name)
        limiter.reset()
        await run_until_idle()
        assert queue.proceeded == [("a", 0.0), ("b", 0.0), ("c", 0.0)]
    assert not limiter.is_paused(THIRD)
    assert await limiter.acquire(KEY, 0, 0) is None


async def test_tasks_that_sleep_no_more_are_forgotten() -> None:
    sleepers = Sleepers()
    await sleepers.sleep(FakeClock(), 1.0)
    with anyio.move_on_after(0):
        await sleepers.sleep(FakeClock(held=True), 1.0)
    assert not sleepers._sleeping  # pyright: ignore[reportPrivateUsage]  # what is kept is the test


def test_loops_that_ended_are_not_woken() -> None:
    limiter = LocalRateLimiter(SystemClock())

    async def give_up() -> None:
        with anyio.move_on_after(0):
            await limiter.acquire(KEY, FOREVER, FOREVER)

    anyio.run(limiter.observe, KEY, None, 1000.0)
    for backend in ("asyncio", "trio"):
        anyio.run(give_up, backend=backend)
    limiter.reset()
    assert anyio.run(limiter.acquire, KEY, 0, 0) is None
