import asyncio
import sys

from circleci_sdk import AsyncCircleCI


async def main() -> None:
    async with AsyncCircleCI("token", base_url=sys.argv[1]) as circleci:
        user = await circleci.v2.users.me()
        assert user.login == "ada"


asyncio.run(main())
