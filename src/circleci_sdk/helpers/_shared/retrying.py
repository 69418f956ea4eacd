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


def backoff(error: CircleCIError, failures: int, chance: float) -> float:
    """Seconds to wait after this many consecutive failures; never less than the server's `Retry-After`."""
    asked = error.retry_after if isinstance(error, RateLimitError) else None
    return max(asked or 0.0, min(MAX_DELAY, 2.0 ** min(failures, 10)) * (0.5 + 0.5 * chance))


async def retry_reads(caller: Caller, read: Callable[[], Awaitable[T]], *, until: float = inf) -> T:
    """The result of `read`, called again after transient errors that outlast the retries of a single call.

    Not later than `until`, a monotonic time, unless the rate limit is the reason. Only for reads: a call that changes
    something is never repeated here.
    """
    clock = caller.clock
    failures = 0
    while True:
        try:
            return await read()
        except CircleCIError as error:
            failures += 1
            if not is_transient(error) or failures == MAX_ATTEMPTS:
                raise
            pause = backoff(error, failures, clock.random())
            if clock.monotonic() + pause > until and not isinstance(error, RateLimitError):
                raise
        await clock.sleep(pause)
