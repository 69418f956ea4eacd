"""One rate limit for a fleet: many processes share a token, and Redis keeps the limit that they share.

    python shared_rate_limit.py gh/acme/web redis://localhost:6379/0

Start it several times: together, the processes stay below the limit of the token, and when one is refused, all of them
pause. Without Redis each process keeps the limit alone, and the log says so. Needs CIRCLECI_TOKEN, and
the extra `redis`, in a clone `pip install ".[redis]"`.
"""

import argparse
import logging

import anyio

from circleci_sdk import AsyncCircleCI
from circleci_sdk.limiters import RedisRateLimiter


async def count_jobs(circleci: AsyncCircleCI, project: str, pipelines: int) -> int:
    """The number of jobs of the newest pipelines: one call for each pipeline and each workflow, ten at once."""
    count = 0
    tasks = anyio.CapacityLimiter(10)

    async def count_in(pipeline_id: str) -> None:
        nonlocal count
        async with tasks:
            async for workflow in circleci.v2.pipelines.list_workflows(pipeline_id):
                jobs = await circleci.v2.workflows.list_jobs(workflow.id).collect()
                count += len(jobs)  # on a line without `await`: other tasks count meanwhile

    async with anyio.create_task_group() as group:
        for pipeline in await circleci.v2.pipelines.list_for_project(project).take(pipelines):
            group.start_soon(count_in, pipeline.id)
    return count


async def main() -> None:
    """Count the jobs, within the limit that all processes share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project")
    parser.add_argument("redis", help="the URL of Redis or Valkey")
    parser.add_argument("--pipelines", type=int, default=100)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    async with RedisRateLimiter.from_url(options.redis) as limiter, AsyncCircleCI(rate_limiter=limiter) as circleci:
        print(await count_jobs(circleci, options.project, options.pipelines), "jobs")


if __name__ == "__main__":
    anyio.run(main)
