"""Real processes that share a limit of a scripted server: `python -m tests.support.processes` measures eight.

The server counts in its own windows. What is measured depends on the machine: it has to keep up with the limit.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final
from unittest.mock import patch

import anyio

from circleci_sdk import AsyncCircleCI, RateLimitError
from circleci_sdk._core import guarded_limiter
from circleci_sdk.limiters import RedisRateLimiter
from tests.support.clients import TOKEN, USER
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

ROOT: Final = Path(__file__).parent.parent.parent
NAMES: Final = {1.0: "", 60.0: "-Minute", 3600.0: "-Hour"}


class Windows:
    """Responses of a server that admits `limit` calls in each window, the first of which begins now."""

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._start = time.monotonic()
        self.seen: Counter[int] = Counter()

    def __call__(self, request: Request) -> Response:
        number, passed = divmod(time.monotonic() - self._start, self._window)
        self.seen[int(number)] += 1
        left = self._limit - self.seen[int(number)]
        reset = str(math.ceil(self._window - passed) or 1)
        name = NAMES[self._window]
        headers = {
            f"X-RateLimit-Limit{name}": str(self._limit),
            "X-RateLimit-Remaining": str(max(0, left)),
            "X-RateLimit-Reset": reset,
        }
        return reply(json=USER, headers=headers) if left >= 0 else reply(429, headers={**headers, "Retry-After": reset})

    @property
    def refused(self) -> int:
        return sum(max(0, count - self._limit) for count in self.seen.values())

    @property
    def admitted(self) -> int:
        return self.seen.total() - self.refused


def run_processes(
    server: ScriptedServer, redis: RedisServer, processes: int, tasks: int, *, calls: int, seconds: float
) -> list[Counter[str]]:
    """What each process counted: each task makes so many calls, or those for which there is time."""
    command = [
        sys.executable,
        "-m",
        "tests.support.processes",
        server.url,
        redis.url,
        str(tasks),
        str(calls),
        str(seconds),
    ]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:  # all are loaded
            assert process.stdin is not None
            process.stdin.write("start\n")
            process.stdin.flush()
        return [Counter(json.loads(process.communicate()[0])) for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()


async def work(url: str, redis: str, tasks: int, calls: int, seconds: float) -> Counter[str]:
    """One process."""
    seen: Counter[str] = Counter()

    async def one(client: AsyncCircleCI) -> None:
        for _ in range(calls):
            try:
                await client.v2.users.me()
            except RateLimitError as error:
                seen[f"{error.request_outcome} {error.retry_stop_reason}"] += 1
            else:
                seen["result"] += 1

    # No limit of time is reached, also on a slow machine.
    with patch.object(guarded_limiter, "OBSERVE_SECONDS", 60.0):
        async with (
            RedisRateLimiter.from_url(redis, time_limit=30.0) as limiter,
            AsyncCircleCI(TOKEN, base_url=url, rate_limiter=limiter, timeout=None) as client,
        ):
            with anyio.move_on_after(seconds):
                async with anyio.create_task_group() as group:
                    for _ in range(tasks):
                        group.start_soon(one, client)
    return seen


def main() -> None:
    if len(sys.argv) > 1:
        url, redis, tasks, calls, seconds = sys.argv[1:]
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(anyio.run(work, url, redis, int(tasks), int(calls), float(seconds))))
        return
    with tempfile.TemporaryDirectory() as place:
        redis = RedisServer(Path(place))
        redis.start()
        try:
            for limit in (20, 50, 100):
                with ScriptedServer() as server:
                    windows = Windows(limit, 1.0)
                    server.on("GET", "/api/v2/me", windows)
                    run_processes(server, redis, 8, 10, calls=10**6, seconds=60.0)
                whole = [count for _, count in sorted(windows.seen.items())][1:-1]
                used = sum(min(count, limit) for count in whole) / (limit * len(whole))
                print(
                    f"limit {limit}: {used:.1%} used, {windows.refused} of {windows.seen.total()} refused", flush=True
                )
                redis.do("FLUSHALL")
        finally:
            redis.kill()


if __name__ == "__main__":
    main()
