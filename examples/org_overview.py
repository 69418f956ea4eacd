"""What runs and waits in an organization, by project: `python org_overview.py gh/acme`. Needs CIRCLECI_TOKEN.

API v3: one call for the organization, one for each 50 projects, and for these one for each status and 20 runs.
"""

import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError


async def main(org: str) -> None:
    """Print the runs that have not ended."""
    now, runs, calls = datetime.now(UTC), defaultdict[str, list[str]](list), list[object]()

    async def count(request: object) -> None:
        calls.append(request)

    try:
        async with AsyncCircleCI(on_request=count) as circleci:
            v3 = circleci.v3
            [found] = await v3.organizations.list(slug=org).collect() or sys.exit(f"{org} is no organization.")
            names = {one.id: one.name async for one in v3.projects.list(org_id=found.id, page_size=50)}
            for ids in (list(names)[at : at + 50] for at in range(0, len(names), 50)):
                for status in ("running", "failing", "on_hold", "queued"):
                    since, only = now - timedelta(days=30), f'pipeline.status == "{status}"'
                    async for run in v3.runs.search(project_ids=ids, from_=since, to=now, filter_expression=only):
                        what = f"{status} since {run.created_at:%F %H:%M}"
                        runs[names[run.project_id]].append(f"  {run.event.vcs and run.event.vcs.branch}: {what}")
    except CircleCIError as error:
        sys.exit(str(error))
    print(*(line for name in sorted(runs) for line in (name, *runs[name])), sep="\n")
    print(f"{sum(map(len, runs.values()))} runs in {len(names)} projects, {len(calls)} calls")


if __name__ == "__main__":
    anyio.run(main, sys.argv[1] if sys.argv[1:] else sys.exit(__doc__))
