"""The client that datamodel-code-generator generates from our spec."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .base import TOKEN, BaseClient

generated: Any = import_module("benchmarks_generated_client")


class Client(BaseClient):
    """Its method for the same operation, with its models."""

    def __init__(self, url: str) -> None:
        self._client = generated.AsyncClient(base_url=f"{url}/api/v2", circle_token=TOKEN)

    async def _get(self, project: str, **more: str) -> Any:
        return await self._client.pipeline.list_pipelines_for_project(project_slug=f"gh/acme/{project}", **more)

    async def page(self, project: str) -> int:
        return len((await self._get(project)).items)

    async def listing(self, project: str) -> int:
        count, more = 0, dict[str, str]()
        while True:
            page = await self._get(project, **more)
            for item in page.items:
                count += item.number >= 0
            if not page.next_page_token:
                return count
            more = {"page_token": page.next_page_token}

    async def aclose(self) -> None:
        await self._client.aclose()
