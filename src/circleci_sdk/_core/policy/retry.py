"""Whether to try again, after how long, and if not, why not. Pure functions over immutable facts."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from circleci_sdk._core.errors import RequestOutcome, RetryStopReason
    from circleci_sdk._core.options import Options

RETRYABLE_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 8.0
_SECONDS: Final = r"[0-9]+(\.[0-9]*)?"


class Attempt(NamedTuple):
    """One attempt that failed. `number` counts from 1; `retry_after` is the wait the server asked for."""

    number: int
    replayable: bool
    retryable: bool
    outcome: RequestOutcome
    status: int | None = None
    retry_after: float | None = None


def decide(attempt: Attempt, options: Options, deadline: float | None, due: float) -> RetryStopReason | None:
    """The reason for no further attempt, or None: try again at `due`. `due` and `deadline` are monotonic times.

    A call that is not replayable is tried again only when the server rejected it with 429 or when it provably was
    not sent.
    """
    if not attempt.retryable:
        return "not_retryable"
    if not (attempt.replayable or attempt.outcome == "not_sent" or attempt.status == 429):
        return "not_retryable" if attempt.outcome == "processed" else "unknown_outcome"
    if attempt.number > options.max_retries:
        return "attempts_exhausted"
    if attempt.retry_after is not None and attempt.retry_after > options.max_retry_after:
        return "retry_after_too_long"
    if deadline is not None and due >= deadline:
        return "deadline"
    return None


def pause(number: int, retry_after: float | None, chance: float) -> float:
    """Seconds before the next attempt: never shorter than the server asked for, else with full jitter."""
    if retry_after:
        return retry_after
    # The exponent is capped, or 2 ** number would overflow a float.
    return chance * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(number - 1, 10))


def parse_retry_after(value: str | None, *, date: str | None, now: float) -> float | None:
    """Seconds to wait from a `Retry-After` header: a number of seconds or an HTTP date; None if it is neither.

    Dates are counted from the server's own `Date` header where there is one, so that a wrong local clock does no
    harm. A date in the past asks for no wait.
    """
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(_SECONDS, text):
        return float(text)
    until = parse_date(text)
    if until is None:
        return None
    return max(0.0, until - (parse_date(date or "") or now))


def parse_date(text: str) -> float | None:
    """Seconds since 1970 from an HTTP date; None if it is none."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
