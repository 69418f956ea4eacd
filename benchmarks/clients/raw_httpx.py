"""Raw httpx: the basis of all ratios."""

from __future__ import annotations

from typing import Any

import httpx

from .base import TOKEN, BaseClient


class Client(BaseClient):
    """One `httpx.AsyncClient` with its default pool of a hundred connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
        self._client = httpx.AsyncClient(limits=limits, headers={"Circle-Token": TOKEN})

    async def _get(self, project: str, params: dict[str, str] | None = None) -> Any:
        response = await self._client.get(f"{self._url}/api/v2/project/gh/acme/{project}/pipeline", params=params)
        return response.json()

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
        await self._client.aclose()
