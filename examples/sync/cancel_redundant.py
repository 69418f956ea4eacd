"""Cancel what runs or waits on a branch for older commits: `python cancel_redundant.py gh/acme/web main`.

The newest pipeline is kept; with the id of a pipeline as the third argument, that one and all newer ones. In a job that
id is `<< pipeline.id >>`. Exit code: 1 if something may still run. Needs CIRCLECI_TOKEN.
"""

import sys

from circleci_sdk import CircleCI, CircleCIError, printable


def main(project: str, branch: str, keep: str = "newest") -> None:
    """Cancel the workflows, one line of output for each."""
    with CircleCI() as circleci:
        report = circleci.runs.cancel_redundant(project, branch, keep=keep, max_pipelines=100)
    for one in report.results:
        name = getattr(one, "workflow_name", one.workflow_id)
        print(printable(f"{name} of pipeline {one.pipeline_number}: {one.outcome}"), flush=True)
    report.raise_for_failure()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except CircleCIError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted. Start it again to cancel the rest.")
