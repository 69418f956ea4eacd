"""Raw HTTP requests to a fake, for requests that the SDK does not make."""

from __future__ import annotations

import json
from typing import Any

import httpx

from circleci_sdk.testing import FakeCircleCI


class Raw:
    """Raw HTTP requests."""

    def __init__(self, fake: FakeCircleCI) -> None:
        self.fake = fake

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        headers = {"Circle-Token": self.fake.token, **options.pop("headers", {})}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if content is not None:
            headers.setdefault("Content-Type", "application/json")
        async with httpx.AsyncClient(transport=self.fake.transport(), base_url="https://circleci.com/api") as http:
            return await http.request(method, path, content=content, headers=headers, **options)
