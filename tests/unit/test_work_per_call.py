"""The work of a call, counted in Python function calls. Times would depend on the machine.

The transport returns at once, so only the work of this package and of httpx's objects is counted. The budgets have a
margin for other versions of Python and httpx, but not for another loop over the headers.
"""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk import AsyncCircleCI
from circleci_sdk._core.transport.connections import _context  # pyright: ignore[reportPrivateUsage]  # its work is the test
from circleci_sdk._core.transport.request import _Content  # pyright: ignore[reportPrivateUsage]  # its work is the test
from tests.support.clients import USER, client_on
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.work import Work, replace_network


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_network(monkeypatch)


@pytest.mark.usefixtures("instant")
async def test_one_call(anyio_backend: str) -> None:
    async with AsyncCircleCI("token") as client:
        for _ in range(3):
            await client.v2.users.me()
        with Work() as calls:
            await client.v2.users.me()
        assert calls["circleci_sdk"] <= 91
        assert calls["httpx"] <= 56
        assert calls["pydantic"] <= 5


@pytest.mark.usefixtures("instant")
async def test_one_page(anyio_backend: str) -> None:
    """With a different URL each time, which cannot be cached."""
    async with AsyncCircleCI("token") as client:
        for number in range(3):
            await client.v2.pipelines.list_for_project(f"gh/acme/web-{number}", branch="main")
        with Work() as calls:
            await client.v2.pipelines.list_for_project("gh/acme/web", branch="main")
        assert calls["circleci_sdk"] <= 123
        assert calls["httpx"] <= 56


async def test_a_connection_is_used_without_a_pool(server: ScriptedServer, anyio_backend: str) -> None:
    """The pool of httpcore searches its connections twice for each request: 66 more function calls on asyncio."""
    server.otherwise(reply(json=USER))
    async with client_on(server) as client:
        for _ in range(3):
            await client.v2.users.me()
        with Work() as calls:
            await client.v2.users.me()
    assert calls["httpcore"] <= 125


async def test_request_without_body_sends_no_chunk(anyio_backend: str) -> None:
    assert [piece async for piece in _Content(b"")] == []
    assert [piece async for piece in _Content(b"{}")] == [b"{}"]


@pytest.mark.usefixtures("instant")
async def test_work_is_independent_of_earlier_calls(anyio_backend: str) -> None:
    async with AsyncCircleCI("token") as client:
        counts: list[int] = []
        for _ in range(4):
            with Work() as calls:
                await client.v2.users.me()
            counts.append(calls["circleci_sdk"] + calls["httpx"])
            async with anyio.create_task_group() as tasks:
                for _ in range(60):
                    tasks.start_soon(client.v2.users.me)
        assert counts[1] == counts[2] == counts[3]


async def test_clients_share_certificates(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """Certificates are most of the memory and of the construction time of a client."""
    _context.cache_clear()
    read: list[object] = []
    create = httpx.create_ssl_context

    def counted(*arguments: Any, **named: Any) -> Any:
        read.append(named)
        return create(*arguments, **named)

    monkeypatch.setattr(httpx, "create_ssl_context", counted)
    for _ in range(5):
        async with AsyncCircleCI("token", base_url="https://127.0.0.1:9", max_retries=0) as client:
            with pytest.raises(Exception, match="Nothing was sent"):
                await client.v2.users.me()
    assert len(read) == 1


async def test_plain_http_loads_no_certificates(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    def read(verify: object) -> None:
        pytest.fail("they were read")

    monkeypatch.setattr("circleci_sdk._core.transport.connections._certificates", read)
    async with AsyncCircleCI("token", base_url="http://127.0.0.1:9", max_retries=0) as client:
        with pytest.raises(Exception, match="Nothing was sent"):
            await client.v2.users.me()
