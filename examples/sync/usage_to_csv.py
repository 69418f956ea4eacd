"""What each run of each job has cost, as CSV: `python usage_to_csv.py gh/acme 2026-01-01 2026-02-01 usage.csv`.

The end is not part of the period. CircleCI takes some minutes for each month. Needs CIRCLECI_TOKEN.
"""

import csv
import sys
from datetime import date
from pathlib import Path

from circleci_sdk import CircleCI, CircleCIError

COLUMNS = ("job_run_started_at", "project_name", "workflow_name", "job_name", "resource_class", "total_credits")


def main(org: str, start: date, end: date, path: Path) -> None:
    """Write the rows as they come: they may be millions."""
    with CircleCI() as circleci, path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        with circleci.usage.rows(org, start, end) as rows:
            for row in rows:
                writer.writerow([getattr(row, name, None) for name in COLUMNS])
            rows.raise_for_failure()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], date.fromisoformat(sys.argv[2]), date.fromisoformat(sys.argv[3]), Path(sys.argv[4]))
    except (CircleCIError, OSError) as error:
        sys.exit(str(error))
    except ValueError as error:
        sys.exit(f"Expected dates such as 2026-01-31: {error}.")
    except KeyboardInterrupt:
        sys.exit("Interrupted. The file is not complete.")
