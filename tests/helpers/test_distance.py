"""Helpers over a distance: rounds of calls in virtual time and numbers of calls, on asyncio and trio."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from math import ceil
from random import Random
from statistics import mean
from typing import Any
from weakref import ref

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling import HELD, PLANS, most_in_a_second, wait, watch
from benchmarks.sites import SLUG, Site, site
from benchmarks.virtual_time import LATENCY, DistantTransport, run
from circleci_sdk import AsyncCircleCI
from circleci_sdk.helpers._shared.concurrency import map_concurrently, search_concurrently, walk_concurrently
from circleci_sdk.helpers.history.content import pipelines_at_once
from circleci_sdk.helpers.runs.assessment import next_delay
from circleci_sdk.helpers.runs.turns import MOST_IN_A_SECOND, Turns
from circleci_sdk.testing import FakeCircleCI, Job, Step, Workflow

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture(scope="module")
def place() -> Site:
    return site(120)


@dataclass(frozen=True)
class Done:
    """What a helper returned, after how many rounds one after another, and its calls."""

    result: Any
    rounds: float
    calls: int
    most: int


def at_a_distance(place: Site, backend: str, work: Callable[[AsyncCircleCI], Awaitable[Any]], **options: Any) -> Done:
    """Let a client at a distance do this work."""

    async def main() -> Done:
        transport = DistantTransport(place.fake.transport())
        async with AsyncCircleCI(place.fake.token, transport=transport, **options) as client:
            result = await work(client)
        rounds = anyio.current_time() / LATENCY
        return Done(result, round(rounds, 6), len(transport.sent), transport.most_in_progress)

    return run(main, backend, start=place.fake.clock.now.timestamp())


# ---- one queue ----


@BACKENDS
@given(parents=st.lists(st.none() | st.integers(0, 60), max_size=60), limit=st.integers(1, 9))
def test_a_walk_leaves_no_slot_free_while_something_waits(backend: str, parents: list[int | None], limit: int) -> None:
    """Each item is visited once, parents first, in no more rounds than level by level."""
    above = [None if parent is None or not at else parent % at for at, parent in enumerate(parents)]
    visited: list[int] = []
    active = most = 0

    async def visit(item: int) -> Iterable[int]:
        nonlocal active, most
        active += 1
        most = max(most, active)
        visited.append(item)
        await anyio.sleep(LATENCY)
        active -= 1
        return [at for at, parent in enumerate(above) if parent == item]

    async def main() -> float:
        await walk_concurrently(visit, [at for at, parent in enumerate(above) if parent is None], limit=limit)
        return anyio.current_time() / LATENCY

    rounds = run(main, backend)
    assert sorted(visited) == list(range(len(above)))
    assert most <= limit
    assert all(visited.index(at) > visited.index(up) for at, up in enumerate(above) if up is not None)
    depths: list[int] = []
    for parent in above:
        depths.append(1 if parent is None else depths[parent] + 1)
    levels = [sum(depth == level for depth in depths) for level in range(1, max(depths, default=0) + 1)]
    # No order needs fewer than the calls of all levels above take, and the rest as many at once as allowed.
    least = max((level + ceil(sum(levels[level:]) / limit) for level in range(len(levels))), default=0)
    assert least <= round(rounds, 6) <= sum(ceil(count / limit) for count in levels)


@BACKENDS
def test_the_first_error_ends_a_walk(backend: str) -> None:
    begun: list[int] = []

    async def work(item: int) -> int:
        begun.append(item)
        await anyio.sleep(item)
        raise ValueError(item)

    async def main() -> float:
        with pytest.raises(ValueError, match="1"):
            await map_concurrently(work, [2, 1, 3, 4], limit=3)
        return anyio.current_time()

    assert run(main, backend) == 1
    assert sorted(begun) == [1, 2, 3]


@BACKENDS
def test_what_was_read_is_released_with_the_result(backend: str) -> None:
    """Large results and open files must not wait for a garbage collection."""

    class Thing:
        """What a call reads."""

    async def read(number: int) -> Thing:
        await anyio.lowlevel.checkpoint()
        return Thing()

    async def main() -> list[Thing | None]:
        things = await map_concurrently(read, range(5), limit=2)
        held = [ref(thing) for thing in things]
        del things
        return [each() for each in held]

    gc.collect()
    gc.disable()
    try:
        assert anyio.run(main, backend=backend) == [None] * 5
    finally:
        gc.enable()


@BACKENDS
@given(seconds=st.lists(st.integers(1, 5), max_size=30), wanted=st.integers(0, 40), limit=st.integers(1, 9))
def test_a_search_decides_in_order(backend: str, seconds: list[int], wanted: int, limit: int) -> None:
    looked: list[int] = []
    decided: list[int] = []

    async def look(item: int) -> int:
        looked.append(item)
        assert item < len(decided) + limit
        await anyio.sleep(seconds[item])
        return -item

    async def decide(item: int, seen: int) -> str | None:
        assert seen == -item
        decided.append(item)
        return "found" if item == wanted else None

    async def main() -> tuple[str | None, float]:
        found = await search_concurrently(look, decide, range(len(seconds)), limit=limit)
        return found, anyio.current_time()

    found, took = run(main, backend)
    assert found == ("found" if wanted < len(seconds) else None)
    assert decided == list(range(min(wanted + 1, len(seconds))))
    assert sorted(looked) == list(range(len(looked)))
    if wanted < limit:  # what comes after the match delays nothing
        assert took == max(seconds[: wanted + 1], default=0)


# ---- helpers ----


@BACKENDS
def test_history_leaves_few_slots_free(place: Site, backend: str) -> None:
    async def work(client: AsyncCircleCI) -> list[str]:
        return [record.kind async for record in client.history.records(SLUG, concurrency=8)]

    done = at_a_distance(place, backend, work)
    assert done.result.count("pipeline") == 120
    # A page for each 20 pipelines, the workflows of each pipeline, the jobs of each workflow.
    assert done.calls == 6 + done.result.count("pipeline") + done.result.count("workflow")
    assert done.most == 8
    assert done.rounds <= 1.1 * done.calls / 8


@BACKENDS
def test_the_first_records_of_a_history_come_soon(place: Site, backend: str) -> None:
    async def work(client: AsyncCircleCI) -> str:
        return (await anext(client.history.records(SLUG))).kind

    done = at_a_distance(place, backend, work)
    # The page; of 8 pipelines the workflows; the jobs of these. Meanwhile pages that are read ahead.
    assert (done.result, done.rounds <= 5, done.calls <= 30) == ("pipeline", True, True)


@BACKENDS
def test_explain_leaves_few_slots_free(place: Site, backend: str) -> None:
    async def work(client: AsyncCircleCI) -> tuple[float, int, Any]:
        result = await client.runs.attach(place.failed).result()
        before = anyio.current_time()
        explanation = await client.runs.explain(result)
        assert (explanation.problems, [job.problems for job in explanation.jobs]) == ((), [()] * 20)
        return (anyio.current_time() - before) / LATENCY, len(explanation.jobs), explanation

    done = at_a_distance(place, backend, work)
    # Of 20 jobs the steps, an output and the tests; the flaky tests of the project. Before that the result.
    assert (done.calls - 3, done.most) == (61, 8)
    assert done.result[0] == pytest.approx(8)


@BACKENDS
def test_the_outputs_of_one_job_are_read_at_once(backend: str) -> None:
    """Ten parallel runs have failed: the steps, eight outputs, two outputs."""
    fake = FakeCircleCI()
    job = Job("test", 5, outcome="failed", parallelism=10, steps=[Step("pytest", "boom", exit_code=1)])
    failed = fake.add_project(SLUG).push(Workflow("build", job))
    fake.clock.advance(60)

    async def work(client: AsyncCircleCI) -> float:
        result = await client.runs.attach(failed.id).result()
        before = anyio.current_time()
        (explained,) = (await client.runs.explain(result)).jobs
        assert [log.text for log in explained.logs] == ["boom"] * 10
        return (anyio.current_time() - before) / LATENCY

    assert at_a_distance(Site(fake, failed.id, "", ()), backend, work).result == pytest.approx(3)


@BACKENDS
def test_the_jobs_of_several_workflows_are_read_at_once(backend: str) -> None:
    fake = FakeCircleCI()
    pipeline = fake.add_project(SLUG).push(*(Workflow(f"build-{at}", Job("test", 5)) for at in range(8)))
    fake.clock.advance(60)
    done = at_a_distance(Site(fake, "", "", ()), backend, lambda client: client.runs.attach(pipeline.id).jobs())
    assert sorted(job.workflow_name for job in done.result) == [f"build-{at}" for at in range(8)]
    assert (done.calls, done.rounds) == (10, 3)


@BACKENDS
def test_secrets_are_set_at_once(place: Site, backend: str) -> None:
    async def work(client: AsyncCircleCI) -> None:
        report = await client.secrets.set_many({"A": "1", "B": "2"}, contexts=place.contexts, concurrency=20)
        report.raise_for_failure()

    done = at_a_distance(place, backend, work)
    assert (done.calls, done.rounds, done.most) == (100, 5, 20)


@BACKENDS
def test_a_whole_sha_takes_two_rounds(place: Site, backend: str) -> None:
    done = at_a_distance(place, backend, lambda client: client.runs.find(SLUG, revision=place.revision))
    assert done.result is not None
    assert (done.calls, done.rounds) == (2, 2)


@BACKENDS
@pytest.mark.parametrize("filters", [{}, {"job": "package-3"}, {"workflow": "build"}], ids=str)
def test_the_latest_artifacts_take_four_rounds(place: Site, backend: str, filters: dict[str, Any]) -> None:
    """Those of the fifth pipeline: the page, the workflows, the jobs, the artifacts."""
    done = at_a_distance(place, backend, lambda client: client.artifacts.latest(SLUG, **filters))
    jobs = len(done.result.jobs)
    assert jobs == (1 if "job" in filters else 8)
    assert done.rounds == 4
    # The workflows of at most twelve pipelines, for a job with the jobs of each workflow.
    assert done.calls <= 1 + 12 + (2 * 12 if "job" in filters else 1) + jobs


@BACKENDS
def test_records_do_not_wait_for_pages_that_are_read_ahead(backend: str) -> None:
    fake = site(40).fake
    fake.fail_next("v2.pipelines.list_for_project", delay=0.001)  # as usual, and then:
    fake.fail_next("v2.pipelines.list_for_project", status=503, headers={"Retry-After": "50"})

    async def work(client: AsyncCircleCI) -> tuple[float, int]:
        records = client.history.records(SLUG, concurrency=8)
        await anext(records)
        return anyio.current_time(), 1 + len([record async for record in records if record.kind == "pipeline"])

    first, count = at_a_distance(Site(fake, "", "", ()), backend, work).result
    assert (first <= 6 * LATENCY, count) == (True, 40)


@pytest.mark.parametrize(
    ("pipelines", "calls", "concurrency", "expected"),
    [
        (8, 16, 8, 64),
        (8, 24, 8, 42),
        (48, 96, 8, 64),
        (8, 800, 8, 1),  # each has a hundred lists
        (8, 8000, 8, 1),
        (1, 1, 1, 16),
        (20, 0, 8, 20),  # pipelines alone
    ],
)
def test_pipelines_at_once(pipelines: int, calls: int, concurrency: int, expected: int) -> None:
    assert pipelines_at_once(pipelines, calls, concurrency) == expected


# ---- polls ----


@pytest.mark.parametrize(("seconds", "late", "calls"), [(60, 4, 27), (180, 6, 40), (600, 6, 88), (1800, 16, 155)])
def test_when_a_wait_notices_the_end(seconds: float, late: float, calls: int) -> None:
    """The seconds on average, and the most polls."""
    noticed: list[float] = []
    counts: list[int] = []
    for seed in range(300):
        rng, age, count = Random(seed), 0.0, 1
        end = seconds + rng.uniform(-10, 0)
        while age < end:
            age += next_delay(
                age=age, calls=1, each_call=True, watched=1, rate_limit=None, retry_after=None, chance=rng.random()
            )
            age += LATENCY
            count += 1
        noticed.append(age - end)
        counts.append(count)
    assert mean(noticed) <= late
    assert max(counts) <= calls


@BACKENDS
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_wait_of_ten_minutes(backend: str, plan: Any) -> None:
    """The pipeline is read until there is a workflow, and when all have ended; no jobs but those that failed."""
    done = wait(plan, 600, backend)
    assert done.seconds <= 12
    assert done.calls <= 90
    assert done.of_pipelines <= 4
    assert done.of_jobs == (done.status == "failed")
    assert done.status == ("failed" if "failing" in plan.__name__ else "success")


@pytest.mark.parametrize(
    ("name", "late", "of_jobs"),
    [
        ("failing, never on hold", 12, 60),
        ("on hold beside one that moves", 12, 1),
        ("failing, then on hold", 25, 60),
        ("two of these", 25, 60),
        ("eight of these", 25, 90),
        ("nothing after a setup workflow", 625, 0),
    ],
)
def test_a_wait_that_returns_on_hold(name: str, late: float, of_jobs: int) -> None:
    """As many calls, and at the beginning and at the end the jobs of each other workflow."""
    done = wait(HELD[name], 1200 if late > 600 else 600, on_hold="return")
    workflows = 8 if "eight" in name else 1
    assert done.seconds <= late
    assert done.of_jobs <= of_jobs
    assert done.calls <= (180 if late > 600 else 90) + 2 * workflows


@BACKENDS
def test_a_hundred_watches_take_turns(backend: str) -> None:
    """Each begins to see its run in the first quarter of a minute."""
    done = watch(100, 20, backend)
    assert done.most <= 25
    assert done.first <= 15


@given(st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 4), st.booleans()), max_size=200))
def test_turns(calls: list[tuple[float, int, bool]]) -> None:
    turns, now = Turns(), 0.0
    left: list[float] = []
    for passed, expected, is_expected in calls:
        now += passed
        assert turns.poll(now, expected) >= 0
        left.append(now + turns.call(now, expected=is_expected))
    assert left == sorted(left)
    assert most_in_a_second(left) <= MOST_IN_A_SECOND


def test_a_few_polls_wait_for_no_turn() -> None:
    turns = Turns()
    assert [turns.poll(0, 3) for _ in range(5)] == [0] * 5
    assert [turns.call(0, expected=True) for _ in range(15)] == [0] * 15
    assert turns.poll(0, 3) == pytest.approx(0.1)
    assert turns.poll(100, 3) == 0
    # Polls that make more calls than expected delay those after them.
    for _ in range(25):
        turns.call(100, expected=False)
    assert turns.poll(100, 3) == pytest.approx(0.62)
