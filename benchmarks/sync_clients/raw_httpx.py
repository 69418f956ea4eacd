"""Raw httpx: what a script without a client library does."""

from __future__ import annotations

from typing import Any

import httpx

from benchmarks.clients.base import TOKEN

from .base import BaseClient


class Client(BaseClient):
    """One `httpx.Client` with its default pool."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(headers={"Circle-Token": TOKEN})

    def get(self, project: str, params: dict[str, str] | None = None) -> httpx.Response:
        """The response to one call."""
        return self._client.get(f"{self._url}/api/v2/project/gh/acme/{project}/pipeline", params=params)

    def page(self, project: str) -> int:
        return len(self.get(project).json()["items"])

    def listing(self, project: str) -> int:
        count, params = 0, None
        while True:
            page: Any = self.get(project, params).json()
            for item in page["items"]:
                count += item["number"] >= 0
            if not page["next_page_token"]:
                return count
            params = {"page-token": page["next_page_token"]}

    def close(self) -> None:
        self._client.close()
