"""Virtual time: each wait ends at once and moves the clock, so that a measurement is exact and the same in each run.

It serves event loops without sockets: the calls go to a transport in the same process.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final, TypeVar
from unittest.mock import patch

import anyio
import httpx
from trio.testing import MockClock

from circleci_sdk._core import session

T = TypeVar("T")
ONE_WAY: Final = 0.025
LATENCY: Final = 2 * ONE_WAY
"""Seconds of one call over the distance."""


class _Selector(selectors.DefaultSelector):
    """Moves the clock of its loop instead of waiting, unless only another thread can end the wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events: list[Any] = super().select(0 if timeout is not None else None)
        if not events and timeout:
            self.now += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


class LoopClock:
    """The clock of the event loop as that of a client. `start` is the date at its beginning, in seconds since 1970."""

    def __init__(self, start: float, seed: int) -> None:
        self._start = start
        self._rng = Random(seed)

    def monotonic(self) -> float:
        return anyio.current_time()

    def time(self) -> float:
        return self._start + anyio.current_time()

    def random(self) -> float:
        return self._rng.random()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class DistantTransport(httpx.AsyncBaseTransport):
    """Sends requests to another transport over a distance. It records them, and when each was sent."""

    def __init__(self, near: httpx.AsyncBaseTransport) -> None:
        self._near = near
        self.sent: list[float] = []
        self.paths: list[str] = []
        self.in_progress = self.most_in_progress = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(anyio.current_time())
        self.paths.append(request.url.path)
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        try:
            await anyio.sleep(ONE_WAY)
            response = await self._near.handle_async_request(request)
            await anyio.sleep(ONE_WAY)
        finally:
            self.in_progress -= 1
        return response


def run(main: Callable[[], Awaitable[T]], backend: str = "asyncio", *, start: float = 0.0, seed: int = 0) -> T:
    """Run `main` in virtual time. Clients that it makes use the clock of the loop, and jitter of this seed."""
    options: dict[str, Any] = (
        {"loop_factory": _Loop} if backend == "asyncio" else {"clock": MockClock(autojump_threshold=0)}
    )
    with patch.object(session, "SystemClock", lambda: LoopClock(start, seed)):
        return anyio.run(main, backend=backend, backend_options=options)
