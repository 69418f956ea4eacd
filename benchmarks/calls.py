"""Throughput of sequential and concurrent calls, and a listing of a hundred pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from . import clients, sync_clients
from .clients import Entry
from .stats import Figure, ratios
from .tables import Budget, Report, Row, Run, Table
from .worker import Worker

_RESPONSE: Final = "The response to a call is one page of 20 pipelines (16 kB)."

_ONE_AT_A_TIME: Final = (
    "in instructions the ratio is 1.12 (../profile.md); in time the lower quartile is 0.99 to 1.02 in different runs "
    "on a machine that others use"
)
_OBSTACLE: Final = (
    "of a call among 50 (0.58 ms, raw httpx 1.19), httpcore and h11 take 0.25 ms and pydantic 0.15, by samples of the "
    "stack. In instructions the ratio is 2.56: those of raw httpx, which scans its pool, are cheap, those that make "
    "models wait for memory"
)
_ON_AIOHTTP: Final = (
    "three times raw httpx is 0.40 ms a call; aiohttp takes 0.16 of it, pydantic 0.15, and httpx between them 0.08"
)


class Step(NamedTuple):
    """A column: what a worker does, with these arguments."""

    name: str
    do: str
    arguments: tuple[object, ...]


STEPS: Final = (
    Step("one at a time", "calls", (200, 1)),
    Step("50 at once", "calls", (400, 50)),
    Step("200 at once", "calls", (600, 200)),
    Step("100 pages", "listing", ("listing",)),
)
SYNC_STEPS: Final = (
    Step("one at a time", "calls", (200, 1)),
    Step("16 threads", "calls", (400, 16)),
    Step("100 pages", "listing", ("listing",)),
)


def report(run: Run) -> Report:
    """The calls on asyncio, on trio and without `await`, with the chart of the first two."""
    rounds = run.rounds(11, 1)
    on_asyncio, on_trio = (measure(run.url, backend, rounds) for backend in ("asyncio", "trio"))
    threads = measure_sync(run.url, rounds)
    budgets = [
        Budget(
            f"typed call, {on.columns[column]}, x raw httpx, {backend}",
            on.figure("circleci_sdk", column),
            least,
            obstacle=_OBSTACLE if column else _ONE_AT_A_TIME,
        )
        for backend, on, bounds in (("asyncio", on_asyncio, (1.0, 2.5)), ("trio", on_trio, (0.9, 1.5)))
        for column, least in enumerate(bounds)
    ]
    on_aiohttp = on_asyncio.figure("circleci_sdk on httpx-aiohttp", 1)
    name = "the same on httpx-aiohttp, 50 at once, x raw httpx, asyncio"
    budgets.append(Budget(name, on_aiohttp, 3.0, obstacle=_ON_AIOHTTP))
    for column, least in enumerate((0.6, 0.7)):
        name = f"typed call without `await`, {threads.columns[column]}, x `httpx.Client` with models"
        budgets.append(Budget(name, threads.figure("circleci_sdk", column), least))
    return Report(budgets, (on_asyncio, on_trio, threads))


def measure(url: str, backend: str, rounds: int) -> Table:
    """The throughput of all clients on one backend, relative to raw httpx. The clients are measured alternately."""
    commands = {e: ("worker", e.module, backend, url) for e in clients.ENTRIES if backend in e.backends}
    title, text = f"Calls on {backend}", "Throughput relative to raw `httpx.get(...).json()`; higher is better. "
    return _measure(title, text, commands, clients.BASIS, STEPS, rounds)


def measure_sync(url: str, rounds: int) -> Table:
    """The throughput of clients without `await`, relative to httpx with pydantic models."""
    commands = {e: ("sync_worker", e.module, url) for e in sync_clients.ENTRIES}
    title, text = "Calls without `await`", "Throughput relative to `httpx.Client` with models; higher is better. "
    return _measure(title, text, commands, sync_clients.BASIS, SYNC_STEPS, rounds)


def _measure(
    title: str,
    description: str,
    commands: Mapping[Entry, tuple[str, ...]],
    basis: str,
    steps: Sequence[Step],
    rounds: int,
) -> Table:
    failures: list[str] = []
    with ExitStack() as stack:
        workers: dict[Entry, Worker] = {}
        for entry, command in commands.items():
            try:
                workers[entry] = stack.enter_context(Worker(*command))
            except RuntimeError as error:
                failures.append(f"{entry.label} failed to start: {error}")
        taken = _rounds(workers, steps, rounds, failures)
    base = next(entry for entry in workers if entry.module == basis)
    rows = [
        Row(entry.label, tuple(_figure(taken, entry, base, step.name) for step in steps), entry.note)
        for entry in workers
    ]
    columns = tuple(step.name for step in steps)
    return Table(title, description + _RESPONSE, columns, tuple(rows), tuple(failures))


Times = dict[tuple[Entry, str], list[float]]


def _rounds(workers: dict[Entry, Worker], steps: Sequence[Step], rounds: int, failures: list[str]) -> Times:
    taken: Times = {(entry, step.name): [] for entry in workers for step in steps}
    for number in range(rounds + 1):  # the first round is a warm-up
        for step in steps:
            for entry, worker in list(workers.items()):
                try:
                    seconds = worker.measure(step.do, *step.arguments)["seconds"]
                except (RuntimeError, BrokenPipeError) as error:
                    failures.append(f"{entry.label} failed in {step.name}: {error}")
                    del workers[entry]
                    continue
                if number:
                    taken[entry, step.name].append(seconds)
    return taken


def _figure(taken: Times, entry: Entry, basis: Entry, name: str) -> Figure:
    return ratios(taken[basis, name], taken[entry, name])
