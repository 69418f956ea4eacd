"""Rate limit headers, and the rate limiter, without a network and without real waiting."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.policy.rate_limit import (
    DEFAULT_SPACING,
    LONGEST_GUESS,
    LONGEST_PAUSE,
    RateKey,
    RateLimit,
    has_unusable_reset,
    read_rate_limit,
    spacing_of,
)
from tests.support.clock import FakeClock, run_until_idle

KEY = RateKey("me", "https://circleci.com", "v2.jobs")
OTHER = RateKey("me", "https://circleci.com", "v2.pipelines")
THIRD = RateKey("me", "https://circleci.com", "v2.workflows")
FOREVER = float("inf")


def headers(text: str) -> list[tuple[bytes, bytes]]:
    pairs = (item.partition(": ") for item in text.split(" | ") if item)
    return [(name.encode(), value.encode("latin-1")) for name, _, value in pairs]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("Content-Type: text/plain | Retry-After: 3", None),
        ("RateLimit-Limit: 10 | RateLimit-Remaining: 4 | RateLimit-Reset: 2", RateLimit(10, 4, 2.0, 1.0)),
        ("X-RateLimit-Limit: 10 | X-RateLimit-Remaining: 4 | X-RateLimit-Reset: 2", RateLimit(10, 4, 2.0, 1.0)),
        ("x-ratelimit-limit: 10 | X-RATELIMIT-REMAINING: 4 | X-Ratelimit-Reset: 2", RateLimit(10, 4, 2.0, 1.0)),
        ("X-RateLimit-Limit-Second: 5 | X-RateLimit-Remaining-Second: 1", RateLimit(5, 1, None, 1.0)),
        ("X-RateLimit-Limit-Minute: 60 | X-RateLimit-Remaining-Minute: 9", RateLimit(60, 9, None, 60.0)),
        ("X-RateLimit-Limit-Hour: 99 | X-RateLimit-Remaining-Hour: 8", RateLimit(99, 8, None, 3600.0)),
        ("X-RateLimit-Limit-Day: 999 | X-RateLimit-Remaining-Day: 7", RateLimit(999, 7, None, 86400.0)),
        ("ratelimit-limit-minute: 60 | ratelimit-remaining-minute: 9", RateLimit(60, 9, None, 60.0)),
        # Only the limit names its window.
        (
            "X-RateLimit-Limit-Minute: 60 | X-RateLimit-Remaining: 3 | X-RateLimit-Reset: 30",
            RateLimit(60, 3, 30.0, 60.0),
        ),
        # The lower value counts, of two families and of two windows.
        ("RateLimit-Remaining: 4 | X-RateLimit-Remaining: 3", RateLimit(None, 3, None, None)),
        ("RateLimit-Remaining: 3 | X-RateLimit-Remaining: 4", RateLimit(None, 3, None, None)),
        (
            "X-RateLimit-Remaining-Second: 8 | X-RateLimit-Remaining-Hour: 2 | X-RateLimit-Reset-Hour: 60",
            RateLimit(None, 2, 60.0, 3600.0),
        ),
        ("RateLimit-Limit: 4 | X-RateLimit-Limit: 3", RateLimit(3, None, None, 1.0)),
        ("RateLimit-Remaining: 0 | X-RateLimit-Remaining: 7", RateLimit(None, 0, None, None)),
        # Fractions and white space.
        ("RateLimit-Remaining:  2  | RateLimit-Reset: 0.5", RateLimit(None, 2, 0.5, None)),
        # Invalid values are ignored, each separately.
        ("RateLimit-Limit: many | RateLimit-Remaining: 3", RateLimit(None, 3, None, None)),
        ("RateLimit-Remaining: 3 | RateLimit-Remaining: many", RateLimit(None, 3, None, None)),
        ("RateLimit-Remaining: -1 | RateLimit-Limit: 5", RateLimit(5, None, None, 1.0)),
        ("RateLimit-Remaining: nan", None),
        ("RateLimit-Remaining: inf", None),
        ("RateLimit-Remaining: \xff", None),
        ("RateLimit-Remaining: ", None),
        ("RateLimit-Remaining-Fortnight: 3", None),
        ("RateLimit-Policy: 3", None),
        ("MyRateLimit-Remaining: 3", None),
        ("RateLimit-Reset: 3", None),
        # A reset is a duration, not a point in time.
        ("RateLimit-Remaining: 0 | RateLimit-Reset: 1750000000", RateLimit(None, 0, None, None)),
    ],
)
def test_reading(text: str, expected: RateLimit | None) -> None:
    assert read_rate_limit(headers(text)) == expected


@pytest.mark.parametrize(("value", "unusable"), [("5", False), ("1750000000", True), ("soon", False), ("-1", False)])
def test_resets_that_are_no_wait(value: str, unusable: bool) -> None:
    assert has_unusable_reset(headers(f"X-RateLimit-Reset: {value}")) is unusable


NAMES = st.sampled_from(
    [
        f"{family}RateLimit-{what}{window}".encode()
        for family in ("", "X-", "Y-")
        for what in ("Limit", "Remaining", "Reset", "Policy")
        for window in ("", "-Second", "-Minute", "-Hour", "-Day", "-Week")
    ]
)
VALUES = st.binary(max_size=12) | st.floats().map(lambda value: repr(value).encode()) | st.integers().map(b"%d".__mod__)


@given(st.lists(st.tuples(NAMES | st.binary(), VALUES)))
def test_reading_never_fails(given_headers: list[tuple[bytes, bytes]]) -> None:
    found = read_rate_limit(given_headers)
    if found is not None:
        assert found.limit is not None or found.remaining is not None
        assert all(part is None or part >= 0 for part in (found.limit, found.remaining, found.reset))
        assert found.reset is None or found.reset <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("limit", "spacing"),
    [
        (None, DEFAULT_SPACING),
        (RateLimit(remaining=3), DEFAULT_SPACING),
        (RateLimit(limit=0, window=1.0), DEFAULT_SPACING),
        (RateLimit(limit=4, window=1.0), 0.25),
        (RateLimit(limit=101, window=99.0), 1.0),  # one call per window is reserved, and 1 % for clock differences
        (RateLimit(limit=10, window=3600.0), 1.0),  # no call waits for minutes only for spacing
    ],
)
def test_pace(limit: RateLimit | None, spacing: float) -> None:
    assert spacing_of(limit) == spacing


# The limiter.


class Queue:
    """Tasks that call `acquire`, started one by one; `proceeded` lists those admitted, with the time."""

    def __init__(self, limiter: LocalRateLimiter, clock: FakeClock, tasks: anyio.abc.TaskGroup) -> None:
        self.limiter = limiter
        self.clock = clock
        self.tasks = tasks
        self.start = clock.now
        self.proceeded: list[tuple[str, float]] = []
        self.refused: dict[str, float] = {}
        self.scopes: dict[str, anyio.CancelScope] = {}

    async def join(
        self, name: str, key: RateKey = KEY, *, max_wait: float = FOREVER, max_total: float = FOREVER
    ) -> None:
        self.tasks.start_soon(self._wait, name, key, max_wait, max_total)
        await run_until_idle()

    async def _wait(self, name: str, key: RateKey, max_wait: float, max_total: float) -> None:
        with anyio.CancelScope() as self.scopes[name]:
            seconds = await self.limiter.acquire(key, max_wait, max_total)
            if seconds is None:
                self.proceeded.append((name, round(self.clock.now - self.start, 6)))
            else:
                self.refused[name] = round(seconds, 6)


FOUR_A_SECOND = RateLimit(limit=4, remaining=0, reset=10.0, window=1.0)


async def test_limiter_without_a_pause_admits_at_once() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, RateLimit(limit=4, remaining=1, reset=10.0, window=1.0), None)
    await limiter.observe(KEY, RateLimit(remaining=0), None)
    await limiter.observe(KEY, None, None)
    assert await limiter.acquire(KEY, 0, 0) is None
    assert clock.slept == []


@pytest.mark.parametrize(
    ("remaining", "reset", "waits"),
    [
        (5, 1.0, True),
        (3, 1.0, True),
        (6, 1.0, False),
        (5, LONGEST_GUESS + 1, False),  # the server may have counted them: a wait on an estimate is limited
        (5, None, False),
        (0, LONGEST_GUESS + 1, True),
    ],
)
async def test_remaining_calls_include_those_in_flight(remaining: int, reset: float | None, waits: bool) -> None:
    limiter = LocalRateLimiter(FakeClock(), {KEY: range(5), OTHER: range(50)})
    await limiter.observe(KEY, RateLimit(limit=100, remaining=remaining, reset=reset, window=1.0), None)
    assert (await limiter.acquire(KEY, 0, 0) is not None) == waits
    assert await limiter.acquire(OTHER, 0, 0) is None


async def test_queued_calls_reserve_nothing() -> None:
    """They proceed at a rate within the limit."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock, {KEY: range(5)})
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    await limiter.observe(KEY, RateLimit(limit=4, remaining=1, reset=1.0, window=1.0), None)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    assert clock.slept == [10.0, 0.25]


@pytest.mark.parametrize("by_refusal", [True, False], ids=["429", "nothing left"])
async def test_queue_is_fifo_and_paced(by_refusal: bool) -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0 if by_refusal else None)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        for name in "abcdef":
            await queue.join(name)
        await clock.advance(9.99)
        assert queue.proceeded == []
        await clock.advance(0.51)
        await queue.join("late")  # no call overtakes the queue after the pause
        await clock.advance(9)
    assert queue.proceeded == [
        ("a", 10.0),
        ("b", 10.25),
        ("c", 10.5),
        ("d", 10.75),
        ("e", 11.0),
        ("f", 11.25),
        ("late", 11.5),
    ]


async def test_later_429_extends_the_pause() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        await queue.join("a")
        await queue.join("b")
        await clock.advance(5)
        await limiter.observe(KEY, None, 20.0)
        await limiter.observe(KEY, None, 1.0)  # a shorter pause does not reduce it
        await clock.advance(30)
    assert queue.proceeded == [("a", 25.0), ("b", 25.0 + DEFAULT_SPACING)]


async def test_cancelled_calls_delay_no_others() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        for number in range(100):
            await queue.join(str(number))
        await clock.advance(5)
        for number in range(100):
            if number % 20 != 19:
                queue.scopes[str(number)].cancel()
        await clock.advance(20)
        assert queue.proceeded == [("19", 10.0), ("39", 10.25), ("59", 10.5), ("79", 10.75), ("99", 11.0)]
        await queue.join("afterwards")
        assert queue.proceeded[-1][0] == "afterwards"


@pytest.mark.parametrize(
    ("max_wait", "max_total", "expected"),
    [
        (9.0, FOREVER, 10.5),  # the pause itself is too long
        (FOREVER, 10.0, 10.5),
        (FOREVER, 10.5, 10.5),  # two calls are queued before it, 0.25 s each
        (10.0, 10.51, None),
    ],
)
async def test_wait_above_the_maximum_is_refused_at_once(
    max_wait: float, max_total: float, expected: float | None
) -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        await queue.join("a")
        await queue.join("b")
        await queue.join("c", max_wait=max_wait, max_total=max_total)
        assert queue.refused == ({} if expected is None else {"c": expected})
        await clock.advance(20)
    assert [name for name, _ in queue.proceeded] == (["a", "b", "c"] if expected is None else ["a", "b"])


async def test_queued_call_is_refused_when_the_pause_grows() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        queue = Queue(limiter, clock, tasks)
        await queue.join("short total", max_total=15.0)
        await queue.join("short wait", max_wait=14.0)
        await queue.join("unlimited")
        await clock.advance(5)
        await limiter.observe(KEY, FOUR_A_SECOND, 20.0)
        await clock.advance(30)
    assert queue.refused == {"short total": 15.0, "short wait": 15.0}
    assert queue.proceeded == [("unlimited", 25.0)]


@pytest.mark.parametrize(
    ("key", "waits"),
    [
        (KEY, True),
        (OTHER, False),
        (RateKey("you", KEY.origin, KEY.group), False),
        (RateKey(KEY.credential, "https://ci.example.com", KEY.group), False),
    ],
)
async def test_pause_is_per_credential_origin_and_group(key: RateKey, waits: bool) -> None:
    limiter = LocalRateLimiter(FakeClock())
    await limiter.observe(KEY, None, 10.0)
    assert (await limiter.acquire(key, 0, 0) is not None) == waits


async def test_second_limited_group_pauses_all_groups() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    clock.now += 9
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) == pytest.approx(5.0)
    assert await limiter.acquire(RateKey("you", KEY.origin, THIRD.group), 0, 0) is None


async def test_is_paused_for_calls_already_admitted() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    assert not limiter.is_paused(KEY)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert (limiter.is_paused(KEY), limiter.is_paused(THIRD)) == (True, False)
    await limiter.observe(OTHER, None, 15.0)
    assert limiter.is_paused(THIRD)  # a second limited group: the limit applies to the credential
    assert not limiter.is_paused(RateKey("you", KEY.origin, THIRD.group))
    clock.now += 15
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    assert not limiter.is_paused(KEY)  # calls that proceed one by one are not paused


async def test_second_group_limited_later_pauses_only_itself() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    clock.now += 10
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) is None
    assert await limiter.acquire(KEY, 0, 0) is None


async def test_spacing_is_no_limit() -> None:
    """Calls that proceed one by one do not make their group a limited one."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) is None


async def test_wait_for_the_credential_counts_towards_the_total() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    await limiter.observe(OTHER, None, 4.0)
    assert await limiter.acquire(KEY, FOREVER, 9.0) == pytest.approx(6.0)
    assert clock.slept == [4.0]


async def test_infinite_pause_is_limited() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, float("inf"))
    clock.now += LONGEST_PAUSE
    assert await limiter.acquire(KEY, 0, 0) is None


def test_sequential_event_loops() -> None:
    """A queue of the first loop does not affect the second."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)

    async def calls() -> None:
        await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(limiter.acquire, KEY, FOREVER, FOREVER)

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(calls, backend=backend)
        assert clock.slept[-5:] == pytest.approx([10.0, 0.25, 0.25, 0.25, 0.25])


@given(st.lists(st.tuples(st.sampled_from("wo"), st.floats(0, 20)), max_size=12))
def test_no_call_proceeds_during_a_pause(events: list[tuple[str, float]]) -> None:
    """For any order of pauses (`o`) and elapsed time (`w`), no call proceeds before the last pause is over."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)

    async def live() -> None:
        until = 0.0
        for kind, seconds in events:
            if kind == "o":
                await limiter.observe(KEY, None, seconds)
                until = max(until, clock.now + seconds)
            else:
                clock.now += seconds
            assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
            assert clock.now >= until

    anyio.run(live)
