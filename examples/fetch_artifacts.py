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

from circleci_sdk import UNSET, AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import DownloadedArtifact


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
    print(f"{file.path}  {'exists already' if file.skipped else f'{file.size:,} bytes'}")


async def fetch(circleci: AsyncCircleCI, asked: argparse.Namespace) -> int:
    """Download the files; returns their number."""
    match = asked.match or UNSET
    if asked.number is not None:
        files = await circleci.artifacts.download(
            asked.project, asked.number, asked.folder, match=match, overwrite="skip", on_file=log
        )
        return len(files)
    latest = await circleci.artifacts.download_latest(
        asked.project,
        asked.folder,
        branch=asked.branch,
        workflow=asked.workflow,
        job=asked.job,
        match=match,
        overwrite="skip",
        on_file=log,
    )
    if latest is None:
        raise SystemExit("There is no run that matches and succeeded.")
    return len(latest)


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            print(f"{await fetch(circleci, asked)} files")
    except (CircleCIError, FileExistsError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    anyio.run(main)
