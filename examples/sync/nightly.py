"""Start the nightly run, once: `python nightly.py gh/acme/web main nightly`. Needs CIRCLECI_TOKEN.

The third argument is a boolean parameter and its workflow. Start it at will: it starts one run in twelve hours.
"""

import sys
from datetime import UTC, datetime, timedelta

from circleci_sdk import CallError, CircleCI, CircleCIError, printable


def find(circleci: CircleCI, project: str, branch: str, name: str) -> str | None:
    """The run of this night. A pipeline that has no workflows yet may be it."""
    for pipeline in circleci.v2.pipelines.list_for_project(project, branch=branch):
        if pipeline.created_at < datetime.now(UTC) - timedelta(hours=12):
            break
        if pipeline.trigger.type != "webhook":
            names = [workflow.name for workflow in circleci.v2.pipelines.list_workflows(pipeline.id)]
            if not names or name in names:
                return pipeline.id
    return None


def main(*words: str) -> str:
    """Start it, unless it is there; returns the id of its pipeline."""
    project, branch, name = words
    with CircleCI() as circleci:
        try:
            return find(circleci, *words) or circleci.runs.start(project, branch=branch, parameters={name: True}).id
        except CallError as error:
            if error.request_outcome == "unknown" and (run := find(circleci, *words)):
                return run
            raise


if __name__ == "__main__":
    try:
        print(printable(main(*sys.argv[1:]))) if len(sys.argv) == 4 else sys.exit(__doc__)
    except CircleCIError as error:
        sys.exit(str(error))
