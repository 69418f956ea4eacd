"""`http2=True`, against a real server that speaks nothing else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Final

import anyio
import httpx
import pytest
import trustme

from circleci_sdk import AsyncCircleCI
from tests.support.clients import TOKEN, USER, client_on
from tests.support.clock import run_until_idle
from tests.support.http2_server import Http2Server
from tests.support.steps import steps_of_connections

AUTHORITY: Final = trustme.CA()
TRUSTING: Final = ssl.create_default_context()
AUTHORITY.configure_trust(TRUSTING)


@pytest.fixture
def modern() -> Iterator[Http2Server]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    with Http2Server(context, USER) as server:
        yield server


def client_of(server: Http2Server, max_concurrency: int = 50) -> AsyncCircleCI:
    return client_on(server.url, http2=True, verify=TRUSTING, max_concurrency=max_concurrency)


async def test_calls_share_one_connection(modern: Http2Server) -> None:
    async with client_of(modern) as client:
        assert (await client.v2.users.me()).login == "ada"
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(client.v2.users.me)
    assert (len(modern.requests), modern.connections) == (21, 1)
    assert modern.requests[0][":path"] == "/api/v2/me"
    assert {request["circle-token"] for request in modern.requests} == {TOKEN}


async def test_a_hook_is_told_the_version(modern: Http2Server) -> None:
    seen: list[str] = []

    async def on_response(response: httpx.Response) -> None:
        seen.append(response.http_version)

    async with client_on(modern.url, http2=True, verify=TRUSTING, on_response=on_response) as client:
        await client.v2.users.me()
    assert seen == ["HTTP/2"]


async def test_many_calls_few_at_once(modern: Http2Server) -> None:
    async with client_of(modern, max_concurrency=5) as client:
        await client.v2.users.me()
        modern.hold()
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(client.v2.users.me)
            await modern.seen(1 + 5)
            await run_until_idle()
            modern.release()
    assert (len(modern.requests), modern.max_concurrent, modern.connections) == (101, 5, 1)


async def test_cancelled_calls_cost_no_slot(modern: Http2Server) -> None:
    async with client_of(modern, max_concurrency=2) as client:
        for turn in range(1, 6):
            modern.hold()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.v2.users.me)
                tasks.start_soon(client.v2.users.me)
                await modern.seen(4 * turn - 2)
                tasks.cancel_scope.cancel()
            modern.release()
            with anyio.fail_after(5):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(client.v2.users.me)
                    tasks.start_soon(client.v2.users.me)
    assert (len(modern.requests), modern.max_concurrent) == (20, 2)


async def test_cancelled_at_every_step(modern: Http2Server) -> None:
    with steps_of_connections() as steps:
        async with client_of(modern, max_concurrency=1) as client:
            await client.v2.users.me()
        count = len(steps.taken)
        for step in range(1, count + 1):
            async with client_of(modern, max_concurrency=1) as client:
                with anyio.CancelScope() as scope:
                    steps.again(step, action=scope.cancel)
                    await client.v2.users.me()
                steps.again()
                with anyio.fail_after(5):
                    await client.v2.users.me()
    assert count > 8


async def test_who_stays_is_not_disturbed_by_who_leaves(modern: Http2Server) -> None:
    """Their connection is closed when the last one is through."""
    names: list[str | None] = []

    async def stay(client: AsyncCircleCI) -> None:
        names.append((await client.v2.users.me()).login)

    async with client_of(modern) as client:
        modern.hold()
        async with anyio.create_task_group() as staying:
            async with anyio.create_task_group() as leaving:
                leaving.start_soon(client.v2.users.me)
                staying.start_soon(stay, client)
                staying.start_soon(stay, client)
                await modern.seen(3)
                leaving.cancel_scope.cancel()
            staying.start_soon(stay, client)
            await modern.seen(4)
            assert (modern.connections, modern.ended) == (2, 0)
            modern.release()
        await modern.seen(4, ended=1)
    await modern.seen(4, ended=2)
    assert names == ["ada"] * 3
