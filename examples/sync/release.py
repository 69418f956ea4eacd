"""Start a pipeline and wait for its end: `python release.py gh/acme/web main image-tag=4.8.2`. Needs CIRCLECI_TOKEN.

After the branch come pipeline parameters, as strings. Exit code: 0 for success, 1 for any other end of the run, 2 when
it cannot be started or observed.
"""

import sys

from circleci_sdk import UNSET, CircleCI, CircleCIError, printable


def main(project: str, branch: str, *parameters: str) -> int:
    """Start it and wait; returns the exit code."""
    values = {name: value for name, _, value in (text.partition("=") for text in parameters)}
    if not all("=" in text for text in parameters):
        return fail("Expected parameters such as image-tag=4.8.2.")
    state = "Look whether there is a run before you retry."
    try:
        with CircleCI() as circleci:
            run = circleci.runs.start(project, branch=branch, parameters=values or UNSET)
            where = printable(run.url or run.id)
            state = f"The run continues: {where}"
            print(f"Started {where}", flush=True)
            result = run.wait(timeout=3600)
    except CircleCIError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return fail(f"Interrupted. {state}")
    print(result.describe())
    return 0 if result.is_success else 1


def fail(why: str) -> int:
    """Print why there is no result."""
    print(why, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if sys.argv[2:] else __doc__)
