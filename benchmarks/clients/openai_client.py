"""openai's client, with the benchmark server as its base URL: the best known generated SDK."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .base import TOKEN, BaseClient
from .models import page_model

openai: Any = import_module("openai")
PAGE: Any = page_model(import_module("openai._models").BaseModel)


class Client(BaseClient):
    """`AsyncOpenAI.get`, which is what its generated methods call."""

    def __init__(self, url: str) -> None:
        self._client = openai.AsyncOpenAI(api_key=TOKEN, base_url=f"{url}/api/v2")

    async def _get(self, project: str, params: dict[str, str]) -> Any:
        path = f"/project/gh/acme/{project}/pipeline"
        return await self._client.get(path, cast_to=PAGE, options={"params": params})

    async def page(self, project: str) -> int:
        return len((await self._get(project, {})).items)

    async def listing(self, project: str) -> int:
        count, params = 0, dict[str, str]()
        while True:
            page = await self._get(project, params)
            for item in page.items:
                count += item.number >= 0
            if not page.next_page_token:
                return count
            params = {"page-token": page.next_page_token}

    async def aclose(self) -> None:
        await self._client.close()
