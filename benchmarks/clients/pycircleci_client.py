"""pycircleci-async: the other async client of CircleCI."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .base import TOKEN, BaseClient

pycircleci_async: Any = import_module("pycircleci_async")


class Client(BaseClient):
    """Its method for the same operation, which returns dicts."""

    def __init__(self, url: str) -> None:
        self._client = pycircleci_async.CircleCIClient(token=TOKEN, url=f"{url}/api")

    async def page(self, project: str) -> int:
        return len(await self._client.get_project_pipelines("acme", project))

    async def listing(self, project: str) -> int:
        count = 0
        for item in await self._client.get_project_pipelines("acme", project, paginate=True):
            count += item["number"] >= 0
        return count

    async def aclose(self) -> None:
        await self._client.__aexit__(None, None, None)
