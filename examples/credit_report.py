"""What CI has cost, as a CSV file with one line per organization, project, job and machine, most expensive first.

    CIRCLECI_TOKEN=... python examples/credit_report.py gh/acme 2026-01-01 2026-04-01 credits.csv --shared gh/acme-labs

Other organizations on the same plan are in the same report. The end is not part of the period. CircleCI takes some
minutes for each month. What could not be read is missing in the report; then the program prints it and exits with 1.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError, printable
from circleci_sdk.helpers import UsageProgress, UsageRows

Key = tuple[str, ...]
KEY = ("organization_name", "project_name", "job_name", "resource_class")


@dataclass
class Cost:
    """The usage of all runs of one job."""

    runs: int = 0
    seconds: float = 0.0
    credits: float = 0.0


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The organization, the period and the file."""
    parser = argparse.ArgumentParser(description="Report credits by organization, project, job and machine.")
    parser.add_argument("org", help="such as gh/acme, or the id of an organization")
    parser.add_argument("start", type=date.fromisoformat)
    parser.add_argument("end", type=date.fromisoformat)
    parser.add_argument("file", type=Path)
    parser.add_argument("--shared", action="append", default=[], help="another organization of the plan; repeatable")
    return parser.parse_args(words)


def log(progress: UsageProgress) -> None:
    """One line for each poll."""
    print(printable(f"{progress.window.start:%Y-%m-%d} to {progress.window.last:%Y-%m-%d}: {progress.state}"))


async def add_up(rows: UsageRows) -> dict[Key, Cost]:
    """Read every run of every job, and keep only sums."""
    costs: dict[Key, Cost] = defaultdict(Cost)
    async for row in rows:
        for odd in row.mismatches:  # a cell that does not fit its column is unavailable
            print(printable(f"A cell is left out: {odd.place}: expected {odd.expected}"), file=sys.stderr)
        cost = costs[tuple(getattr(row, name, None) or "" for name in KEY)]
        cost.runs += 1
        cost.seconds += getattr(row, "job_run_seconds", None) or 0.0
        cost.credits += getattr(row, "total_credits", None) or 0.0
    return costs


def write(costs: Mapping[Key, Cost], file: Path) -> None:
    """The report."""
    with file.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["organization", "project", "job", "machine", "runs", "minutes", "credits"])
        for key, cost in sorted(costs.items(), key=lambda item: -item[1].credits):
            writer.writerow([*key, cost.runs, round(cost.seconds / 60, 1), round(cost.credits, 2)])


async def main(words: Sequence[str] | None = None) -> None:
    """Report with the token of the environment."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            rows = circleci.usage.rows(asked.org, asked.start, asked.end, shared_orgs=asked.shared, on_progress=log)
            write(await add_up(rows), asked.file)
            rows.raise_for_failure()
    except CircleCIError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    anyio.run(main)
