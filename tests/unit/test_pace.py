"""The pace after a refusal: pure functions, and clients under sustained load in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.policy.pace import (
    FASTEST_RATE,
    FIRST_RATE,
    KEPT,
    RECOVERY,
    Pace,
    grown,
    rate_of,
    refused,
    spacing_at,
    time_for,
)
from circleci_sdk._core.policy.rate_limit import LONGEST_SPACING, RateKey

pytestmark = pytest.mark.load

LATENCY = 0.06


@pytest.mark.parametrize(
    ("pace", "rate"),
    [
        (refused(None), FIRST_RATE),
        (Pace(served=0.5), 2 * FIRST_RATE),
        (Pace(served=4.0), 256 * FIRST_RATE),
        (Pace(ceiling=100.0), KEPT * 100),
        (Pace(ceiling=100.0, served=RECOVERY), 100.0),
        (Pace(ceiling=100.0, served=2 * RECOVERY), 130.0),
        (Pace(ceiling=0.1), 1 / LONGEST_SPACING),
        (Pace(known=0.25, served=100.0), 4.0),
        (refused(Pace(ceiling=100.0)), KEPT * KEPT * 100),
    ],
)
def test_rate(pace: Pace, rate: float) -> None:
    assert rate_of(pace) == pytest.approx(rate)
    assert spacing_at(pace) == pytest.approx(1 / rate)


def test_time_of_a_queue_counts_the_growth() -> None:
    assert time_for(Pace(known=0.25), 4) == 1.0
    assert time_for(Pace(ceiling=50.0), 100) == 2.0
    for calls in (1, 100, 100_000):
        seconds = time_for(Pace(), calls)
        steps = [rate_of(Pace(served=seconds * (step + 0.5) / 1000)) * seconds / 1000 for step in range(1000)]
        assert sum(steps) == pytest.approx(calls, rel=0.01)


@given(st.lists(st.floats(0, 1e9) | st.just(-1.0), max_size=200))
def test_pace_stays_between_its_bounds(events: list[float]) -> None:
    """For any order of refusals (-1) and times in which calls waited."""
    pace = Pace()
    for one in events:
        before = rate_of(pace)
        pace = refused(pace) if one < 0 else grown(pace, one)
        assert 1 / LONGEST_SPACING <= rate_of(pace) <= FASTEST_RATE
        assert rate_of(pace) >= before if one >= 0 else rate_of(pace) <= max(before, 1 / LONGEST_SPACING)


class VirtualClock:
    """The clock of trio: time jumps to the next event."""

    def __init__(self) -> None:
        self._rng = random.Random(0)

    def monotonic(self) -> float:
        return trio.current_time()

    time = monotonic

    def random(self) -> float:
        return self._rng.random()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds + 0.001)  # real sleeps overrun


@dataclass
class Load:
    """Tasks that call without a break. `passed` and `refused` count their calls in each second."""

    seconds: float
    tasks: int
    admits: Callable[[float], bool]
    retry_after: float | None
    groups: int = 1
    passed: Counter[int] = field(default_factory=Counter[int])
    refused: Counter[int] = field(default_factory=Counter[int])
    of_group: Counter[str] = field(default_factory=Counter[str])

    def run(self) -> None:
        trio.run(self._run, clock=MockClock(autojump_threshold=0))

    async def _run(self) -> None:
        clock = VirtualClock()
        limiter = LocalRateLimiter(clock)
        started = trio.current_time()

        async def work(key: RateKey) -> None:
            while (now := trio.current_time() - started) < self.seconds:
                assert await limiter.acquire(key, inf, inf) is None
                await trio.sleep(LATENCY / 2)
                admitted = self.admits(trio.current_time() - started)
                await trio.sleep(LATENCY / 2)
                now = trio.current_time() - started
                (self.passed if admitted else self.refused)[int(now)] += 1
                self.of_group[key.group] += admitted
                if not admitted:
                    pause = clock.random() / 2 if self.retry_after is None else self.retry_after
                    await limiter.observe(key, None, pause)

        async with trio.open_nursery() as nursery:
            for number in range(self.tasks):
                nursery.start_soon(work, RateKey("me", "https://circleci.com", f"v2.{number % self.groups}"))

    def between(self, start: int, end: int) -> tuple[float, int]:
        """The calls per second, and the number of refusals."""
        seconds = range(start, end)
        return sum(self.passed[one] for one in seconds) / len(seconds), sum(self.refused[one] for one in seconds)


class Bucket:
    """A token bucket with the calls of one second, that no header names."""

    def __init__(self, rate: float, *, level: float | None = None) -> None:
        self.rate = rate
        self.level = rate if level is None else level
        self.since = 0.0

    def admits(self, now: float) -> bool:
        self.level = min(self.rate, self.level + (now - self.since) * self.rate)
        self.since = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


def once_from(second: float) -> Callable[[float], bool]:
    """A server without a limit that refuses one call."""
    left = [None]

    def admits(now: float) -> bool:
        return now < second or not left or left.pop() is not None

    return admits


@pytest.mark.parametrize("retry_after", [1.0, None], ids=["Retry-After", "without"])
def test_one_refusal_costs_seconds(retry_after: float | None) -> None:
    """The queue never empties: it is as fast as before within four seconds after the pause."""
    load = Load(8, 60, once_from(1.0), retry_after)
    load.run()
    before, _ = load.between(0, 1)
    after, _ = load.between(6, 8)
    assert load.refused.total() == 1
    assert before >= 900
    assert after >= 0.98 * before


@pytest.mark.parametrize("retry_after", [1.0, None], ids=["Retry-After", "without"])
@pytest.mark.parametrize(
    ("limit", "tasks", "seconds", "back", "share"),
    [(50, 50, 60, 15, 0.9), (500, 100, 11, 5, 0.85)],
    ids=["50 a second", "500 a second"],
)
def test_limit_that_no_header_names(
    limit: int, tasks: int, seconds: int, back: int, share: float, retry_after: float | None
) -> None:
    """Most of the limit is used within seconds, and few calls are refused in the long run."""
    load = Load(seconds, tasks, Bucket(limit).admits, retry_after)
    load.run()
    rate, refused = load.between(back, seconds)
    assert rate >= share * limit
    assert refused <= 0.02 * rate * (seconds - back)


def test_limit_of_five_thousand_calls_a_second() -> None:
    load = Load(6, 400, Bucket(5000, level=0).admits, 1.0)
    load.run()
    rate, refused = load.between(5, 6)
    assert rate >= 0.9 * 5000
    assert refused <= 0.01 * rate


def test_groups_under_one_limit_all_proceed() -> None:
    load = Load(40, 48, Bucket(50).admits, 1.0, groups=4)
    load.run()
    rate, _ = load.between(10, 40)
    assert rate >= 45
    assert min(load.of_group.values()) >= 0.1 * load.passed.total()


def test_pace_is_forgotten_without_a_queue() -> None:
    """A client with few calls is not held to the pace of an old refusal."""

    async def main() -> list[float]:
        limiter, key = LocalRateLimiter(VirtualClock()), RateKey("me", "https://circleci.com", "v2.jobs")
        await limiter.observe(key, None, 1.0)
        left: list[float] = []

        async def burst() -> None:
            started = trio.current_time()
            async with trio.open_nursery() as nursery:
                for _ in range(40):
                    nursery.start_soon(partial(limiter.acquire, key, inf, inf))
            left.append(trio.current_time() - started)

        for pause in (2.0, 1.0, 120.0):
            await trio.sleep(pause)
            await burst()
        return left

    first, second, third = trio.run(main, clock=MockClock(autojump_threshold=0))
    assert 0.4 < first < 1.2
    assert second < first
    assert third == 0
