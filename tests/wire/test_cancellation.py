"""A client stays usable after cancellation at any await: the next call works and no concurrency slot is lost.

Loopback is too fast for a cancellation in the middle of I/O, so connections are instrumented
(`tests/support/steps.py`), and a call is cancelled at each I/O step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import anyio
import httpx
import pytest

from circleci_sdk import AsyncCircleCI, PoolExhaustedError, Timeout
from tests.support.clients import ID, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.scripted_server import Request, Response, ScriptedServer, reply
from tests.support.steps import Steps, steps_of_connections

SOON: Final = 5.0
"""Time limit of the next call in seconds."""

Cancel: TypeAlias = Callable[[Callable[[], Awaitable[object]], Steps, tuple[int, ...]], Awaitable[bool]]


async def by_scope(call: Callable[[], Awaitable[object]], steps: Steps, at: tuple[int, ...]) -> bool:
    """Cancel the call by its scope at these steps; returns whether it was cancelled."""
    with anyio.CancelScope() as scope:
        steps.again(*at, action=scope.cancel)
        await call()
        return False
    return True


async def by_task(call: Callable[[], Awaitable[object]], steps: Steps, at: tuple[int, ...]) -> bool:
    task = asyncio.ensure_future(call())
    steps.again(*at, action=task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


WAYS: Final[list[tuple[Cancel, int]]] = [(by_scope, 1), (by_task, 1), (by_task, 2), (by_task, 3)]
"""asyncio can cancel single tasks, and again during their cleanup; trio has scopes only."""


@pytest.fixture
def api(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", "/api/v2/me", reply(json=USER, framing="chunked"))
    return server


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("waiting", [0, 2], ids=["alone", "two wait"])
async def test_cancelled_at_every_io_step(api: ScriptedServer, anyio_backend: str, waiting: int, warm: bool) -> None:
    with steps_of_connections() as steps:
        for way, times in WAYS if anyio_backend == "asyncio" else WAYS[:1]:
            seen: set[str] = set()
            for step in range(1, 40):
                async with client_on(api, max_concurrency=1) as client:
                    if warm:
                        await client.v2.users.me()
                    async with anyio.create_task_group() as others:
                        for _ in range(waiting):
                            others.start_soon(_later, client)
                        cancelled = await way(client.v2.users.me, steps, tuple(range(step, step + times)))
                        if cancelled:
                            seen.add(steps.taken[step - 1])
                        steps.again()
                        with anyio.fail_after(SOON):
                            await client.v2.users.me()
                    assert client._session.resources().slots.value == 1
                if not cancelled:
                    break
            assert not cancelled, "the call never came to its end"
            assert seen >= {"write", "written", "read", "was read"}
            assert warm or seen >= {"connect", "connected"}
    await api.disconnected(api.connections)


async def _later(client: AsyncCircleCI) -> None:
    await run_until_idle()
    await client.v2.users.me()


async def test_concurrent_calls_cancelled(api: ScriptedServer) -> None:
    """Many calls with few slots, each cancelled at a different step: all slots are released, in each round."""
    entered: list[Request] = []
    hold = api.latch()

    def enter(request: Request) -> Response:
        entered.append(request)
        return reply(json=USER).held_by(hold)

    api.on("GET", f"/api/v2/user/{ID}", enter)
    with steps_of_connections() as steps:
        async with client_on(api, max_concurrency=3) as client:
            for round_ in range(12):
                async with anyio.create_task_group() as tasks:
                    steps.again(*range(round_ + 1, 200, 12), action=tasks.cancel_scope.cancel)
                    for _ in range(9):
                        tasks.start_soon(client.v2.users.me)
                steps.again()
                assert client._session.resources().slots.value == 3
                entered.clear()
                hold = api.latch()
                with anyio.fail_after(SOON):
                    async with anyio.create_task_group() as tasks:
                        for _ in range(6):
                            tasks.start_soon(client.v2.users.get, ID)
                        while len(entered) < 3:
                            await run_until_idle()
                        await run_until_idle()
                        assert len(entered) == 3
                        hold.open()
    await api.disconnected(api.connections)


PLACES: Final = ["on_request", "on_response", "auth", "slot", "limiter", "pause"]


@pytest.mark.parametrize("place", PLACES)
async def test_cancelled_at_every_other_await(api: ScriptedServer, place: str) -> None:
    """In hooks, in a token callable, in the queues for a slot and for the rate limit, and between attempts."""
    reached = anyio.Event()

    async def stay(*_: object) -> str:
        if not reached.is_set():
            reached.set()
            await anyio.sleep_forever()
        return "token"

    options: dict[str, Any] = {place: stay} if place in ("on_request", "on_response", "auth") else {}
    clock = FakeClock(held=True)
    hold = api.latch()
    first = {
        "slot": reply(json=USER).held_by(hold),
        "limiter": reply(json=USER, headers={"RateLimit-Remaining": "0", "RateLimit-Reset": "9"}),
        "pause": reply(503),
    }
    if place in first:
        api.script([first[place]])
    async with client_on(api, clock, max_concurrency=1, **options) as client, anyio.create_task_group() as tasks:
        if place == "slot":
            tasks.start_soon(client.v2.users.me)
            await api.seen(1)
        if place == "limiter":
            await client.v2.users.me()
        async with anyio.create_task_group() as victims:
            victims.start_soon(client.v2.users.me)
            if options:
                await reached.wait()
            while place == "pause" and not clock.slept:
                await run_until_idle()
            await run_until_idle()
            sent = len(api.requests)
            victims.cancel_scope.cancel()
        assert sent == (0 if place in ("on_request", "auth") else 1)
        hold.open()
        await clock.advance(20)
        with anyio.fail_after(SOON):
            await client.v2.users.me()
    assert len(api.requests) == sent + 1


@pytest.mark.parametrize("kind", ["http_client", "transport"])
async def test_slots_of_a_custom_transport_are_released(api: ScriptedServer, kind: str) -> None:
    hold = api.latch()
    api.script([reply(json=USER).held_by(hold)] * 6)
    borrowed: Any = httpx.AsyncClient() if kind == "http_client" else httpx.AsyncHTTPTransport()
    async with borrowed, client_on(api, max_concurrency=2, **{kind: borrowed}) as client:
        for round_ in range(3):
            async with anyio.create_task_group() as victims:
                for _ in range(4):
                    victims.start_soon(client.v2.users.me)
                await api.seen(2 * round_ + 2)
                victims.cancel_scope.cancel()
        hold.open()
        api.script([])
        with anyio.fail_after(SOON):
            await client.v2.users.me()
        assert client._session.resources().slots.value == 2


async def test_pool_exhausted_error_names_the_httpx_defect(api: ScriptedServer) -> None:
    """The defect of httpx 0.28 (a call cancelled while connecting loses its slot) can only be reported."""
    with steps_of_connections() as steps:
        async with (
            httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as borrowed,
            client_on(api, http_client=borrowed, timeout=Timeout(connect=0.05), max_retries=0) as client,
            anyio.create_task_group() as tasks,
        ):
            steps.stay_at = "connect"  # like the connection of a cancelled call, forever
            tasks.start_soon(borrowed.get, f"{api.url}/api/v2/me")
            await run_until_idle()
            with pytest.raises(PoolExhaustedError, match=r"httpx 0\.28 loses slots.*Leave http_client out"):
                await client.v2.users.me()
            tasks.cancel_scope.cancel()
