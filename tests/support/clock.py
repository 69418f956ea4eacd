"""A fake clock, advanced by tests: no real waiting, and deterministic random numbers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch

import anyio
import anyio.lowlevel

from circleci_sdk._core import session
from circleci_sdk._core.clock import Clock

START = 1_750_000_000.0
"""The initial date of the fake clock: 15 June 2025, 15:06:40 UTC."""


class FakeClock:
    """Time that passes only in `sleep`, which returns at once and moves the clock.

    `slept` lists the requested sleeps in order. With `held=True`, `sleep` waits for `advance` instead.
    """

    def __init__(self, *, chance: float = 0.5, held: bool = False) -> None:
        self.now = 1000.0
        self.chance = chance
        self.slept: list[float] = []
        self._held = held
        self._sleepers: list[tuple[float, anyio.Event]] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return START + self.now - 1000.0

    def random(self) -> float:
        return self.chance

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        due = self.now + seconds
        if self._held:
            event = anyio.Event()
            self._sleepers.append((due, event))
            await event.wait()
        else:
            await anyio.lowlevel.checkpoint()
            self.now = max(self.now, due)

    async def advance(self, seconds: float) -> None:
        """Wake all tasks due by then, one by one, and run each until it waits for I/O."""
        end = self.now + seconds
        await run_until_idle()
        while ready := [sleeper for sleeper in self._sleepers if sleeper[0] <= end]:
            first = min(ready, key=lambda sleeper: sleeper[0])
            self._sleepers.remove(first)
            self.now = max(self.now, first[0])
            first[1].set()
            await run_until_idle()
        self.now = end


async def run_until_idle() -> None:
    """Run all other tasks until they wait for I/O."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


@contextmanager
def clock_of(clock: Clock) -> Generator[None]:
    """Clients created in this block use `clock`; deadlines of network I/O stay real."""
    with patch.object(session, "SystemClock", lambda: clock):
        yield
