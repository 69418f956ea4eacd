"""The logs of the failed jobs of the newest run: `python failed_logs.py gh/acme/web main`. Needs CIRCLECI_TOKEN.

It prints the last 100 lines of each failed step. Exit code: 0 when nothing has failed, 1 when something has, or when it
cannot be read.
"""

import sys

from circleci_sdk import CircleCI, CircleCIError, printable


def main(project: str, branch: str) -> int:
    """Print the logs; returns the exit code."""
    with CircleCI() as circleci:
        run = circleci.runs.latest(project, branch=branch)
        if run is None:
            sys.exit(f"{project} has no run on {branch}.")
        result = run.result()
        print(result.describe())
        for job in result.failed_jobs:
            number = getattr(job, "number", None)
            if number is None:  # it has never started
                continue
            for log in circleci.logs.failed(project, number, tail=100):
                name = getattr(log.step, "name", "a step")
                print(printable(f"== {getattr(job, 'name', 'a job')}: {name}, parallel run {log.step.index}"))
                print(printable(log.problem or log.text, lines=True))
        return 1 if result.failed_jobs else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        sys.exit(main(*sys.argv[1:]))
    except CircleCIError as error:
        sys.exit(str(error))
