"""openai's client, with the benchmark server as its base URL: the best known generated SDK."""

from __future__ import annotations

from typing import Any

from benchmarks.clients.base import TOKEN
from benchmarks.clients.openai_client import PAGE, openai

from .base import BaseClient


class Client(BaseClient):
    """`OpenAI.get`, which is what its generated methods call."""

    def __init__(self, url: str) -> None:
        self._client = openai.OpenAI(api_key=TOKEN, base_url=f"{url}/api/v2")

    def _get(self, project: str, params: dict[str, str]) -> Any:
        path = f"/project/gh/acme/{project}/pipeline"
        return self._client.get(path, cast_to=PAGE, options={"params": params})

    def page(self, project: str) -> int:
        return len(self._get(project, {}).items)

    def listing(self, project: str) -> int:
        count, params = 0, dict[str, str]()
        while True:
            page = self._get(project, params)
            for item in page.items:
                count += item.number >= 0
            if not page.next_page_token:
                return count
            params = {"page-token": page.next_page_token}

    def close(self) -> None:
        self._client.close()
