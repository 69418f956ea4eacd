"""Download the wheels that CircleCI has built from a commit, as soon as all of them are built.

    CIRCLECI_TOKEN=... python examples/wheels_of_commit.py gh/acme/web ca67134f650e362133e51a9ffdb8e5ddc7fa53a5 dist

Wheels go to <folder>/<job number>/<parallel run>/<path>. The program waits up to five minutes for a run of the commit,
and an hour for its end. It exits with 0 only if the run has succeeded and every wheel is complete.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError, printable
from circleci_sdk.helpers import Run


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Which wheels, and where to."""
    parser = argparse.ArgumentParser(description="Download the wheels of a commit.")
    parser.add_argument("project", help="such as gh/acme/web")
    parser.add_argument("commit", help="its SHA, or at least the first 7 digits")
    parser.add_argument("folder", type=Path)
    return parser.parse_args(words)


async def find(circleci: AsyncCircleCI, project: str, commit: str) -> Run:
    """The newest run of the commit, which may not exist yet."""
    with anyio.move_on_after(300):
        while True:
            run = await circleci.runs.find(project, revision=commit)
            if run is not None:
                return run
            await anyio.sleep(10)
    sys.exit(f"{project} has no run of {commit}.")


async def fetch(circleci: AsyncCircleCI, run: Run, folder: Path) -> int:
    """Wait, and download the wheels; returns their number."""
    result = await run.wait(timeout=3600)
    if not result.is_success:
        sys.exit(result.describe())
    count = 0
    for job in await run.jobs():
        if job.number is not None:
            report = await circleci.artifacts.download(
                job.project_slug, job.number, folder / str(job.number), match="*.whl", overwrite="skip"
            )
            report.raise_for_failure()
            count += len(report)
            for wheel in report:
                print(printable(str(wheel.path)))
    return count


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            count = await fetch(circleci, await find(circleci, asked.project, asked.commit), asked.folder)
    except (CircleCIError, OSError) as error:
        sys.exit(str(error))
    if not count:
        sys.exit("The run has built no wheels.")


if __name__ == "__main__":
    anyio.run(main)
