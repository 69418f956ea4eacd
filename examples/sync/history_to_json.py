"""The history of a project, one JSON object on each line: `python history_to_json.py gh/acme/web 30 >> history.jsonl`.

It goes back so many days, newest first. The objects are pipelines, workflows and jobs; replace those with the same id.
When it is interrupted (Ctrl+C) or stops with an error, it prints a cursor: add it as the third argument to resume.
Needs CIRCLECI_TOKEN.
"""

import json
import shlex
import sys
from datetime import UTC, datetime, timedelta

from circleci_sdk import CircleCI, CircleCIError


def main(project: str, days: str, cursor: str | None = None) -> None:
    """Print the records."""
    since = datetime.now(UTC) - timedelta(days=float(days))
    with CircleCI() as circleci:
        records = circleci.history.records(project, since=since, cursor=cursor)
        try:
            for record in records:
                print(json.dumps({"kind": record.kind, **record.as_dict()}, default=str), flush=True)
        except (CircleCIError, KeyboardInterrupt) as error:
            reason = str(error) or "Interrupted."
            sys.exit(f"{reason}\nTo resume, add the argument {shlex.quote(records.cursor)}")
        for one in records.skipped:
            print(f"not read: {one}", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except CircleCIError as error:
        sys.exit(str(error))
    except (ValueError, OverflowError) as error:
        sys.exit(f"Expected a number of days such as 30: {error}.")
