"""Run the benchmarks: `python -m benchmarks [--quick] [NAME ...]`.

All of them write `benchmarks/results/`; some of them, given by name, print their figures only.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from . import calls, cold, crawl, decoding, distance, downloads, generator, listing, memory, starts, typecheck, wheel
from .plot import chart
from .report import budget_grid, markdown
from .serving import pin, running
from .stats import Figure
from .tables import Budget, Report, Run

RESULTS: Final = Path(__file__).parent / "results"
FIGURES: Final = RESULTS / "figures.json"
"""The measured budgets of the last whole run: the column "before" of the next one."""
MEASUREMENTS: Final[dict[str, Callable[[Run], Report]]] = {
    "cold": cold.report,
    "downloads": downloads.report,
    "distance": distance.report,
    "calls": calls.report,
    "starts": starts.report,
    "decoding": decoding.report,
    "memory": memory.report,
    "typecheck": typecheck.report,
    "listing": listing.report,
    "crawl": crawl.report,
    "wheel": wheel.report,
}
PACKAGES: Final = (
    *("httpx", "httpx2", "httpx-aiohttp", "anyio", "pydantic", "trio", "aiohttp", "openai", "githubkit"),
    *("pycircleci", "pycircleci-async", "datamodel-code-generator", "pyright", "mypy", "pyrefly"),
)


def main(names: Collection[str], *, quick: bool) -> None:
    """Run the named measurements sequentially, or all of them."""
    if unknown := sorted(set(names) - set(MEASUREMENTS)):
        sys.exit(f"Unknown: {', '.join(unknown)}. Known: {', '.join(MEASUREMENTS)}.")
    pin(1)
    with tempfile.TemporaryDirectory() as folder, running() as url:
        # Child processes import the generated client from this folder, and the package from where this one does.
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # users import compiled modules
        sys.path.insert(0, folder)
        run = Run(url, quick)
        if failure := generator.generate(Path(folder)):
            run.notes.append(f"Generating the client failed: {failure}")
        reports = {name: _measured(name, run) for name in names or MEASUREMENTS}
    if names:
        print(budget_grid(_budgets(reports.values()), _before()))
    else:
        _write(reports, run)


def _measured(name: str, run: Run) -> Report:
    started = time.monotonic()
    report = MEASUREMENTS[name](run)
    failures = [failure for table in report.tables for failure in table.failures]
    print(f"{name}: {time.monotonic() - started:.0f} s", *failures, sep="\n  ", flush=True)
    return report


def _write(reports: dict[str, Report], run: Run) -> None:
    budgets = _budgets(reports.values())
    tables = [table for report in reports.values() for table in report.tables]
    RESULTS.mkdir(exist_ok=True)
    text = markdown(budgets, _before(), tables, [_machine(), *run.notes])
    (RESULTS / "README.md").write_text(text)
    (RESULTS / "calls.svg").write_text(chart(reports["calls"].tables[:2]))
    figures = {each.name: each.measured for each in budgets if each.measured}
    FIGURES.write_text(json.dumps({name: figure.values() for name, figure in figures.items()}, indent=1) + "\n")
    print(budget_grid(budgets, {}))


def _budgets(reports: Collection[Report]) -> Sequence[Budget]:
    return [budget for report in reports for budget in report.budgets]


def _before() -> dict[str, Figure]:
    if not FIGURES.exists():
        return {}
    return {name: Figure(*values) for name, values in json.loads(FIGURES.read_text()).items()}


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
    arguments = sys.argv[1:]
    main([name for name in arguments if name != "--quick"], quick="--quick" in arguments)
