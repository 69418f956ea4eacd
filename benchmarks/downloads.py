"""Downloads: throughput, memory and pauses, relative to a plain program on httpx that makes the same requests.

`python -m benchmarks.downloads` measures and shows this table alone.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Final

from .file_server import job_of
from .serving import pin, running
from .stats import Figure, ratios
from .tables import Budget, Report, Row, Run, Table
from .worker import Worker

BASIS: Final = "raw_httpx"
PROGRAMS: Final = {
    BASIS: "raw httpx",
    "circleci_sdk": "circleci_sdk",
    "circleci_sdk_without_await": "circleci_sdk, `CircleCI`",
}
LARGE: Final = 200_000_000
MANY: Final = (500, 20_000)
_OBSTACLE: Final = (
    "each MiB goes to a thread that writes it, so that no disk blocks the event loop; raw httpx writes in the loop"
)


def report(run: Run) -> Report:
    """Downloads, with the budgets of the async client."""
    table = measure(run.rounds(11, 2), LARGE // 4 if run.quick else LARGE)
    budgets: list[Budget] = []
    for row in table.rows:
        what, _, program = row.label.partition(": ")
        if program == PROGRAMS["circleci_sdk"]:
            budgets += [
                Budget(f"download of {what}, x raw httpx", row.figures[0], 0.85, obstacle=_OBSTACLE),
                Budget(f"download of {what}: longest pause of the event loop, ms", row.figures[3], most=20),
            ]
    return Report(budgets, (table,))


def measure(rounds: int, large: int = LARGE) -> Table:
    """One large file of so many bytes, and many small ones, eight at once."""
    rows: list[Row] = []
    with running("file_server") as url:
        rows += _rows(url, f"one file of {large // 1_000_000} MB", job_of(1, large), rounds)
        rows += _rows(url, f"{MANY[0]} files of {MANY[1] // 1000} kB", job_of(*MANY), rounds)
    return Table(
        "Downloads",
        "All artifacts of a job into a folder: the list, then each file, eight at once, the same requests for each "
        "program; `download_programs.py` has them. Throughput relative to raw httpx that streams into a file, in wall "
        "and in processor time; higher is better. The memory is the growth of the largest size of the process in MB, "
        "the pause the longest of the event loop in ms, in a run of its own. Pauses of the machine are part of it.",
        ("throughput", "the same, processor time", "memory", "pause"),
        tuple(rows),
    )


def _rows(url: str, what: str, job: int, rounds: int) -> list[Row]:
    taken: dict[str, list[dict[str, float]]] = {program: [] for program in PROGRAMS}
    pauses: dict[str, list[float]] = {program: [] for program in PROGRAMS}
    with ExitStack() as opened:
        workers = {name: opened.enter_context(Worker("download_worker", name, url)) for name in PROGRAMS}
        for _ in range(rounds):
            for name, worker in workers.items():
                taken[name].append(worker.measure("download", job, False))
        for _ in range(rounds):
            for name, worker in workers.items():
                pauses[name].append(1000 * worker.measure("download", job, True).get("pause", 0))
    return [
        Row(
            f"{what}: {label}",
            (
                *(_throughput(taken[name], taken[BASIS], unit) for unit in ("seconds", "cpu")),
                Figure.of([one["grown"] for one in taken[name]]),
                Figure.of(pauses[name]) if any(pauses[name]) else None,
            ),
        )
        for name, label in PROGRAMS.items()
    ]


def _throughput(ours: list[dict[str, float]], basis: list[dict[str, float]], unit: str) -> Figure:
    return ratios([one[unit] for one in basis], [one[unit] for one in ours])


if __name__ == "__main__":
    pin(1)
    is_quick = "--quick" in sys.argv
    table = measure(2 if is_quick else 11, LARGE // 4 if is_quick else LARGE)
    print(table.description)
    for row in table.rows:
        shown = (f"{column} {figure or '-'}" for column, figure in zip(table.columns, row.figures, strict=True))
        print(f"{row.label}: {', '.join(shown)}")
