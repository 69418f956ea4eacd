"""Retries of long operations: which errors are transient, and the delay before the next attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar

from circleci_sdk._core.errors import (
    AuthenticationError,
    CircleCIError,
    DecodeError,
    FieldUnavailableError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
)
from circleci_sdk._core.policy.rate_limit import LONGEST_PAUSE

from .deadline import TimedCaller

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller

T = TypeVar("T")

MAX_ATTEMPTS: Final = 4
MAX_DELAY: Final = 30.0
MAX_REFUSALS: Final = 3
"""A refusal may be an error of the server. This many in a row concern the token, so the whole."""


def is_transient(error: CircleCIError) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, StatusError) and error.status == 408:
        return True
    return isinstance(error, ServerError | TransportError | RateLimitError)


def may_pass(error: CircleCIError) -> bool:
    """Whether the same read may succeed at the next look of a long wait.

    In addition to transient errors: a response that cannot be used, such as the page of a proxy, or one without a
    field that the wait needs. Not a field that does not fit for a strict client, which is meant to hear of it.
    """
    if isinstance(error, DecodeError):
        return not error.field
    return is_transient(error) or isinstance(error, FieldUnavailableError | PaginationError)


def is_refusal(error: CircleCIError) -> bool:
    """Whether the server refuses the read, or its response cannot be used: either may be an error of the moment.

    Not transient errors, nor an unavailable field of a response that can be used, nor a field that does not fit for a
    strict client.
    """
    if isinstance(error, DecodeError):
        return not error.field
    return isinstance(error, AuthenticationError | PermissionDeniedError | PaginationError)


def asked_wait(error: CircleCIError, left: float = inf) -> float:
    """Seconds that the server asked to wait, 0 if it did not. The one reader of it for all loops.

    The longest wait stands for all that are too long to be meant. With `left`, the seconds until the loop has to end,
    it counts as none.
    """
    asked = error.retry_after if isinstance(error, RateLimitError) else None
    if asked is None or (asked >= LONGEST_PAUSE and left < inf):
        return 0.0
    return min(asked, LONGEST_PAUSE)


def backoff(error: CircleCIError, failures: int, chance: float, left: float = inf) -> float:
    """Seconds to wait after this many consecutive failures; never less than the server's `Retry-After`."""
    return max(asked_wait(error, left), min(MAX_DELAY, 2.0 ** min(failures, 10)) * (0.5 + 0.5 * chance))


async def retry_reads(caller: Caller, read: Callable[[], Awaitable[T]], *, until: float = inf) -> T:
    """The result of `read`, called again after transient errors that outlast the retries of a single call.

    Not later than `until`, a monotonic time, unless the rate limit is the reason, and not after the end of a timeout of
    the caller. Only for reads: a call that changes
    something is never repeated here.
    """
    clock = caller.clock
    deadline = caller.deadline if isinstance(caller, TimedCaller) else inf
    failures = 0
    while True:
        try:
            return await read()
        except CircleCIError as error:
            failures += 1
            if not is_transient(error) or failures == MAX_ATTEMPTS:
                raise
            now = clock.monotonic()
            pause = backoff(error, failures, clock.random(), min(until, deadline) - now)
            if now + pause > deadline or (now + pause > until and not isinstance(error, RateLimitError)):
                raise
        await caller.session.sleep(pause)
