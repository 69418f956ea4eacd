import asyncio
import sys

import httpx
from pydantic import BaseModel


class User(BaseModel):
    id: str
    login: str
    name: str
    avatar_url: str | None = None


async def main() -> None:
    async with httpx.AsyncClient(base_url=sys.argv[1], headers={"Circle-Token": "token"}) as client:
        response = await client.get("/api/v2/me")
        response.raise_for_status()
        user = User.model_validate_json(response.content)
        assert user.login == "ada"


asyncio.run(main())
