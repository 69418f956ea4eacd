"""Tools that replace parts of httpx, such as respx, intercept calls of our own transport and of a borrowed client.

`using="httpx"` of respx patches `httpx.AsyncClient`, so it intercepts only calls of a borrowed client.
"""

from __future__ import annotations

import functools
from typing import Literal

import httpx
import pytest
import respx

from circleci_sdk import AsyncCircleCI, NotFoundError
from tests.support.clients import CREATED, SLUG, TOKEN, USER, client_on
from tests.support.scripted_server import ScriptedServer, reply

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


@pytest.mark.parametrize("wraps", [False, True], ids=["in its place", "around it"])
async def test_other_tools_replace_the_transport_of_httpx(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, wraps: bool
) -> None:
    """As pytest-httpx and tracing do. Connections that are open already are not used then."""
    seen: list[str] = []
    original = httpx.AsyncHTTPTransport.handle_async_request

    async def replaced(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return await original(self, request)

    server.otherwise(reply(json=USER))
    async with client_on(server) as client:
        await client.v2.users.me()
        monkeypatch.setattr(
            httpx.AsyncHTTPTransport, "handle_async_request", functools.wraps(original)(replaced) if wraps else replaced
        )
        await client.v2.users.me()
        assert seen == ["/api/v2/me"]
        monkeypatch.undo()
        await client.v2.users.me()
    assert len(seen) == 1
