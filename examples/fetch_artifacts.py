"""Fetch what a job has left behind: by its number, or of the newest run that ended well.

    CIRCLECI_TOKEN=... python examples/fetch_artifacts.py gh/acme/web dist --branch main --job package
    CIRCLECI_TOKEN=... python examples/fetch_artifacts.py gh/acme/web dist --number 4711 --match '*.xml'

Files go to <folder>/<job number>/<parallel run>/<path>. Run it again after a failure: it fetches what is missing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import DownloadedArtifact


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """What to fetch, and where to."""
    parser = argparse.ArgumentParser(description="Fetch the artifacts of a job.")
    parser.add_argument("project", help="such as gh/acme/web")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--number", type=int, help="of a job; without it the newest run that ended well")
    parser.add_argument("--branch")
    parser.add_argument("--workflow")
    parser.add_argument("--job", help="only jobs of this name")
    parser.add_argument("--match", action="append", help="a pattern such as '*.xml' or 'coverage/**'; may be repeated")
    return parser.parse_args(given)


def say(file: DownloadedArtifact) -> None:
    """One line for each file."""
    print(f"{file.path}  {'was there' if file.kept else f'{file.size:,} bytes'}")


async def fetch(circleci: AsyncCircleCI, wanted: argparse.Namespace) -> int:
    """Fetch it; gives the number of files."""
    numbers: list[int] = [wanted.number]
    if wanted.number is None:
        latest = await circleci.artifacts.latest(
            wanted.project, branch=wanted.branch, workflow=wanted.workflow, job=wanted.job
        )
        if latest is None:
            raise SystemExit("There is no such run that ended well.")
        print(f"Pipeline {latest.pipeline.number}, workflow {latest.workflow.name}")
        numbers = [job.number for job in latest.jobs if job.artifacts]
    count = 0
    for number in numbers:
        files = await circleci.artifacts.download(
            wanted.project,
            number,
            wanted.folder / str(number),
            match=wanted.match,
            overwrite="skip",
            on_file=say,
        )
        count += len(files)
    return count


async def main(given: Sequence[str] | None = None) -> None:
    """Fetch it with the token of the environment."""
    wanted = arguments(given)
    try:
        async with AsyncCircleCI() as circleci:
            print(f"{await fetch(circleci, wanted)} files")
    except (CircleCIError, FileExistsError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    anyio.run(main)
