"""circleci_sdk with its defaults."""

from __future__ import annotations

from typing import Any

from circleci_sdk import AsyncCircleCI

from .base import TOKEN, BaseClient


class Client(BaseClient):
    """One `AsyncCircleCI`; `options` are passed to its constructor."""

    def __init__(self, url: str, **options: Any) -> None:
        self._client = AsyncCircleCI(TOKEN, base_url=url, **options)

    async def page(self, project: str) -> int:
        return len(await self._client.v2.pipelines.list_for_project(f"gh/acme/{project}"))

    async def listing(self, project: str) -> int:
        count = 0
        async for pipeline in self._client.v2.pipelines.list_for_project(f"gh/acme/{project}"):
            count += pipeline.number >= 0
        return count

    async def aclose(self) -> None:
        await self._client.aclose()
