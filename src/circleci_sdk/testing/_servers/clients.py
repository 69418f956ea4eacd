"""What makes a client one of a fake: waits that take no time, and the reading of changed responses."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: jitter that repeats
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

import anyio

from circleci_sdk._core.limiter import LocalRateLimiter

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.testing._protocol.app import App
    from circleci_sdk.testing._store.clock import FakeClock


class WaitingClock:
    """The clock of a client: a wait moves the clock of the fake to its end.

    Of several waits the earliest moves it.
    """

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._rng = random.Random(0)
        self._due: list[datetime] = []

    def monotonic(self) -> float:
        return self._clock.now.timestamp()

    def time(self) -> float:
        return self._clock.now.timestamp()

    def random(self) -> float:
        return self._rng.random()

    async def sleep(self, seconds: float) -> None:
        # Rounded up to the resolution of the clock; shorter waits would never end.
        end = self._clock.now + timedelta(microseconds=ceil(seconds * 1_000_000))
        self._due.append(end)
        try:
            await anyio.lowlevel.checkpoint()
            while self._clock.now < end:
                if end <= min(self._due):
                    self._clock.advance_to(end)
                await anyio.lowlevel.checkpoint()
        finally:
            self._due.remove(end)


def follow_misbehaviour(client: AsyncCircleCI, app: App) -> None:
    """Let a client be strict only while no response is changed."""
    app.misbehaviours.readers.add(client._session)  # pyright: ignore[reportPrivateUsage]  # no public option does this


def wait_on(clock: FakeClock, client: AsyncCircleCI, *, limited: bool) -> None:
    """Replace the clock of a client, and that of its rate limiter unless it has a custom one.

    No public option does this, since programs do not need it.
    """
    session = client._session  # pyright: ignore[reportPrivateUsage]  # see the docstring
    waiting = WaitingClock(clock)
    changes: dict[str, object] = {"clock": waiting}
    if not limited:
        changes["limiter"] = LocalRateLimiter(waiting, session.in_flight)
    for name, value in changes.items():
        setattr(session, name, value)
