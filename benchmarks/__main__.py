"""Run all benchmarks and write `benchmarks/results/`: `python -m benchmarks`, or `--quick` for fewer rounds."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from . import calls, crawl, decoding, generator, listing, memory, starts, typecheck
from .plot import chart
from .report import markdown
from .server import pin, running
from .stats import Figure
from .tables import Budget, Table

RESULTS: Final = Path(__file__).parent / "results"
PACKAGES: Final = (
    *("httpx", "httpx2", "httpx-aiohttp", "anyio", "pydantic", "trio", "aiohttp", "openai", "githubkit"),
    *("pycircleci", "pycircleci-async", "datamodel-code-generator", "pyright", "mypy"),
)


def main(*, quick: bool) -> None:
    """Run all measurements sequentially."""
    pin(1)
    with tempfile.TemporaryDirectory() as folder, running() as url:
        # Child processes import the generated client from this folder.
        os.environ["PYTHONPATH"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users import compiled modules
        sys.path.insert(0, folder)
        failure = generator.generate(Path(folder))
        on_asyncio = _done(calls.measure(url, "asyncio", 2 if quick else 11))
        on_trio = _done(calls.measure(url, "trio", 2 if quick else 11))
        on_threads = _done(calls.measure_sync(url, 2 if quick else 11))
        started = _done(starts.measure(url, 1 if quick else 9))
        decoded = _done(decoding.measure(5 if quick else 25))
        odd = _done(decoding.measure_mismatches(5 if quick else 25))
        sizes = _done(memory.measure(url, 1 if quick else 3))
        checked = _done(typecheck.measure(1 if quick else 3))
        ahead = {backend: listing.measure(url, backend, 1 if quick else 3) for backend in ("asyncio", "trio")}
        crawled = {backend: crawl.measure(url, backend, 1 if quick else 3) for backend in ("asyncio", "trio")}
    find = _finder(on_asyncio, on_trio, on_threads, started, decoded, odd, checked)
    budgets = [
        Budget("`import circleci_sdk`, x importing httpx and pydantic", None, 0.1, find(started, "`import circleci")),
        Budget("client constructed", None, 0.75, find(started, "circleci_sdk: client")),
        Budget("one resource and its models imported", None, 1.3, find(started, "circleci_sdk: one resource")),
        Budget("first completed call", None, 2.2, find(started, "circleci_sdk: first call")),
    ]
    for table, alone, many in ((on_asyncio, 0.95, 2.0), (on_trio, 0.9, 1.5)):
        name = table.title.removeprefix("Calls on ")
        budgets += [
            Budget(f"typed call, one at a time, x raw httpx, {name}", alone, None, find(table, "circleci_sdk", 0)),
            Budget(f"typed call, 50 at once, x raw httpx, {name}", many, None, find(table, "circleci_sdk", 1)),
        ]
    budgets += [
        Budget(
            "typed call without `await`, one at a time, x `httpx.Client` with models",
            0.6,
            None,
            find(on_threads, "circleci_sdk"),
        ),
        Budget("the same, 16 threads", 0.7, None, find(on_threads, "circleci_sdk", 1)),
        Budget("decoding a page, x plain pydantic", None, 1.15, find(decoded, "circleci_sdk")),
        Budget("decoding a large build, x plain pydantic", None, 1.15, find(decoded, "circleci_sdk", 1)),
        Budget("decoding 30 builds with one that does not fit, x all that fit", None, 5, find(odd, "1 with a field")),
        *(_type_budget(checked, index, checker) for index, checker in enumerate(checked.columns)),
    ]
    for backend in ("asyncio", "trio"):
        result = crawled[backend]
        budgets += [
            Budget(f"prefetch of 100 pages, x the plain loop, {backend}", None, 0.6, ahead[backend]),
            Budget(f"crawl under a rate limit: used part of the limit, {backend}", 0.95, None, result.used),
            Budget(f"the same: rejected part of the requests, {backend}", None, 0.01, result.rejected),
        ]
    notes = [_machine(), *([f"Generating the client failed: {failure}"] if failure else [])]
    RESULTS.mkdir(exist_ok=True)
    tables = (on_asyncio, on_trio, on_threads, started, decoded, odd, sizes, checked)
    (RESULTS / "README.md").write_text(markdown(budgets, tables, notes))
    (RESULTS / "calls.svg").write_text(chart((on_asyncio, on_trio)))
    for budget in budgets:
        print(f"{budget.name}: {budget.bound}, measured {budget.measured}, met: {budget.is_met}")


def _done(table: Table) -> Table:
    print(f"{table.title}: measured", *table.failures, sep="\n  ", flush=True)
    return table


def _finder(*tables: Table) -> Callable[..., Figure | None]:
    def find(table: Table, label: str, column: int = 0) -> Figure | None:
        assert table in tables
        return next((row.figures[column] for row in table.rows if row.label.startswith(label)), None)

    return find


def _type_budget(checked: Table, column: int, checker: str) -> Budget:
    """The time of circleci_sdk, relative to the faster of openai and githubkit."""
    others = [row.figures[column] for row in checked.rows if row.label in ("openai", "githubkit")]
    known = [figure for figure in others if figure is not None]
    fastest = min(known, key=lambda figure: figure.middle) if known else None
    ours = fastest and Figure(1 / fastest.middle, 1 / fastest.high, 1 / fastest.low, fastest.rounds)
    return Budget(f"type-checking, x the faster of openai and githubkit, {checker}", None, 1.0, ours)


def _machine() -> str:
    found: list[str] = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"no {name}")
    return (
        f"Python {platform.python_version()} on {platform.system()}, {os.cpu_count()} cores; the server on one, the "
        f"clients on another. With {', '.join(found)}."
    )


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
