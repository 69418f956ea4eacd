"""A sync client where an event loop runs already."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from tests.support.clients import USER
from tests.support.clock import run_until_idle
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.sync_clients import engine_threads, nothing_under_way, sync_client_on
from tests.sync.test_closing import PIPELINES, pages


async def test_inside_a_running_loop(server: ScriptedServer) -> None:
    """As in a notebook or an async view, on asyncio and on trio. It blocks that loop meanwhile."""
    server.otherwise(reply(json=USER))
    server.on("GET", PIPELINES, pages(2, 2))
    with sync_client_on(server) as client:
        assert client.v2.users.me().login == "ada"
        with anyio.fail_after(60):  # noqa: ASYNC100  # it is none of the call either
            with client.v2.pipelines.list(org_slug="gh/acme").prefetch() as items:
                assert len(list(items)) == 4
        with anyio.CancelScope() as scope:  # noqa: ASYNC100  # it is none of the call
            scope.cancel()
            assert client.v2.users.me().login == "ada"
        nothing_under_way(client)
    assert engine_threads() == []


async def test_from_worker_threads_of_a_loop(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    logins: list[str | None] = []
    with sync_client_on(server) as client:

        async def call() -> None:
            user = await anyio.to_thread.run_sync(client.v2.users.me)
            logins.append(user.login)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(call)
    assert logins == ["ada"] * 10


async def test_beside_an_async_client(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    with sync_client_on(server) as client:
        user = await client._async.v2.users.me()  # the same session, in two loops
        assert client.v2.users.me() == user
        nothing_under_way(client)
    await run_until_idle()  # the connection of this loop is closed in it
    await server.disconnected(2)


def test_in_a_task_of_asyncio_that_is_being_cancelled(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))

    async def main() -> str | None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with sync_client_on(server) as client:
            login = client.v2.users.me().login
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
        return login

    assert asyncio.run(main()) == "ada"
