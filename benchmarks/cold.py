"""Cold start: a fresh process that makes one typed call over HTTPS, beside httpx with one plain pydantic model.

`python -m benchmarks.cold` measures it alone. The programs are in `cold_programs/`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from .https_server import LATENCY, running
from .serving import pin
from .stats import Figure, ratios
from .tables import Budget, Report, Row, Run, Table

ME: Final = "`v2.users.me()`"
LIST: Final = "`v2.pipelines.list_for_project(...).take(1)`"
_OBSTACLE: Final = "the sync client runs the async one; asyncio and anyio alone are 0.19 of one with `httpx.Client`"
_FOLDER: Final = Path(__file__).parent / "cold_programs"
# httpx and httpcore import these four if they are installed; most users have none of them.
_RUN: Final = (
    "import sys; sys.modules.update(dict.fromkeys(('click', 'h2', 'rich', 'trio'))); del sys.argv[0]; "
    "exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))"
)


class Comparison(NamedTuple):
    """Our program, the same with httpx, and with `httpx.AsyncClient` too where ours is a sync one.

    `most` is the budget of processor time. A `far` server responds after `LATENCY`.
    """

    label: str
    ours: str
    plain: str
    plain_async: str
    most: float | None = None
    far: bool = False


COMPARISONS: Final = (
    Comparison(f"{ME}, asyncio", "sdk_me", "plain_me", "plain_me", 1.15),
    Comparison(f"{LIST}, asyncio", "sdk_list", "plain_list", "plain_list", 1.15),
    Comparison(f"{ME}, `CircleCI`", "sdk_me_sync", "plain_me_sync", "plain_me", 1.25),
    Comparison(f"{LIST}, `CircleCI`", "sdk_list_sync", "plain_list_sync", "plain_list", 1.25),
    Comparison(f"far server: {ME}, asyncio", "sdk_me", "plain_me", "plain_me", far=True),
    Comparison(f"far server: {ME}, `CircleCI`", "sdk_me_sync", "plain_me_sync", "plain_me", far=True),
)


class Cost(NamedTuple):
    """What a process cost: seconds of processor time, user and system, and seconds until its end."""

    cpu: float
    wall: float


def report(run: Run) -> Report:
    """Cold start, with its budgets."""
    table = measure(run.rounds(15, 3))
    budgets: list[Budget] = []
    for one in COMPARISONS:
        if one.most is not None:
            name = f"cold start, {one.label}, x httpx."
            budgets.append(Budget(f"{name}AsyncClient", table.figure(one.label, 2), most=one.most))
            if one.plain != one.plain_async:
                budgets.append(Budget(f"{name}Client", table.figure(one.label), None, one.most, _OBSTACLE))
    return Report(budgets, (table,))


def measure(rounds: int) -> Table:
    """Costs of whole processes, relative to the baselines of the same round."""
    programs = [(name, one.far) for one in COMPARISONS for name in (one.plain_async, one.plain, one.ours)]
    costs: dict[tuple[str, bool], list[Cost]] = {program: [] for program in programs}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (urls, certificates):
        for number in range(rounds + 1):  # the first round fills the disk cache
            for name, far in costs:
                cost = cost_of(name, urls[far], certificates)
                if number:
                    costs[name, far].append(cost)
    basis = costs["plain_me", False]
    return Table(
        "Cold start",
        "A fresh process that makes one typed call over HTTPS, from its start to its end, relative to a program with "
        "httpx and one plain pydantic model: `httpx.AsyncClient`, and in the rows of `CircleCI` `httpx.Client`, with "
        "`httpx.AsyncClient` in the last column. Both load the same certificates. `GET /me` with `httpx.AsyncClient` "
        f"takes {Figure.of([1000 * one.cpu for one in basis])} ms of processor time and "
        f"{Figure.of([1000 * one.wall for one in basis])} ms here. A far server responds after {1000 * LATENCY:g} ms. "
        "Lower is better.",
        ("processor time", "time", "processor time, x `AsyncClient`"),
        tuple(Row(one.label, _figures(one, costs)) for one in COMPARISONS),
    )


def _figures(one: Comparison, costs: dict[tuple[str, bool], list[Cost]]) -> tuple[Figure, ...]:
    ours, plain, plain_async = (costs[name, one.far] for name in (one.ours, one.plain, one.plain_async))
    cpu = [cost.cpu for cost in ours]
    return (
        ratios(cpu, [cost.cpu for cost in plain]),
        ratios([cost.wall for cost in ours], [cost.wall for cost in plain]),
        ratios(cpu, [cost.cpu for cost in plain_async]),
    )


def cost_of(program: str, url: str, certificates: Path) -> Cost:
    """Run one program in a fresh process."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN, str(_FOLDER / f"{program}.py"), url],
        env={**kept, "SSL_CERT_FILE": str(certificates)},
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program} failed with {process.returncode}.")
    return Cost(used.ru_utime + used.ru_stime, wall)


if __name__ == "__main__":
    pin(1)
    table = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
    print(table.description)
    for row in table.rows:
        print(f"{row.label}: {', '.join(map(' '.join, zip(table.columns, map(str, row.figures), strict=True)))}")
