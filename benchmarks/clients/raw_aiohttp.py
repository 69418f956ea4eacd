"""Raw aiohttp: a parser in C, asyncio only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .base import TOKEN, BaseClient

aiohttp: Any = import_module("aiohttp")


class Client(BaseClient):
    """One `aiohttp.ClientSession`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(headers={"Circle-Token": TOKEN})

    async def _get(self, project: str, params: dict[str, str] | None = None) -> Any:
        async with self._session.get(
            f"{self._url}/api/v2/project/gh/acme/{project}/pipeline", params=params
        ) as response:
            return await response.json()

    async def page(self, project: str) -> int:
        response = await self._get(project)
        return len(response["items"])

    async def listing(self, project: str) -> int:
        count, params = 0, None
        while True:
            response = await self._get(project, params)
            for item in response["items"]:
                count += item["number"] >= 0
            if not response["next_page_token"]:
                return count
            params = {"page-token": response["next_page_token"]}

    async def aclose(self) -> None:
        await self._session.close()
