"""githubkit, with the benchmark server as its base URL."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pydantic import BaseModel

from .base import TOKEN, BaseClient
from .models import page_model

githubkit: Any = import_module("githubkit")
PAGE: Any = page_model(BaseModel)


class Client(BaseClient):
    """`GitHub.arequest` with a model, which is what its generated methods call."""

    def __init__(self, url: str) -> None:
        self._client = githubkit.GitHub(TOKEN, base_url=f"{url}/api/v2/", http_cache=False)

    async def _get(self, project: str, params: dict[str, str] | None) -> Any:
        path = f"/project/gh/acme/{project}/pipeline"
        return (await self._client.arequest("GET", path, params=params, response_model=PAGE)).parsed_data

    async def start(self) -> None:
        await self._client.__aenter__()  # otherwise each call opens a new connection

    async def page(self, project: str) -> int:
        return len((await self._get(project, None)).items)

    async def listing(self, project: str) -> int:
        count, params = 0, None
        while True:
            page = await self._get(project, params)
            for item in page.items:
                count += item.number >= 0
            if not page.next_page_token:
                return count
            params = {"page-token": page.next_page_token}

    async def aclose(self) -> None:
        await self._client.__aexit__(None, None, None)
