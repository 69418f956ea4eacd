"""A crawl of two thousand calls under a rate limit: the used part of the limit and the rejected requests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import anyio
import httpx

from circleci_sdk import AsyncCircleCI

from .clients.base import TOKEN
from .stats import Figure
from .tables import Budget, Report, Run

CALLS: Final = 2000
RATE: Final = 200


@dataclass(frozen=True, slots=True)
class Crawl:
    """The used part of the allowed rate, including the start, and the rejected part of the requests."""

    used: Figure
    rejected: Figure


def report(run: Run) -> Report:
    """The use of a rate limit on each backend."""
    budgets: list[Budget] = []
    for backend in ("asyncio", "trio"):
        crawl = measure(run.url, backend, run.rounds(3, 1))
        budgets += [
            Budget(f"crawl under a rate limit: used part of the limit, {backend}", crawl.used, 0.95),
            Budget(f"the same: rejected part of the requests, {backend}", crawl.rejected, most=0.01),
        ]
    return Report(budgets)


def measure(url: str, backend: str, rounds: int) -> Crawl:
    """Run crawls sequentially on a server that allows `RATE` calls per second."""
    used, rejected = list[float](), list[float]()
    for _ in range(rounds):
        httpx.get(f"{url}/counts")  # resets the counts
        took: float = anyio.run(_round, url, backend=backend)
        counts = httpx.get(f"{url}/counts").json()
        assert counts["served"] == CALLS
        used.append(CALLS / took / RATE)
        rejected.append(counts["rejected"] / (counts["served"] + counts["rejected"]))
    return Crawl(Figure.of(used), Figure.of(rejected))


async def _round(url: str) -> float:
    """The duration of the crawl in seconds."""
    left = CALLS
    async with AsyncCircleCI(TOKEN, base_url=url, timeout=None) as client:

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await client.v2.pipelines.list_for_project("gh/acme/limited", branch=f"r{RATE}")

        started = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(work)
        return time.perf_counter() - started
