"""What long work does when a call fails: which failures pass, and how to wait for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeVar

from circleci_sdk._core.errors import CircleCIError, RateLimitError, ServerError, StatusError, TransportError

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.clock import Clock
    from circleci_sdk.client import AsyncCircleCI

T = TypeVar("T")

TRIES: Final = 4
LONGEST_PAUSE: Final = 30.0


def caller_of(circleci: AsyncCircleCI) -> Caller:
    """What carries the calls of this client."""
    return circleci._caller  # pyright: ignore[reportPrivateUsage]  # the tasks are part of this package


def clock_of(circleci: AsyncCircleCI) -> Clock:
    """The clock that this client lives by."""
    return caller_of(circleci).clock


def may_pass(error: CircleCIError) -> bool:
    """Whether the same call may well succeed a little later."""
    if isinstance(error, StatusError) and error.status == 408:
        return True
    return isinstance(error, ServerError | TransportError | RateLimitError)


def pause_after(error: CircleCIError, failures: int, chance: float) -> float:
    """Seconds to wait after the last of so many failures in a row; never shorter than the server asked for."""
    asked = error.retry_after if isinstance(error, RateLimitError) else None
    return max(asked or 0.0, min(LONGEST_PAUSE, 2.0 ** min(failures, 10)) * (0.5 + 0.5 * chance))


async def patiently(circleci: AsyncCircleCI, read: Callable[[], Awaitable[T]]) -> T:
    """Read something; when that fails in spite of the client's own retries, wait and read again, a few times.

    Only for reading: what changes something is never called a second time.
    """
    clock = clock_of(circleci)
    failures = 0
    while True:
        try:
            return await read()
        except CircleCIError as error:
            failures += 1
            if not may_pass(error) or failures == TRIES:
                raise
            pause = pause_after(error, failures, clock.random())
        await clock.sleep(pause)
