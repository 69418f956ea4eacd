"""The used part of a rate limit and the number of 429 responses of a crawl, in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import httpx
import pytest
import trio
from trio.testing import MockClock

from circleci_sdk import AsyncCircleCI
from tests.support.clock import clock_of

pytestmark = pytest.mark.load

LATENCY = 0.06
TASKS = 50
"""The number of concurrent tasks."""
PAGE: dict[str, object] = {"items": [], "next_page_token": None}


class VirtualClock:
    """The clock of trio for the client: time jumps to the next event."""

    def monotonic(self) -> float:
        return trio.current_time()

    def time(self) -> float:
        return 1_750_000_000.0 + trio.current_time()

    def random(self) -> float:
        return 0.5

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds + 0.001)  # real sleeps overrun


class Windows:
    """A number of calls per second of the server's clock, with a reset in full seconds."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.seen: Counter[int] = Counter()
        self.window, self.used = -1, 0

    def left(self) -> int:
        window = int(trio.current_time())
        if window != self.window:
            self.window, self.used = window, 0
        self.used += 1
        return self.rate - self.used


class Bucket(Windows):
    """A token bucket with the calls of one second."""

    def __init__(self, rate: int) -> None:
        super().__init__(rate)
        self.level, self.since = float(rate), 0.0

    def left(self) -> int:
        now = trio.current_time()
        self.level = min(self.rate, self.level + (now - self.since) * self.rate)
        self.since = now
        if self.level < 1:
            return -1
        self.level -= 1
        return int(self.level)


def crawl(limit: Windows, calls: int, count: int = TASKS) -> float:
    """The duration in seconds of a number of calls by a number of tasks."""

    async def response(request: httpx.Request) -> httpx.Response:
        await trio.sleep(LATENCY / 2)
        left = limit.left()
        await trio.sleep(LATENCY / 2)
        limit.seen[200 if left >= 0 else 429] += 1
        headers = {"X-RateLimit-Limit": str(limit.rate), "X-RateLimit-Remaining": str(max(0, left))}
        headers["X-RateLimit-Reset"] = "1"
        return httpx.Response(200 if left >= 0 else 429, headers=headers, json=PAGE)

    async def main() -> float:
        todo = calls
        with clock_of(VirtualClock()):  # type: ignore[arg-type]  # a clock of trio
            client = AsyncCircleCI("token", transport=httpx.MockTransport(response), timeout=None)

        async def work() -> None:
            nonlocal todo
            while todo > 0:
                todo -= 1
                await client.v2.pipelines.list_for_project("gh/acme/web")

        async with client, anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(work)
        return trio.current_time()

    started = 0.3  # in the middle of a window
    clock = MockClock(autojump_threshold=0)
    clock.jump(started)
    return trio.run(main, clock=clock) - started


@pytest.mark.parametrize("kind", [Windows, Bucket])
@pytest.mark.parametrize("rate", [50, 100, 200])
def test_crawl_of_two_thousand_calls(kind: Callable[[int], Windows], rate: int) -> None:
    limit = kind(rate)
    took = crawl(limit, 2000)
    assert limit.seen[200] == 2000
    assert 2000 / took >= 0.95 * rate
    assert limit.seen[429] <= 5


@pytest.mark.parametrize("kind", [Windows, Bucket])
@pytest.mark.parametrize(("tasks", "calls"), [(TASKS, 600), (1000, 1500)], ids=["as many as may leave", "a thousand"])
def test_limit_below_the_number_of_tasks(kind: Callable[[int], Windows], tasks: int, calls: int) -> None:
    """The limit is unknown to the first calls; later calls rarely get 429, including those that waited for a slot."""
    limit = kind(30)
    took = crawl(limit, calls, tasks)
    assert limit.seen[200] == calls
    assert calls / took >= 0.9 * 30
    assert limit.seen[429] <= TASKS - 30 + 3


@pytest.mark.parametrize("kind", [Windows, Bucket])
def test_limit_that_is_not_reached_has_no_effect(kind: Callable[[int], Windows]) -> None:
    limit = kind(2000)
    took = crawl(limit, 2000)
    assert limit.seen == {200: 2000}
    assert took == pytest.approx(2000 / TASKS * LATENCY, rel=0.01)
