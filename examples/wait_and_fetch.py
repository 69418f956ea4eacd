"""Wait for the end of a run, then download the artifacts of its jobs: for release scripts.

    CIRCLECI_TOKEN=... python examples/wait_and_fetch.py 5034460f-c7c4-4c43-9457-de07e2029e7b dist --match '*.zip'

Files go to <folder>/<job number>/<parallel run>/<path>. Run it again after a failure: it downloads the missing files.
It exits with 0 only if the run has succeeded and every file is complete.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from circleci_sdk import UNSET, AsyncCircleCI, CircleCIError, printable
from circleci_sdk.helpers import Skipped


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Which run, and where to."""
    parser = argparse.ArgumentParser(description="Wait for a run and download its artifacts.")
    parser.add_argument("pipeline", help="the id of a pipeline")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--match", action="append", help="a pattern such as '*.zip' or 'dist/**'; repeatable")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds to wait for the run")
    return parser.parse_args(words)


async def fetch(circleci: AsyncCircleCI, asked: argparse.Namespace) -> list[Skipped]:
    """Wait, download and print the files; returns what could not be downloaded."""
    run = circleci.runs.attach(asked.pipeline)
    result = await run.wait(timeout=asked.timeout)
    if not result.is_success:
        sys.exit(result.describe())
    skipped: list[Skipped] = []
    for job in await run.jobs():
        if job.number is None:  # an approval, or a job that has never started
            continue
        folder = asked.folder / str(job.number)
        report = await circleci.artifacts.download(
            job.project_slug, job.number, folder, match=asked.match or UNSET, overwrite="skip"
        )
        for file in report:
            print(printable(f"{file.path}  {file.size:,} bytes"))
        skipped += report.skipped
    return skipped


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            skipped = await fetch(circleci, asked)
    except (CircleCIError, OSError) as error:
        sys.exit(str(error))
    if skipped:
        sys.exit("\n".join(f"not downloaded: {one}" for one in skipped))


if __name__ == "__main__":
    anyio.run(main)
