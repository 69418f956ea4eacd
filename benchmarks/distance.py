"""Helpers over a distance of 50 ms for each call, against plain httpx with the best possible overlap.

`python -m benchmarks.distance`, or `--quick` for a shorter history and fewer rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Final

import anyio

from circleci_sdk import AsyncCircleCI

from .distant_server import DistantSite, distant
from .ideal import Ideal
from .polling import PLANS, TEN_MINUTES, wait, watch
from .serving import pin
from .sites import LATEST_AT, NAMES, SLUG, TOKEN
from .stats import Figure, ratios
from .tables import Budget, Report, Row, Run, Table

if TYPE_CHECKING:
    from circleci_sdk.helpers import RunResult

PIPELINES: Final = 1000
QUICK_PIPELINES: Final = 200
WRITES_AT_ONCE: Final = 20
WAITS: Final = 6
"""Waits for each kind of run and round."""
INTERVAL: Final = 20.0
"""Seconds over which their ends are spread: two intervals of the polls."""


@dataclass(frozen=True, slots=True)
class Case:
    """A helper and the program without it. `repeats` are the calls of each in a round."""

    label: str
    at_once: int
    ours: Callable[[AsyncCircleCI], Awaitable[object]]
    ideal: Callable[[Ideal], Awaitable[object]]
    repeats: int = 1


def _cases(place: DistantSite, failed: RunResult, pipelines: int) -> list[Case]:
    jobs = [(job.id, job.number or 0) for job in failed.failed_jobs]
    values = dict.fromkeys(NAMES, "secret")

    async def history(client: AsyncCircleCI) -> object:
        return [record async for record in client.history.records(SLUG, concurrency=8)]

    def set_many(client: AsyncCircleCI) -> Awaitable[object]:
        return client.secrets.set_many(values, contexts=place.contexts, concurrency=WRITES_AT_ONCE)

    return [
        Case(
            f"`runs.explain` of {len(jobs)} failed jobs",
            8,
            lambda client: client.runs.explain(failed),
            lambda ideal: ideal.explain(jobs),
            3,
        ),
        Case(f"`history.records` of {pipelines:,} pipelines with jobs", 8, history, lambda ideal: ideal.history()),
        Case(
            f"`secrets.set_many` of {len(values)} values in {len(place.contexts)} contexts",
            WRITES_AT_ONCE,
            set_many,
            lambda ideal: ideal.set_many(place.contexts),
        ),
        Case(
            "`artifacts.latest`: the fifth pipeline, 8 jobs",
            8,
            lambda client: client.artifacts.latest(SLUG),
            lambda ideal: ideal.latest(LATEST_AT),
            5,
        ),
        Case(
            "`runs.find` of a whole SHA",
            8,
            lambda client: client.runs.find(SLUG, revision=place.revision),
            lambda ideal: ideal.find(place.revision),
            5,
        ),
    ]


def report(run: Run) -> Report:
    """Helpers over a distance, and polls."""
    speeds, polls = measure(run.rounds(3, 1), QUICK_PIPELINES if run.quick else PIPELINES)
    budgets = [Budget(f"{row.label}, x the ideal", row.figures[0], 0.85) for row in speeds.rows]
    every_wait, watched = "`Run.wait`: all of these", "`Run.watch` of 100"
    budgets += [
        Budget("`Run.wait` of ten minutes: seconds until noticed", polls.figure(every_wait), most=6),
        Budget("`Run.wait` of ten minutes: calls", polls.figure(every_wait, 1), most=90),
        Budget("`Run.watch` of 100 runs: calls in a second", polls.figure(watched, 2), most=25),
    ]
    return Report(budgets, (speeds, polls))


def measure(rounds: int, pipelines: int = PIPELINES) -> tuple[Table, Table]:
    """The speed of helpers, and the notice and the calls of polls."""
    with distant(pipelines) as place:
        speeds = anyio.run(_speeds, place, rounds, pipelines)
    return speeds, _polls(rounds)


async def _speeds(place: DistantSite, rounds: int, pipelines: int) -> Table:
    rows: list[Row] = []
    async with AsyncCircleCI(TOKEN, base_url=place.url, deployment="cloud") as client:
        failed = await client.runs.attach(place.failed).result()
        for case in _cases(place, failed, pipelines):
            taken: list[float] = []
            basis: list[float] = []
            async with Ideal(place.url, TOKEN, case.at_once) as ideal:
                if case.repeats > 1:  # the first calls import modules
                    await case.ours(client)
                    await case.ideal(ideal)
                calls: tuple[list[float], list[float]] = ([], [])
                await _calls(place, case)
                for _ in range(rounds):
                    basis.append(await _seconds(partial(case.ideal, ideal), case.repeats))
                    calls[0].append(await _calls(place, case))
                    taken.append(await _seconds(partial(case.ours, client), case.repeats))
                    calls[1].append(await _calls(place, case))
            rows.append(Row(case.label, (ratios(basis, taken), ratios(calls[1], calls[0]), Figure.of(calls[1]))))
    return Table(
        "Helpers over a distance",
        "Each call takes 50 ms. The speed is that of the helper relative to a plain httpx program with the same "
        "concurrency that makes the calls with the best possible overlap (`benchmarks/ideal.py`); higher is better. "
        "Then the number of its calls relative to those of that program, which knows beforehand what it will find, and "
        f"their number itself. 8 calls at once; for secrets {WRITES_AT_ONCE}.",
        ("speed", "calls", "number of calls"),
        tuple(rows),
    )


async def _seconds(work: Callable[[], Awaitable[object]], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        await work()
    return time.perf_counter() - started


async def _calls(place: DistantSite, case: Case) -> float:
    """The calls since this was asked last, for each repetition."""
    return await anyio.to_thread.run_sync(place.calls) / case.repeats


def _polls(rounds: int) -> Table:
    rows: list[Row] = []
    late: dict[str, list[float]] = {}
    calls: dict[str, list[float]] = {}
    for number, (label, plan) in enumerate(PLANS.items()):
        for seed in range(rounds):
            ends = [TEN_MINUTES + INTERVAL * (at / WAITS - 0.5) for at in range(WAITS)]
            waits = [wait(plan, end, seed=number + len(PLANS) * seed) for end in ends]
            late.setdefault(label, []).append(mean(one.seconds for one in waits))
            calls.setdefault(label, []).append(max(one.calls for one in waits))
        rows.append(Row(f"`Run.wait`: {label}", (Figure.of(late[label]), Figure.of(calls[label]), None)))
    seconds = Figure.of([mean(each) for each in zip(*late.values(), strict=True)])
    most = Figure.of([max(each) for each in zip(*calls.values(), strict=True)])
    rows.append(Row("`Run.wait`: all of these", (seconds, most, None)))
    for count in (10, 100):
        watched = watch(count, TEN_MINUTES / 20)
        rows.append(Row(f"`Run.watch` of {count} runs at once", (None, None, Figure.of([watched.most]))))
    return Table(
        "Polls",
        "In virtual time, each call takes 50 ms. Runs of ten minutes that end at any moment: the seconds until "
        f"`Run.wait` notices the end, the mean of {WAITS} runs, and the most calls of one of them. Runs that are "
        "watched at once and begin together: the most calls in any second.",
        ("seconds until noticed", "calls", "calls in a second"),
        tuple(rows),
    )


def main(*, quick: bool) -> None:
    """Print both tables."""
    pin(1)
    for table in measure(1 if quick else 3, QUICK_PIPELINES if quick else PIPELINES):
        print(f"\n{table.title}: {', '.join(table.columns)}")
        for row in table.rows:
            print(f"  {row.label}: {', '.join('-' if figure is None else str(figure) for figure in row.figures)}")


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
