"""Closing a client closes its connections in all event loops: running ones, ended ones, and those that stand still."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Iterator

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from circleci_sdk import AsyncCircleCI, ClientClosedError
from tests.support.clients import USER, client_on
from tests.support.scripted_server import ScriptedServer, reply

pytestmark = pytest.mark.parametrize("own", ["asyncio", "trio"], ids=lambda own: f"from-{own}")
in_other = pytest.mark.parametrize("other", ["asyncio", "trio"], ids=lambda other: f"in-{other}")


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    """The garbage collector would close the connections too, at some time. asyncio warns of those of ended loops."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        gc.collect()
        gc.disable()
        try:
            yield
        finally:
            gc.enable()
            gc.collect()


@pytest.fixture
def client(server: ScriptedServer) -> AsyncCircleCI:
    server.otherwise(reply(json=USER))
    return client_on(server, timeout=10)


async def get(client: AsyncCircleCI) -> None:
    await client.v2.users.me()


async def get_several(client: AsyncCircleCI) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(get, client)


async def get_and_close(client: AsyncCircleCI) -> None:
    await get(client)
    await client.aclose()


@in_other
def test_a_running_loop_closes_its_connections_itself(
    server: ScriptedServer, client: AsyncCircleCI, own: str, other: str
) -> None:
    with start_blocking_portal(other) as portal:
        portal.call(get_several, client)
        anyio.run(get_and_close, client, backend=own)
        anyio.run(server.disconnected, server.connections)
        with pytest.raises(ClientClosedError):
            portal.call(get, client)
    assert server.connections > 1


@in_other
def test_calls_in_another_loop_finish_first(
    server: ScriptedServer, client: AsyncCircleCI, own: str, other: str
) -> None:
    hold = server.latch()
    server.script([reply(json=USER).held_by(hold)])
    with start_blocking_portal(other) as portal:
        call = portal.start_task_soon(get, client)
        anyio.run(server.seen, 1)
        anyio.run(client.aclose, backend=own)
        hold.open()
        call.result()
        anyio.run(server.disconnected, 1)


@in_other
def test_connections_of_an_ended_loop_are_closed(
    server: ScriptedServer, client: AsyncCircleCI, own: str, other: str
) -> None:
    anyio.run(get_several, client, backend=other)
    anyio.run(client.aclose, backend=own)
    anyio.run(server.disconnected, server.connections)


@in_other
def test_connections_of_an_ended_loop_are_closed_by_the_next_one(
    server: ScriptedServer, client: AsyncCircleCI, own: str, other: str
) -> None:
    anyio.run(get_several, client, backend=other)
    count = server.connections
    anyio.run(get, client, backend=own)
    anyio.run(server.disconnected, count)
    anyio.run(client.aclose)


def test_connections_of_a_loop_that_stands_still_are_closed(
    server: ScriptedServer, client: AsyncCircleCI, own: str
) -> None:
    """And the loop continues with other things. On trio a loop that stands still has ended."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(get_several(client))
        anyio.run(client.aclose, backend=own)
        anyio.run(server.disconnected, server.connections)
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(0))
    finally:
        loop.close()
