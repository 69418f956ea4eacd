"""circleci_sdk with its defaults."""

from __future__ import annotations

from benchmarks.clients.base import TOKEN
from circleci_sdk import CircleCI

from .base import BaseClient


class Client(BaseClient):
    """One `CircleCI`."""

    def __init__(self, url: str) -> None:
        self._client = CircleCI(TOKEN, base_url=url)

    def page(self, project: str) -> int:
        return len(self._client.v2.pipelines.list_for_project(f"gh/acme/{project}").page().items)

    def listing(self, project: str) -> int:
        count = 0
        for pipeline in self._client.v2.pipelines.list_for_project(f"gh/acme/{project}"):
            count += pipeline.number >= 0
        return count

    def close(self) -> None:
        self._client.close()
