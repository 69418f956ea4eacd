"""A client of a fake without a socket, with waits that take no time."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: jitter that repeats
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Literal

import anyio

from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk.client import AsyncCircleCI

from .transport import FakeTransport

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from circleci_sdk._core.limiter import RateLimiter
    from circleci_sdk._core.mismatches import Drift
    from circleci_sdk._core.options import Hook, Timeout
    from circleci_sdk._core.session import Deployment
    from circleci_sdk._core.transport.auth import AuthScheme, TokenSource
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


def new_client(
    app: App,
    clock: FakeClock,
    token: str | None,
    *,
    wait: Literal["fake", "real"],
    auth: AuthScheme | TokenSource,
    base_url: str,
    timeout: float | Timeout | None,
    max_retries: int,
    max_retry_after: float,
    max_response_bytes: int | None,
    max_concurrency: int,
    rate_limiter: RateLimiter | None,
    strict: bool | None,
    on_drift: Callable[[Drift], object] | None,
    allow_http: bool,
    deployment: Deployment,
    on_request: Hook | None,
    on_response: Hook | None,
) -> AsyncCircleCI:
    """An `AsyncCircleCI` of a fake."""
    client = AsyncCircleCI(
        token,
        auth=auth,
        base_url=base_url,
        timeout=timeout,
        max_retries=max_retries,
        max_retry_after=max_retry_after,
        max_response_bytes=max_response_bytes,
        max_concurrency=max_concurrency,
        rate_limiter=rate_limiter,
        transport=FakeTransport(app),
        strict=not app.misbehaviours if strict is None else strict,
        on_drift=on_drift,
        allow_http=allow_http,
        deployment=deployment,
        on_request=on_request,
        on_response=on_response,
    )
    if strict is None:
        app.misbehaviours.readers.add(client._session)  # pyright: ignore[reportPrivateUsage]  # as below
    if wait == "fake" and not clock.speed:
        _replace_clock(client, WaitingClock(clock), limited=rate_limiter is not None)
    return client


def _replace_clock(client: AsyncCircleCI, clock: WaitingClock, *, limited: bool) -> None:
    """Replace the clock of a client. No public option does this, since programs do not need it."""
    session = client._session  # pyright: ignore[reportPrivateUsage]  # see the docstring
    changes: dict[str, object] = {"clock": clock}
    if not limited:
        changes["limiter"] = LocalRateLimiter(clock, session.in_flight)
    for name, value in changes.items():
        setattr(session, name, value)
