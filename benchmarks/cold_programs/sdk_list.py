import asyncio
import sys

from circleci_sdk import AsyncCircleCI


async def main() -> None:
    async with AsyncCircleCI("token", base_url=sys.argv[1]) as circleci:
        [pipeline] = await circleci.v2.pipelines.list_for_project("gh/acme/web").take(1)
        assert pipeline.number == 1


asyncio.run(main())
