"""A client of a fake without a socket, with waits that take no time."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: jitter that repeats
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Final, Literal

import anyio

from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk.client import AsyncCircleCI

from .transport import FakeTransport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from circleci_sdk.testing._protocol.app import App
    from circleci_sdk.testing._store.clock import FakeClock

ORIGIN: Final = "https://circleci.com"
"""The base URL of the client. Nothing leaves the process."""


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


def client_of(
    app: App, clock: FakeClock, token: str, *, wait: Literal["fake", "real"], options: Mapping[str, Any]
) -> AsyncCircleCI:
    """An `AsyncCircleCI` over the fake."""
    chosen: dict[str, Any] = {"base_url": ORIGIN, "transport": FakeTransport(app), **options}
    if "auth" not in chosen:
        chosen.setdefault("token", token)
    client = AsyncCircleCI(**chosen)
    if wait == "fake" and not clock.speed:
        _let_wait(client, WaitingClock(clock), "rate_limiter" in chosen)
    return client


def _let_wait(client: AsyncCircleCI, clock: WaitingClock, limited: bool) -> None:
    """Give a client another clock. There is no public way, for no program needs one."""
    session = client._session  # pyright: ignore[reportPrivateUsage]
    changes: dict[str, object] = {"clock": clock}
    if not limited:
        changes["limiter"] = LocalRateLimiter(clock, session.in_flight)
    for name, value in changes.items():
        setattr(session, name, value)
