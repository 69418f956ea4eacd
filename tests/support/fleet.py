"""A fleet of processes that share a limit, in virtual time. `python -m tests.support.fleet` prints a table.

Each process is a `RedisRateLimiter`. The script runs in a real Redis, with virtual time as an argument.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import trio
from trio.testing import MockClock

from circleci_sdk import RateKey, RateLimit
from circleci_sdk.limiters import RedisRateLimiter
from tests.support.redis_server import RedisServer

KEY: Final = RateKey("fleet", "https://circleci.com", "v2.pipelines")
LATENCY: Final = 0.06
"""Seconds from a request to its response."""


class VirtualClock:
    """The clock of trio for limiters: time jumps to the next event. Sleeps end late, by up to two milliseconds."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def monotonic(self) -> float:
        return trio.current_time()

    def time(self) -> float:
        return trio.current_time()

    def random(self) -> float:
        return self._rng.random()

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds + 0.002 * self._rng.random())


class VirtualRedis:
    """A client of Redis whose commands take a millisecond of virtual time. It counts them."""

    def __init__(self, client: Any, seen: Counter[str]) -> None:
        self._client = client
        self._seen = seen

    async def execute_command(self, *args: Any, **_: Any) -> Any:
        self._seen["redis"] += args[0] == "EVALSHA"
        await trio.sleep(0.0005)
        reply = self._client.execute_command(*args)
        await trio.sleep(0.0005)
        return reply


class VirtualLimiter(RedisRateLimiter):
    """A limiter in virtual time."""

    def _now(self) -> float:
        return 1_750_000_000.0 + trio.current_time()


@dataclass(slots=True)
class Windows:
    """A server that admits `limit` calls in each window of its clock, with a reset in full seconds, as CircleCI's."""

    limit: int
    window: float = 1.0
    names_limit: bool = True
    seen: Counter[int] = field(default_factory=Counter[int])

    def left(self) -> int:
        """The calls that are left after this one; below 0, this one is refused."""
        number = int(trio.current_time() / self.window)
        self.seen[number] += 1
        return self.limit - self.seen[number]

    def reset(self) -> float:
        return math.ceil(self.window - trio.current_time() % self.window) or 1.0


@dataclass(slots=True)
class Bucket(Windows):
    """A token bucket."""

    level: float = math.inf
    since: float = 0.0

    def left(self) -> int:
        now = trio.current_time()
        self.level = min(self.limit, self.level + (now - self.since) * self.limit / self.window)
        self.since = now
        if self.level < 1:
            return -1
        self.level -= 1
        return int(self.level)


@dataclass(frozen=True, slots=True)
class Use:
    """What a fleet did: the used part of the limit, the refused part of its calls, and script calls for each call."""

    used: float
    refused: float
    script_calls: float


def simulate(
    redis: RedisServer,
    server: Windows,
    processes: int,
    tasks: int,
    seconds: float,
    *,
    latency: float = LATENCY,
    jitter: float = 0.02,
) -> Use:
    """All tasks of all processes call without a pause. `jitter` are the seconds that chance adds to the latency."""
    import redis as redis_py

    rng, seen = random.Random(13), Counter[str]()
    client: Any = redis_py.Redis(unix_socket_path=str(redis.socket))
    client.flushall()

    async def work(limiter: RedisRateLimiter, end: float) -> None:
        while await limiter.acquire(KEY, 60.0, 1e9) is None and trio.current_time() < end:
            await trio.sleep(latency / 2 + jitter * rng.random() / 2)
            left = server.left()
            state = RateLimit(server.limit, max(0, left), server.reset(), server.window) if server.names_limit else None
            seen["admitted" if left >= 0 else "refused"] += 1
            pause = server.reset() if left < 0 else None
            await trio.sleep(latency / 2 + jitter * rng.random() / 2)
            if state is not None or pause is not None:
                await limiter.observe(KEY, state, pause)

    async def main() -> None:
        end = trio.current_time() + seconds
        with trio.move_on_after(seconds + 1):
            async with trio.open_nursery() as nursery:
                for _ in range(processes):
                    limiter = VirtualLimiter(VirtualRedis(client, seen))
                    clock = VirtualClock(rng)
                    limiter._clock = limiter._outage._clock = limiter._local._clock = clock
                    for _ in range(tasks):
                        nursery.start_soon(work, limiter, end)

    clock = MockClock(autojump_threshold=0)
    clock.jump(0.3)  # in the middle of a window
    try:
        trio.run(main, clock=clock)
    finally:
        client.close()
    calls = seen.total() - seen["redis"]
    return Use(
        used=seen["admitted"] / (server.limit * seconds / server.window),
        refused=seen["refused"] / calls,
        script_calls=seen["redis"] / calls,
    )


def main() -> None:
    print(
        "| Processes x tasks | Limit | Used | Refused | Script calls for each call |\n| --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as place:
        redis = RedisServer(Path(place))
        redis.start()
        try:
            for processes, tasks, server, seconds in (
                (8, 20, Windows(50), 60.0),
                (8, 20, Bucket(50), 60.0),
                (8, 20, Windows(200), 20.0),
                (8, 20, Windows(300, 60.0), 300.0),
                (1000, 1, Windows(300), 20.0),
                (1000, 1, Bucket(300), 20.0),
            ):
                use = simulate(redis, server, processes, tasks, seconds)
                kind = "a token bucket" if isinstance(server, Bucket) else "fixed windows"
                print(
                    f"| {processes:,} x {tasks} | {server.limit:,} in {server.window:g} s, {kind} "
                    f"| {use.used:.1%} | {use.refused:.2%} | {use.script_calls:.2f} |",
                    flush=True,
                )
        finally:
            redis.kill()


if __name__ == "__main__":
    main()
