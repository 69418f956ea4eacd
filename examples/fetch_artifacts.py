"""Download the artifacts of a job by its number, or those of the newest successful run.

    CIRCLECI_TOKEN=... python examples/fetch_artifacts.py gh/acme/web dist --branch main --job package
    CIRCLECI_TOKEN=... python examples/fetch_artifacts.py gh/acme/web dist --number 4711 --match '*.xml'

Files go to <folder>/<job number>/<parallel run>/<path>. Run it again after a failure: it downloads the missing files.
What cannot be read or downloaded does not stop the rest; it is printed at the end, and the program exits with 1.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from circleci_sdk import UNSET, AsyncCircleCI, CircleCIError, printable
from circleci_sdk.helpers import DownloadedArtifact, Skipped


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What to download, and where to."""
    parser = argparse.ArgumentParser(description="Download the artifacts of a job.")
    parser.add_argument("project", help="such as gh/acme/web")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, help="number of a job; default: the newest successful run")
    parser.add_argument("--branch", default=UNSET)
    parser.add_argument("--workflow", default=UNSET)
    parser.add_argument("--job", default=UNSET, help="only jobs of this name")
    parser.add_argument("--match", action="append", help="a pattern such as '*.xml' or 'coverage/**'; repeatable")
    return parser.parse_args(words)


def log(file: DownloadedArtifact) -> None:
    """One line for each file."""
    print(printable(f"{file.path}  {'exists already' if file.skipped else f'{file.size:,} bytes'}"))


async def fetch(circleci: AsyncCircleCI, asked: argparse.Namespace) -> tuple[int, list[Skipped]]:
    """Download the files; returns their number, and what was passed over.

    A folder per job number keeps the files of an older run apart.
    """
    numbers = [asked.number]
    skipped: list[Skipped] = []
    if asked.number is None:
        latest = await circleci.artifacts.latest(
            asked.project, branch=asked.branch, workflow=asked.workflow, job=asked.job
        )
        if latest is None:
            raise SystemExit("There is no run that matches and succeeded.")
        numbers = [job.number for job in latest.jobs]
        skipped += latest.skipped
    count = 0
    for number in numbers:
        folder = asked.folder / str(number)
        report = await circleci.artifacts.download(
            asked.project, number, folder, match=asked.match or UNSET, overwrite="skip", on_file=log
        )
        count += len(report.files)
        skipped += report.skipped
    return count, skipped


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            count, skipped = await fetch(circleci, asked)
    except (CircleCIError, OSError) as error:
        sys.exit(str(error))
    print(f"{count} files")
    if skipped:
        sys.exit("\n".join(f"not downloaded: {one}" for one in skipped))


if __name__ == "__main__":
    anyio.run(main)
