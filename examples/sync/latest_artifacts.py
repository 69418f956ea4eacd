"""Download the artifacts of the newest successful run: `python latest_artifacts.py gh/acme/web main dist '*.whl'`.

Files go to <folder>/<job>/<parallel run>/<path> and replace those of an older run. The pattern may be left out; then it
is all files. Exit code: 1 when there is no such run, or a file is missing. Needs CIRCLECI_TOKEN.
"""

import sys

from circleci_sdk import CircleCI, CircleCIError, printable
from circleci_sdk.helpers import DownloadedArtifact


def log(file: DownloadedArtifact) -> None:
    """One line for each file."""
    print(printable(f"{file.path}  {file.size:,} bytes"), flush=True)


def main(project: str, branch: str, folder: str, pattern: str = "**") -> None:
    """Download them."""
    with CircleCI() as circleci:
        report = circleci.artifacts.download_latest(
            project, folder, branch=branch, match=pattern, overwrite=True, on_file=log
        )
    if report is None:
        sys.exit(f"{project} has no successful run on {branch}.")
    print(f"{len(report)} files")
    report.raise_for_failure()


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except (CircleCIError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted. Complete files stay.")
