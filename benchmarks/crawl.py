"""Under a rate limit: how much of it a crawl of two thousand calls uses, and how often it is refused."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import anyio
import httpx

from circleci_sdk import AsyncCircleCI

from .contestants.base import TOKEN
from .stats import Figure

CALLS: Final = 2000
RATE: Final = 200


@dataclass(frozen=True, slots=True)
class Crawl:
    """The part of the allowed rate that was used, over all and with the start, and the part of requests refused."""

    used: Figure
    refused: Figure


def measure(url: str, backend: str, rounds: int) -> Crawl:
    """Crawls one after the other on a server that allows `RATE` calls a second."""
    used, refused = list[float](), list[float]()
    for _ in range(rounds):
        httpx.get(f"{url}/counts")  # the counts start anew
        took: float = anyio.run(_round, url, backend=backend)
        counts = httpx.get(f"{url}/counts").json()
        assert counts["served"] == CALLS
        used.append(CALLS / took / RATE)
        refused.append(counts["refused"] / (counts["served"] + counts["refused"]))
    return Crawl(Figure.of(used), Figure.of(refused))


async def _round(url: str) -> float:
    """Seconds that the crawl took."""
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
