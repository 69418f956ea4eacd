"""Raw requests to v3 of a fake, with checks of their responses against the table of its operations."""

from __future__ import annotations

import json
from typing import Any

import httpx

from circleci_sdk import v3
from circleci_sdk.testing import FakeCircleCI
from tests.testing.strict_v3 import differences, row_of

OPERATIONS = {each.label: each for each in v3.OPERATIONS.values()}


class V3:
    """Raw requests to v3. Each success is checked; the JSON of a response is returned."""

    def __init__(self, fake: FakeCircleCI) -> None:
        self.fake = fake

    async def get(self, path: str, **query: object) -> Any:
        """The JSON of a success. `org_id=x` is sent as `filter[org_id]=x`, `page__limit=x` as `page[limit]=x`."""
        response = await self.send("GET", path, query=_wire(query))
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: object, status: int = 200, **query: object) -> Any:
        """The JSON of a success; None without a body."""
        response = await self.send("POST", path, body, query=_wire(query))
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def delete(self, path: str, **query: object) -> None:
        response = await self.send("DELETE", path, query=_wire(query))
        assert response.status_code == 204, response.text

    async def refused(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, dict[str, Any]]:
        """The status and the error of a failure, without its id."""
        response = await self.send(method, path, body, query=_wire(query))
        error = response.json()["error"]
        assert error.pop("id")
        return response.status_code, error

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.fake.token}"} if headers is None else headers
        async with httpx.AsyncClient(transport=self.fake.transport(), base_url="https://circleci.com/api/v3") as http:
            response = await http.request(method, path, content=content, params=query, headers=sent)
        label = self.fake.requests[-1].operation
        if response.status_code < 300 and label is not None:
            operation = OPERATIONS[label]
            assert differences(row_of(operation.method, operation.path), response.content) == []
        return response


def _wire(query: dict[str, object]) -> dict[str, str]:
    return {_name(name): str(value) for name, value in query.items()}


def _name(name: str) -> str:
    outer, _, inner = name.rpartition("__")
    return name if name in ("order_by", "include") else f"{outer or 'filter'}[{inner.removesuffix('_')}]"
