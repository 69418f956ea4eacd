"""Rate limits: what the headers say, and the gate that waits for it.

`read_rate_limit` and `RateLimit` are pure. `LocalRateLimiter` is the gate of one process; an application that
shares a token between processes brings its own `RateLimiter`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from circleci_sdk._public import public

if TYPE_CHECKING:
    import anyio

    from circleci_sdk._core.clock import Clock

_K = TypeVar("_K")
_WINDOWS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}
DEFAULT_SPACING: Final = 0.05
LONGEST_SPACING: Final = 1.0
SPARED_FROM: Final = 10
"""From this limit on a line spares one call of each window, and a hundredth for clocks that differ."""
CATCHING_UP: Final = 0.02
"""Sleeps end late, by a millisecond or more: so many seconds of that are made up for by those behind."""
LONGEST_GUESS: Final = 1.0
"""Seconds that a gate may shut for what servers will say, before one has said it."""
LONGEST_PAUSE: Final = 86400.0
"""No window is longer than a day; what claims to be is no wait but nonsense, such as a point in time."""


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class RateLimit:
    """The budget that the headers of a response told. Parts that they did not tell are None.

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
    """What a budget belongs to: a credential (a digest, never the token), a server and a group of operations."""

    credential: str
    origin: str
    group: str


@public("circleci_sdk")
class RateLimiter(Protocol):
    """The gate before each attempt. Implement it to share a budget between processes.

    What a limiter raises passes through. A response that is there already is lost by it: in `observe`, better log.
    """

    async def acquire(self, key: RateKey, max_wait: float, max_line: float) -> float | None:
        """Wait until a call may leave, and return None.

        If the pause itself would last longer than `max_wait` seconds, or the pause and the line of those who
        wait already longer than `max_line`, return at once the seconds it would take.
        """
        ...

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        """Learn from a response. `retry_after` is given when the call was refused with 429: pause that long."""
        ...


def read_rate_limit(headers: Iterable[tuple[bytes, bytes]]) -> RateLimit | None:
    """The tighter of the budgets in the headers, or None if there is none. Nonsense is passed over.

    Reads `RateLimit-*` and `X-RateLimit-*`, with a window's name (`-Second`, `-Minute`, `-Hour`, `-Day`) or
    without, in any case. Without a window's name a limit is per second, as the vendor's guide says.
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
            and not (what == "reset" and value > LONGEST_PAUSE)
        ):
            found.setdefault((family, window), {})[what] = value
    budgets = [_budget(window, parts, found.get((family, ""), {})) for (family, window), parts in found.items()]
    told = [budget for budget in budgets if budget.limit is not None or budget.remaining is not None]
    return min(told, key=_tightness) if told else None


def _number(raw: bytes) -> float | None:
    try:
        value = float(raw.decode("latin-1").strip())
    except ValueError:
        return None
    return value if isfinite(value) and value >= 0 else None


def _budget(window: str, parts: Mapping[str, float], shared: Mapping[str, float]) -> RateLimit:
    limit, remaining = parts.get("limit"), parts.get("remaining")
    # Only the limit is documented with a window's name; what is left of it and its end may come without.
    if window and remaining is None:
        remaining = shared.get("remaining")
    reset = parts.get("reset", shared.get("reset"))
    return RateLimit(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset=reset,
        window=_WINDOWS.get(window, 1.0 if limit is not None else None),
    )


def _tightness(budget: RateLimit) -> tuple[float, float, float]:
    remaining = float("inf") if budget.remaining is None else budget.remaining
    limit = float("inf") if budget.limit is None else budget.limit
    return remaining, limit, -(budget.window or 0.0)


def spacing_of(rate_limit: RateLimit | None) -> float:
    """Seconds between two calls that leave a line: the pace that the limit allows, at most one second."""
    if rate_limit is None or not rate_limit.limit or not rate_limit.window:
        return DEFAULT_SPACING
    # Who uses up a window waits for the next one, and its distance is told in whole seconds: mostly too long.
    calls = rate_limit.limit if rate_limit.limit < SPARED_FROM else 0.99 * (rate_limit.limit - 1)
    return min(LONGEST_SPACING, rate_limit.window / calls)


class _Line:
    """Those who wait for one budget. Open: nobody waits. Shut: they leave one by one, first come, first served."""

    __slots__ = ("_clock", "_paused_until", "_queue", "_waiting", "spacing", "until")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: anyio.Lock | None = None
        self._waiting = 0
        self._paused_until = 0.0
        self.until = 0.0
        self.spacing = DEFAULT_SPACING

    @property
    def is_open(self) -> bool:
        return not self._waiting and self._clock.monotonic() >= self.until

    @property
    def is_limited(self) -> bool:
        return self._clock.monotonic() < self._paused_until

    def shut(self, seconds: float, spacing: float) -> None:
        self.until = self._paused_until = max(self.until, self._clock.monotonic() + min(seconds, LONGEST_PAUSE))
        self.spacing = spacing

    def too_long(self, max_wait: float, max_line: float) -> float | None:
        rest = max(0.0, self.until - self._clock.monotonic())
        line = rest + self._waiting * self.spacing
        return line if rest > max_wait or line >= max_line else None

    async def wait(self, max_wait: float, max_line: float) -> float | None:
        if self.is_open:
            return None
        if (seconds := self.too_long(max_wait, max_line)) is not None:
            return seconds
        import anyio

        started = self._clock.monotonic()
        # A lock belongs to the event loop it was made in, and nobody waits across loops.
        if self._queue is None or not self._waiting:
            self._queue = anyio.Lock(fast_acquire=True)
        self._waiting += 1
        try:
            async with self._queue:
                while (rest := self.until - self._clock.monotonic()) > 0:  # a later 429 may have moved it
                    waited = self._clock.monotonic() - started
                    if rest > max_wait or waited + rest >= max_line:
                        return rest
                    await self._clock.sleep(rest)
                self.until = max(self.until, self._clock.monotonic() - CATCHING_UP) + self.spacing
                return None
        finally:
            self._waiting -= 1


class LocalRateLimiter:
    """The gate of one process.

    One refusal pauses its group for all tasks. When a second group of the same credential and server is limited
    while the first still is, the limit is taken to be the credential's, and all its groups pause.

    `under_way` counts the calls that are on the wire. What is left of a window that is nearly over belongs to them:
    when nobody else may leave, the gate shuts before the server has to refuse.
    """

    def __init__(self, clock: Clock, under_way: Mapping[RateKey, int] = MappingProxyType({})) -> None:
        self._clock = clock
        self._under_way = under_way
        self._groups: dict[RateKey, _Line] = {}
        self._all: dict[tuple[str, str], _Line] = {}

    async def acquire(self, key: RateKey, max_wait: float, max_line: float) -> float | None:
        for line in (self._all.get((key.credential, key.origin)), self._groups.get(key)):
            if line is not None and not line.is_open:
                started = self._clock.monotonic()
                seconds = await line.wait(max_wait, max_line)
                if seconds is not None:
                    return seconds
                max_line -= self._clock.monotonic() - started
        return None

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        line = self._groups.get(key)
        # A line leaves at a pace that the limit bears, so that what is under way does not matter.
        claimed = self._under_way.get(key, 0) if line is None or line.is_open else 0
        seconds = _pause_asked(rate_limit, retry_after, claimed)
        if seconds is None:
            return
        spacing = spacing_of(rate_limit)
        limited = [
            other
            for other, line in self._groups.items()
            if other != key and (other.credential, other.origin) == (key.credential, key.origin) and line.is_limited
        ]
        self._line(self._groups, key).shut(seconds, spacing)
        if limited:
            self._line(self._all, (key.credential, key.origin)).shut(seconds, spacing)

    def is_limited(self, key: RateKey) -> bool:
        """Whether a pause is on that also holds for those who have passed and not left yet."""
        lines = (self._groups.get(key), self._all.get((key.credential, key.origin))) if self._groups else ()
        return any(line is not None and line.is_limited for line in lines)

    def _line(self, lines: dict[_K, _Line], key: _K) -> _Line:
        return lines.setdefault(key, _Line(self._clock))


def _pause_asked(rate_limit: RateLimit | None, retry_after: float | None, claimed: int) -> float | None:
    if retry_after is not None:
        return retry_after
    if rate_limit is None or rate_limit.remaining is None or not rate_limit.reset:
        return None
    # The server may have counted them already: then the pause is for nothing, and must be a short one.
    left = rate_limit.remaining - (claimed if rate_limit.reset <= LONGEST_GUESS else 0)
    return rate_limit.reset if left <= 0 else None
