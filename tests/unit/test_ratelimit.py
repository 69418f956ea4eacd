"""What rate-limit headers say, and the limiter that waits for them, without a network and without waiting."""

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
    ("text", "told"),
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
        # Only the limit has the name of its window.
        (
            "X-RateLimit-Limit-Minute: 60 | X-RateLimit-Remaining: 3 | X-RateLimit-Reset: 30",
            RateLimit(60, 3, 30.0, 60.0),
        ),
        # The lower wins, of two families and of two windows.
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
        # Nonsense is passed over, each value on its own.
        ("RateLimit-Limit: many | RateLimit-Remaining: 3", RateLimit(None, 3, None, None)),
        ("RateLimit-Remaining: -1 | RateLimit-Limit: 5", RateLimit(5, None, None, 1.0)),
        ("RateLimit-Remaining: nan", None),
        ("RateLimit-Remaining: inf", None),
        ("RateLimit-Remaining: \xff", None),
        ("RateLimit-Remaining: ", None),
        ("RateLimit-Remaining-Fortnight: 3", None),
        ("RateLimit-Policy: 3", None),
        ("MyRateLimit-Remaining: 3", None),
        ("RateLimit-Reset: 3", None),
        # A reset is a wait, not a point in time.
        ("RateLimit-Remaining: 0 | RateLimit-Reset: 1750000000", RateLimit(None, 0, None, None)),
    ],
)
def test_reading(text: str, told: RateLimit | None) -> None:
    assert read_rate_limit(headers(text)) == told


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
    told = read_rate_limit(given_headers)
    if told is not None:
        assert told.limit is not None or told.remaining is not None
        assert all(part is None or part >= 0 for part in (told.limit, told.remaining, told.reset))
        assert told.reset is None or told.reset <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("told", "spacing"),
    [
        (None, DEFAULT_SPACING),
        (RateLimit(remaining=3), DEFAULT_SPACING),
        (RateLimit(limit=0, window=1.0), DEFAULT_SPACING),
        (RateLimit(limit=4, window=1.0), 0.25),
        (RateLimit(limit=101, window=99.0), 1.0),  # one call of each window is spared, and a hundredth for clocks
        (RateLimit(limit=10, window=3600.0), 1.0),  # nobody waits for minutes only to keep pace
    ],
)
def test_pace(told: RateLimit | None, spacing: float) -> None:
    assert spacing_of(told) == spacing


# The limiter.


class Line:
    """Tasks in front of a limiter, put there one after the other; `left` says who left it and when."""

    def __init__(self, limiter: LocalRateLimiter, clock: FakeClock, tasks: anyio.abc.TaskGroup) -> None:
        self.limiter = limiter
        self.clock = clock
        self.tasks = tasks
        self.start = clock.now
        self.left: list[tuple[str, float]] = []
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
                self.left.append((name, round(self.clock.now - self.start, 6)))
            else:
                self.refused[name] = round(seconds, 6)


FOUR_A_SECOND = RateLimit(limit=4, remaining=0, reset=10.0, window=1.0)


async def test_an_open_gate_holds_nobody_back() -> None:
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
        (5, LONGEST_GUESS + 1, False),  # the server may have counted them: nobody waits long for a guess
        (5, None, False),
        (0, LONGEST_GUESS + 1, True),
    ],
)
async def test_what_is_left_belongs_to_the_calls_under_way(remaining: int, reset: float | None, waits: bool) -> None:
    limiter = LocalRateLimiter(FakeClock(), {KEY: range(5), OTHER: range(50)})
    await limiter.observe(KEY, RateLimit(limit=100, remaining=remaining, reset=reset, window=1.0), None)
    assert (await limiter.acquire(KEY, 0, 0) is not None) == waits
    assert await limiter.acquire(OTHER, 0, 0) is None


async def test_those_who_leave_a_line_claim_nothing() -> None:
    """They leave at a pace that the limit bears."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock, {KEY: range(5)})
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    await limiter.observe(KEY, RateLimit(limit=4, remaining=1, reset=1.0, window=1.0), None)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    assert clock.slept == [10.0, 0.25]


@pytest.mark.parametrize("by_refusal", [True, False], ids=["429", "nothing left"])
async def test_all_wait_and_leave_paced_first_come_first_served(by_refusal: bool) -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0 if by_refusal else None)
    async with anyio.create_task_group() as tasks:
        line = Line(limiter, clock, tasks)
        for name in "abcdef":
            await line.join(name)
        await clock.advance(9.99)
        assert line.left == []
        await clock.advance(0.51)
        await line.join("late")  # nobody overtakes the line, though the pause is over
        await clock.advance(9)
    assert line.left == [
        ("a", 10.0),
        ("b", 10.25),
        ("c", 10.5),
        ("d", 10.75),
        ("e", 11.0),
        ("f", 11.25),
        ("late", 11.5),
    ]


async def test_a_later_refusal_moves_all_who_wait() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    async with anyio.create_task_group() as tasks:
        line = Line(limiter, clock, tasks)
        await line.join("a")
        await line.join("b")
        await clock.advance(5)
        await limiter.observe(KEY, None, 20.0)
        await limiter.observe(KEY, None, 1.0)  # a shorter one does not call them back
        await clock.advance(30)
    assert line.left == [("a", 25.0), ("b", 25.0 + DEFAULT_SPACING)]


async def test_those_who_give_up_delay_nobody() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        line = Line(limiter, clock, tasks)
        for number in range(100):
            await line.join(str(number))
        await clock.advance(5)
        for number in range(100):
            if number % 20 != 19:
                line.scopes[str(number)].cancel()
        await clock.advance(20)
        assert line.left == [("19", 10.0), ("39", 10.25), ("59", 10.5), ("79", 10.75), ("99", 11.0)]
        await line.join("afterwards")
        assert line.left[-1][0] == "afterwards"


@pytest.mark.parametrize(
    ("max_wait", "max_total", "told"),
    [
        (9.0, FOREVER, 10.5),  # the pause itself is too long
        (FOREVER, 10.0, 10.5),
        (FOREVER, 10.5, 10.5),  # two are before it, a quarter of a second each
        (10.0, 10.51, None),
    ],
)
async def test_who_cannot_wait_so_long_is_told_at_once(max_wait: float, max_total: float, told: float | None) -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        line = Line(limiter, clock, tasks)
        await line.join("a")
        await line.join("b")
        await line.join("c", max_wait=max_wait, max_total=max_total)
        assert line.refused == ({} if told is None else {"c": told})
        await clock.advance(20)
    assert [name for name, _ in line.left] == (["a", "b", "c"] if told is None else ["a", "b"])


async def test_who_waits_is_told_when_the_wait_grows_too_long() -> None:
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    async with anyio.create_task_group() as tasks:
        line = Line(limiter, clock, tasks)
        await line.join("in a hurry", max_total=15.0)
        await line.join("modest", max_wait=14.0)
        await line.join("patient")
        await clock.advance(5)
        await limiter.observe(KEY, FOUR_A_SECOND, 20.0)
        await clock.advance(30)
    assert line.refused == {"in a hurry": 15.0, "modest": 15.0}
    assert line.left == [("patient", 25.0)]


@pytest.mark.parametrize(
    ("key", "waits"),
    [
        (KEY, True),
        (OTHER, False),
        (RateKey("you", KEY.origin, KEY.group), False),
        (RateKey(KEY.credential, "https://ci.example.com", KEY.group), False),
    ],
)
async def test_a_pause_belongs_to_credential_server_and_group(key: RateKey, waits: bool) -> None:
    limiter = LocalRateLimiter(FakeClock())
    await limiter.observe(KEY, None, 10.0)
    assert (await limiter.acquire(key, 0, 0) is not None) == waits


async def test_a_second_limited_group_pauses_all() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    clock.now += 9
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) == pytest.approx(5.0)
    assert await limiter.acquire(RateKey("you", KEY.origin, THIRD.group), 0, 0) is None


async def test_a_pause_also_holds_for_those_who_had_passed() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    assert not limiter.is_paused(KEY)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert (limiter.is_paused(KEY), limiter.is_paused(THIRD)) == (True, False)
    await limiter.observe(OTHER, None, 15.0)
    assert limiter.is_paused(THIRD)  # a second limited group: the limit is the credential's
    assert not limiter.is_paused(RateKey("you", KEY.origin, THIRD.group))
    clock.now += 15
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    assert not limiter.is_paused(KEY)  # those who leave one by one are not held back


async def test_a_second_group_limited_later_pauses_only_itself() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    clock.now += 10
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) is None
    assert await limiter.acquire(KEY, 0, 0) is None


async def test_the_pace_of_a_line_is_no_limit() -> None:
    """Those who leave a line one by one do not make their group a limited one."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
    assert await limiter.acquire(KEY, FOREVER, FOREVER) is None
    await limiter.observe(OTHER, None, 5.0)
    assert await limiter.acquire(THIRD, 0, 0) is None


async def test_waiting_for_all_counts_towards_the_line() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, 10.0)
    await limiter.observe(OTHER, None, 4.0)
    assert await limiter.acquire(KEY, FOREVER, 9.0) == pytest.approx(6.0)
    assert clock.slept == [4.0]


async def test_nonsense_does_not_pause_for_ever() -> None:
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)
    await limiter.observe(KEY, None, float("inf"))
    clock.now += LONGEST_PAUSE
    assert await limiter.acquire(KEY, 0, 0) is None


def test_two_loops_one_after_the_other() -> None:
    """A line that was left in the first loop does not break the second."""
    clock = FakeClock()
    limiter = LocalRateLimiter(clock)

    async def crowd() -> None:
        await limiter.observe(KEY, FOUR_A_SECOND, 10.0)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(limiter.acquire, KEY, FOREVER, FOREVER)

    for backend in ("asyncio", "trio", "asyncio"):
        anyio.run(crowd, backend=backend)
        assert clock.slept[-5:] == pytest.approx([10.0, 0.25, 0.25, 0.25, 0.25])


@given(st.lists(st.tuples(st.sampled_from("wo"), st.floats(0, 20)), max_size=12))
def test_nobody_ever_leaves_early(events: list[tuple[str, float]]) -> None:
    """Whatever the order of refusals (`o`) and passing time (`w`): no call leaves before the last pause is over."""
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
