"""Iterators whose buffered items are taken without an event loop; on asyncio and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import pytest
from anyio.to_thread import run_sync

from circleci_sdk import AsyncCircleCI
from circleci_sdk._core.unset import UNSET
from circleci_sdk._streams.buffered import Buffered, fill_buffer, next_buffered
from circleci_sdk.testing import Approval, FakeCircleCI, Job, Workflow
from circleci_sdk.webhooks import follow

PROJECTS: Final = ["gh/acme/web", "gh/acme/api"]


def fake_of_two_projects(*, server: bool) -> FakeCircleCI:
    """Fifty runs of two projects, alternating, a minute apart, each with two jobs; and variables."""
    fake = FakeCircleCI(server=server)
    projects = [fake.add_project(slug) for slug in PROJECTS]
    for number in range(50):
        projects[number % 2].push(Workflow("build", Job("lint", 5), Job("test", 10)), branch="main")
        fake.clock.advance(60)
    for place in range(3):
        projects[0].set_env_var(f"P{place}", "value")
        names = [f"C{one}" for one in range(place)]
        fake.add_context(f"context-{place}", organization="gh/acme", env_vars=dict.fromkeys(names, "value"))
    return fake


@dataclass
class Case:
    """An iterator of a class, with what is expected of it.

    `state` is what it says of its progress, `count` the number of items (those taken, of one that has no end), and
    `fills` the number of times that its buffer was filled meanwhile, the end included.
    """

    make: Callable[[FakeCircleCI, AsyncCircleCI], Awaitable[Buffered[Any]]]
    state: Callable[[Any], object]
    count: int
    fills: int
    server: bool = False
    is_endless: bool = False


async def watch(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    job, approval = Job("test", 60), Approval("release?", requires=["test"])
    fake.project(PROJECTS[0]).will_run(Workflow("build", job, approval))
    run = await circleci.runs.start(PROJECTS[0], branch="main")
    fake.clock.advance(100)
    await run.approve()
    return run.watch()


async def search(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    return circleci.runs.search(PROJECTS)


async def records(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    return circleci.history.records(PROJECTS[0], concurrency=8)


async def rows(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    start = fake.clock.now
    fake.clock.advance(86400)
    for _ in range(4):
        fake.project(PROJECTS[0]).push(Workflow("build", Job("lint", 5), Job("test", 10)))
        fake.clock.advance(86400 * 10)
    return circleci.usage.rows(fake.organization("gh/acme").id, start, fake.clock.now)


async def audit(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    return circleci.secrets.audit("gh/acme")


async def events(fake: FakeCircleCI, circleci: AsyncCircleCI) -> Buffered[Any]:
    project = fake.project(PROJECTS[0])
    project.push(Workflow("build", Job("lint", 100), Job("test", 200)))
    return follow(circleci, PROJECTS[0], poll=1000)


CASES: Final = {
    "RunWatch": Case(watch, lambda one: one.result, 6, 3),
    "RunSearch of v3": Case(search, lambda one: one.api, 50, 4),
    "RunSearch of v2": Case(search, lambda one: one.api, 50, 6, server=True),
    "Records": Case(records, lambda one: one.cursor, 100, 3),
    "UsageRows": Case(rows, lambda one: one.missing, 8, 7),
    "SecretAudit": Case(audit, lambda one: one.skipped, 6, 6),
    "Follow": Case(events, lambda one: one.skipped, 3, 4, is_endless=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_items_of_the_buffer_are_those_of_a_loop(case: Case) -> None:
    fake = fake_of_two_projects(server=case.server)
    looped: list[tuple[object, object]] = []
    async with fake.client() as circleci:
        items = await case.make(fake, circleci)
        async for item in items:
            looped.append((item, case.state(items)))
            if case.is_endless and len(looped) == case.count:
                break

    fake = fake_of_two_projects(server=case.server)
    split: list[tuple[object, object]] = []
    fills = 0
    async with fake.client() as circleci:
        items = await case.make(fake, circleci)
        while not (case.is_endless and len(split) == case.count):
            sent = len(fake.requests)
            item = await run_sync(next_buffered, items)  # in a thread that has no event loop
            assert len(fake.requests) == sent
            if item is not UNSET:
                split.append((item, case.state(items)))
                continue
            fills += 1
            try:
                await fill_buffer(items)
            except StopAsyncIteration:
                break
    assert split == looped
    assert (len(split), fills) == (case.count, case.fills)
