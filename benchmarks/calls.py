"""Throughput of sequential and concurrent calls, and a listing of a hundred pages."""

from __future__ import annotations

from contextlib import ExitStack

from .clients import BASIS, ENTRIES, Entry
from .stats import Figure, ratios
from .tables import Row, Table
from .worker import Worker

STEPS = (
    ("one at a time", "calls", 200, 1),
    ("50 at once", "calls", 400, 50),
    ("200 at once", "calls", 600, 200),
    ("100 pages", "listing", "listing"),
)


def measure(url: str, backend: str, rounds: int) -> Table:
    """The throughput of all clients on one backend, relative to raw httpx. The clients are measured alternately."""
    failures: list[str] = []
    with ExitStack() as stack:
        workers: dict[Entry, Worker] = {}
        for entry in ENTRIES:
            if backend in entry.backends:
                try:
                    workers[entry] = stack.enter_context(Worker(entry.module, backend, url))
                except RuntimeError as error:
                    failures.append(f"{entry.label} failed to start: {error}")
        taken = _rounds(workers, rounds, failures)
    basis = next(entry for entry in workers if entry.module == BASIS)
    rows = [
        Row(entry.label, tuple(_figure(taken, entry, basis, name) for name, *_ in STEPS), entry.note)
        for entry in workers
    ]
    return Table(
        f"Calls on {backend}",
        "Throughput relative to raw `httpx.get(...).json()`; higher is better. The response to a call is one page "
        "of 20 pipelines (16 kB).",
        tuple(name for name, *_ in STEPS),
        tuple(rows),
        tuple(failures),
    )


Times = dict[tuple[Entry, str], list[float]]


def _rounds(workers: dict[Entry, Worker], rounds: int, failures: list[str]) -> Times:
    taken: Times = {(entry, name): [] for entry in workers for name, *_ in STEPS}
    for number in range(rounds + 1):  # the first round is a warm-up
        for name, do, *arguments in STEPS:
            for entry, worker in list(workers.items()):
                try:
                    seconds = worker.measure(do, *arguments)["seconds"]
                except (RuntimeError, BrokenPipeError) as error:
                    failures.append(f"{entry.label} failed in {name}: {error}")
                    del workers[entry]
                    continue
                if number:
                    taken[entry, name].append(seconds)
    return taken


def _figure(taken: Times, entry: Entry, basis: Entry, name: str) -> Figure:
    return ratios(taken[basis, name], taken[entry, name])
