"""Rate limits: what the headers of responses say, and how long to pause for it. Pure functions over immutable facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

from circleci_sdk._public import public

_WINDOWS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
DEFAULT_SPACING: Final = 0.05
LONGEST_SPACING: Final = 1.0
SPARED_FROM: Final = 10
"""From this limit on, one call of each window is left unused, and a hundredth for clocks that differ."""
LONGEST_GUESS: Final = 1.0
"""The longest pause in seconds that is made before a server asked for one."""
LONGEST_PAUSE: Final = 3600.0
"""A larger number of seconds in a header is taken for no wait, but for a point in time, for instance."""


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class RateLimit:
    """The state of a rate limit, from the headers of a response. Parts that are not in the headers are None.

    `limit` calls are allowed per `window` seconds; `remaining` are left; the window ends in `reset` seconds,
    counted from the response.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    window: float | None = None


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class RateKey:
    """The owner of a rate limit: a credential (a digest, never the token), a server and a group of operations."""

    credential: str
    origin: str
    group: str


def read_rate_limit(headers: Iterable[tuple[bytes, bytes]]) -> RateLimit | None:
    """The tightest of the limits in the headers, or None if there is none. Invalid values are ignored.

    Reads `RateLimit-*` and `X-RateLimit-*`, with the name of a window (`-Second`, `-Minute`, `-Hour`, `-Day`) or
    without, in any case. Without the name of a window a limit is per second, as the vendor's guide says.
    """
    found: dict[tuple[str, str], dict[str, float]] = {}
    for raw_name, raw_value in headers:
        if b"atelimit-" not in raw_name and b"atelimit-" not in raw_name.lower():
            continue
        family, _, rest = raw_name.decode("latin-1").lower().partition("ratelimit-")
        what, _, window = rest.partition("-")
        value = _number(raw_value)
        if (
            family in ("", "x-")
            and what in ("limit", "remaining", "reset")
            and window in ("", *_WINDOWS)
            and value is not None
            and not (what == "reset" and usable_wait(value) is None)
        ):
            found.setdefault((family, window), {})[what] = value
    if not found:
        return None
    limits = [_rate_limit(window, parts, found.get((family, ""), {})) for (family, window), parts in found.items()]
    known = [limit for limit in limits if limit.limit is not None or limit.remaining is not None]
    return min(known, key=_tightness) if known else None


def usable_wait(seconds: float | None) -> float | None:
    """The wait in seconds that a header asks for; None if it asks for none, or for more than `LONGEST_PAUSE`.

    The one rule for all headers that name a wait.
    """
    return seconds if seconds is not None and 0 <= seconds <= LONGEST_PAUSE else None


def has_unusable_reset(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a header of a rate limit names the end of its window by a number that is no wait."""
    resets = (_number(value) for name, value in headers if b"ratelimit-reset" in name.lower())
    return any(reset is not None and usable_wait(reset) is None for reset in resets)


def _number(raw: bytes) -> float | None:
    try:
        value = float(raw.decode("latin-1").strip())
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _rate_limit(window: str, parts: Mapping[str, float], shared: Mapping[str, float]) -> RateLimit:
    limit, remaining = parts.get("limit"), parts.get("remaining")
    # Only the limit is documented with the name of a window; the rest may come without.
    if window and remaining is None:
        remaining = shared.get("remaining")
    return RateLimit(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=parts.get("reset", shared.get("reset")),
        window=_WINDOWS.get(window, 1.0 if limit is not None else None),
    )


def _tightness(state: RateLimit) -> tuple[float, float, float]:
    remaining = inf if state.remaining is None else state.remaining
    limit = inf if state.limit is None else state.limit
    return remaining, limit, -(state.window or 0.0)


def spacing_of(rate_limit: RateLimit | None) -> float:
    """Seconds between two calls that leave a queue: the pace that the limit allows, at most one second."""
    if rate_limit is None or not rate_limit.limit or not rate_limit.window:
        return DEFAULT_SPACING
    # A window that is used up costs the wait for the next one, which is given in whole seconds: mostly too long.
    calls = rate_limit.limit if rate_limit.limit < SPARED_FROM else 0.99 * (rate_limit.limit - 1)
    return min(LONGEST_SPACING, rate_limit.window / calls)


def pause_for(rate_limit: RateLimit | None, retry_after: float | None, in_flight: int) -> float | None:
    """Seconds to pause after a response, or None. The rest of a window that ends soon belongs to requests in flight."""
    if retry_after is not None:
        return retry_after
    if rate_limit is None or rate_limit.remaining is None or not rate_limit.reset:
        return None
    # The server may have counted those in flight already: then the pause is in vain, and must be short.
    left = rate_limit.remaining - (in_flight if rate_limit.reset <= LONGEST_GUESS else 0)
    return rate_limit.reset if left <= 0 else None
