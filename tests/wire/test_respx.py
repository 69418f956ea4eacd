"""respx, a mock of httpx, intercepts our calls: those of our own transport and those of a borrowed client.

`using="httpx"` patches `httpx.AsyncClient`, so it intercepts only calls of a borrowed client.
"""

from __future__ import annotations

from typing import Literal

import httpx
import pytest
import respx

from circleci_sdk import AsyncCircleCI, NotFoundError
from tests.support.clients import CREATED, SLUG, TOKEN, USER

MOCKERS: list[Literal["httpcore", "httpx"]] = ["httpcore", "httpx"]


@pytest.mark.parametrize("hooked", [False, True], ids=["as it is", "with a hook"])
async def test_our_own_transport(hooked: bool) -> None:
    async def hook(request: httpx.Request) -> None:
        assert "circle-token" not in request.headers

    with respx.mock(base_url="https://circleci.com") as mock:
        me = mock.get("/api/v2/me").respond(json=USER)
        trigger = mock.post("/api/v2/project/gh/acme/web/pipeline", json={"branch": "main"}).respond(json=CREATED)
        missing = mock.get(url__regex=r".*/project/gh/acme/gone$").respond(404, json={"message": "Project not found"})
        async with AsyncCircleCI(TOKEN, max_retries=0, on_request=hook if hooked else None) as client:
            assert (await client.v2.users.me()).login == "ada"
            await client.v2.pipelines.trigger(SLUG, branch="main")
            with pytest.raises(NotFoundError, match="Project not found"):
                await client.v2.projects.get("gh/acme/gone")
    assert (me.call_count, trigger.call_count, missing.call_count) == (1, 1, 1)
    sent: httpx.Request = trigger.calls.last.request
    assert sent.content == b'{"branch":"main"}'
    assert sent.headers["content-length"] == "17"
    assert sent.headers["host"] == "circleci.com"
    assert sent.headers["content-type"] == "application/json"


@pytest.mark.parametrize("using", MOCKERS)
async def test_borrowed_client(using: Literal["httpcore", "httpx"]) -> None:
    with respx.mock(base_url="https://circleci.com", using=using) as mock:
        me = mock.get("/api/v2/me", headers={"circle-token": TOKEN}).respond(json=USER)
        async with httpx.AsyncClient() as http, AsyncCircleCI(TOKEN, http_client=http) as client:
            assert (await client.v2.users.me()).login == "ada"
    assert me.call_count == 1
