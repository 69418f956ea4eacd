"""Time, randomness and sleep, injected once so that no test has to wait."""

from __future__ import annotations

import random
import time
from typing import Protocol


class Clock(Protocol):
    """What the core knows of time."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        ...

    def time(self) -> float:
        """Seconds since 1970, for dates that a server names."""
        ...

    def random(self) -> float:
        """A number from 0 up to 1, for jitter."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The real one."""

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time()

    def random(self) -> float:
        return random.random()

    async def sleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
