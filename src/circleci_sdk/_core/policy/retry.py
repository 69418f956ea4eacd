"""Whether to try again, after how long, and if not, why not. Pure functions over frozen facts."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from circleci_sdk._core.errors import RetryStopReason

RETRYABLE_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]*)?")


class Delivered(IntEnum):
    """What is known of an attempt that brought no success, from harmless to settled; of several, the highest counts."""

    NO = 0
    """It never left."""
    REFUSED = 1
    """The server said no."""
    MAYBE = 2
    """The server may have carried it out."""
    YES = 3
    """The server said that it carried it out; its response was lost."""


def delivered_by(status: int) -> Delivered:
    """What a response with this status says of its call."""
    if 200 <= status < 300:
        return Delivered.YES
    return Delivered.MAYBE if status >= 500 or status == 408 else Delivered.REFUSED


class Attempt(NamedTuple):
    """One attempt that failed. `number` counts from 1; `retry_after` is the wait the server asked for."""

    number: int
    replayable: bool
    retryable: bool
    delivered: Delivered
    status: int | None = None
    retry_after: float | None = None


class RetryPolicy(NamedTuple):
    """How often and how patiently. `deadline` is a point on the monotonic clock, or None."""

    max_retries: int
    max_retry_after: float
    deadline: float | None = None


def decide(attempt: Attempt, policy: RetryPolicy, due: float) -> RetryStopReason | None:
    """Why a failed attempt is not followed by another one, or None: try again at `due` on the monotonic clock.

    A call that may not be replayed is tried again only when the server refused it with 429 or when it provably
    never left.
    """
    if not attempt.retryable:
        return "not_retryable"
    if not (attempt.replayable or attempt.delivered is Delivered.NO or attempt.status == 429):
        return "not_retryable" if attempt.delivered is Delivered.YES else "unknown_outcome"
    if attempt.number > policy.max_retries:
        return "attempts_exhausted"
    if attempt.retry_after is not None and attempt.retry_after > policy.max_retry_after:
        return "retry_after_too_long"
    if policy.deadline is not None and due >= policy.deadline:
        return "deadline"
    return None


def pause(number: int, retry_after: float | None, chance: float) -> float:
    """Seconds before the next attempt: never shorter than the server told, else with full jitter."""
    if retry_after:
        return retry_after
    # 2 ** number overflows a float long before anybody retries that often; the exponent is capped with the pause.
    return chance * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(number - 1, 10))


def parse_retry_after(value: str | None, *, date: str | None, now: float) -> float | None:
    """Seconds to wait from a `Retry-After` header: a number of seconds or an HTTP date; None if it says nothing.

    Dates are counted from the server's own `Date` header where it has one, so that a wrong clock here does no
    harm. What lies in the past asks for no wait.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _timestamp(text)
    if until is None:
        return None
    return max(0.0, until - (_timestamp(date or "") or now))


def _timestamp(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
