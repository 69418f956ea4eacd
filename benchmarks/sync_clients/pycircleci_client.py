"""pycircleci: the client of CircleCI that most programs use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benchmarks.clients.base import TOKEN

from .base import BaseClient

api: Any = import_module("pycircleci.api")


class Client(BaseClient):
    """Its method for the same operation, which returns dicts."""

    def __init__(self, url: str) -> None:
        self._client = api.Api(TOKEN, f"{url}/api")

    def page(self, project: str) -> int:
        return len(self._client.get_project_pipelines("acme", project))

    def listing(self, project: str) -> int:
        count = 0
        for item in self._client.get_project_pipelines("acme", project, paginate=True):
            count += item["number"] >= 0
        return count

    def close(self) -> None:
        self._client._session.close()
