"""Prefetching: a list of a hundred pages from a slow server, with work by the caller per page."""

from __future__ import annotations

import time
from typing import Final

import anyio

from circleci_sdk import AsyncCircleCI

from .clients.base import TOKEN
from .responses import PAGE_SIZE, PAGES
from .server import LATENCY
from .stats import Figure
from .tables import Budget, Report, Run

WORK: Final = 0.02


def report(run: Run) -> Report:
    """The gain of prefetching on each backend."""
    measured = {backend: measure(run.url, backend, run.rounds(3, 1)) for backend in ("asyncio", "trio")}
    return Report(
        [Budget(f"prefetch of 100 pages, x the plain loop, {on}", ahead, most=0.6) for on, ahead in measured.items()]
    )


def measure(url: str, backend: str, rounds: int) -> Figure:
    """The time with `prefetch`, relative to the plain loop."""
    return Figure.of([anyio.run(_round, url, backend=backend) for _ in range(rounds)])


async def _round(url: str) -> float:
    async with AsyncCircleCI(TOKEN, base_url=url) as client:
        pager = client.v2.pipelines.list_for_project("gh/acme/slow")
        await pager
        started = time.perf_counter()
        seen = 0
        async for _ in pager:
            seen += 1
            if seen % PAGE_SIZE == 0:
                await anyio.sleep(WORK)
        plain = time.perf_counter() - started
        started = time.perf_counter()
        async with pager.prefetch(2) as items:
            async for _ in items:
                seen += 1
                if seen % PAGE_SIZE == 0:
                    await anyio.sleep(WORK)
        ahead = time.perf_counter() - started
        assert seen == 2 * PAGES * PAGE_SIZE
    assert plain > PAGES * (LATENCY + WORK)
    return ahead / plain
