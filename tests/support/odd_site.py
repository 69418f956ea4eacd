"""An API of a few fixed responses, one of which may be changed: for helpers that meet odd responses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from circleci_sdk import AsyncCircleCI
from tests.support.clients import TOKEN
from tests.support.clock import FakeClock, clock_of
from tests.support.mutations import Json, Mutation, encoded

URL: Final = "https://circleci.com"
END: Final[dict[str, Any]] = {"items": [], "next_page_token": None}


@dataclass(frozen=True)
class Site:
    """The bodies of responses by path. Any page but the first is empty; any other path is 404."""

    bodies: Mapping[str, Json]

    def changed(self, path: str, mutation: Mutation) -> Site:
        """The same with one response changed."""
        return Site({**self.bodies, path: mutation.apply(self.bodies[path])})

    def respond(self, request: httpx.Request) -> httpx.Response:
        body = self.bodies.get(request.url.path)
        if body is None:
            return httpx.Response(404, json={"message": "Not found."})
        if "page-token" in request.url.params:
            body = END
        return httpx.Response(200, content=encoded(body), headers={"content-type": "application/json"})

    def client(self, clock: FakeClock | None = None, **options: Any) -> AsyncCircleCI:
        """A client of it, in process: sockets would take most of the time of thousands of runs."""
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.respond))
        with clock_of(clock or FakeClock()):
            return AsyncCircleCI(TOKEN, base_url=URL, http_client=http, **options)
