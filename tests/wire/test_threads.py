"""One client in several threads, each with its own event loop."""

from __future__ import annotations

import gc
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import anyio
import httpx
import pytest

from circleci_sdk import AsyncCircleCI, ConfigError
from tests.support.clients import ID, MESSAGE, USER, client_on
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

CALLS: Final = 60
TIMEOUT: Final = 30.0


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]  # pytest uses it
    """asyncio warns about connections of a closed loop when they are collected."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)
        yield
        gc.collect()


def refusing(*numbers: int, headers: dict[str, str]) -> Any:
    """A server that refuses the requests with these numbers."""
    seen = 0

    def respond(request: Request) -> Response:
        nonlocal seen
        seen += 1
        if seen in numbers:
            return reply(429, headers=headers)
        return reply(json=USER if request.method == "GET" else MESSAGE)

    return respond


def in_threads(client: AsyncCircleCI, backends: tuple[str, ...], calls: int = CALLS) -> list[BaseException | None]:
    """The errors of so many calls in each thread; None for a success. The threads start at the same time."""
    ended: list[BaseException | None] = []
    start = threading.Barrier(len(backends))

    async def one(number: int) -> None:
        try:
            await (client.v2.workflows.cancel(ID) if number % 3 == 0 else client.v2.users.me())
            ended.append(None)
        except Exception as error:
            ended.append(error)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(calls):
                tasks.start_soon(one, number)

    def run(backend: str) -> None:
        start.wait(TIMEOUT)
        try:
            anyio.run(main, backend=backend)
        except BaseException as error:
            ended.append(error)

    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in backends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT)
    assert not any(thread.is_alive() for thread in threads)
    return ended


@pytest.mark.parametrize(
    "backends",
    [("asyncio",) * 3, ("trio",) * 3, ("asyncio", "trio", "asyncio")],
    ids=["asyncio", "trio", "both"],
)
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0.05"}], ids=["without", "Retry-After"])
def test_refusals_while_three_threads_call(
    server: ScriptedServer, backends: tuple[str, ...], headers: dict[str, str]
) -> None:
    """All calls succeed, each once, although every third one belongs to a group that was refused too."""
    server.otherwise(refusing(4, 20, 21, 90, headers=headers))
    client = client_on(server, timeout=TIMEOUT, max_retries=5, max_concurrency=20)
    assert Counter(in_threads(client, backends)) == {None: 3 * CALLS}
    anyio.run(client.aclose)
    assert len(server.requests) == 3 * CALLS + 4
    assert not any(client._session.in_flight.values())  # pyright: ignore[reportPrivateUsage]  # slots have no public name


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "asyncio")], ids="-".join)
def test_event_loops_one_after_another(server: ScriptedServer, backends: tuple[str, str]) -> None:
    server.otherwise(refusing(2, 12, headers={"Retry-After": "0.05"}))
    client = client_on(server, timeout=TIMEOUT, max_retries=5)
    for backend in backends:
        assert Counter(in_threads(client, (backend,), 10)) == {None: 10}
    anyio.run(client.aclose)


@pytest.mark.parametrize("backends", [("asyncio", "asyncio"), ("asyncio", "trio"), ("trio", "trio")], ids="-".join)
@pytest.mark.parametrize("kind", ["http_client", "transport"])
def test_borrowed_connections_belong_to_one_loop(server: ScriptedServer, backends: tuple[str, str], kind: str) -> None:
    server.otherwise(reply(json=USER))
    borrowed = httpx.AsyncClient() if kind == "http_client" else httpx.AsyncHTTPTransport()
    options: dict[str, Any] = {kind: borrowed}
    client = client_on(server, timeout=TIMEOUT, **options)
    errors = in_threads(client, backends, 10)
    failed = [error for error in errors if error is not None]
    assert len(failed) == 10
    assert {type(error) for error in failed} == {ConfigError}
    assert f"{kind}: its connections belong to the event loop" in str(failed[0])


@pytest.mark.parametrize("kind", ["http_client", "transport"])
def test_mocks_serve_any_loop(kind: str) -> None:
    mock = httpx.MockTransport(lambda _: httpx.Response(200, json=USER))
    borrowed = httpx.AsyncClient(transport=mock) if kind == "http_client" else mock
    options: dict[str, Any] = {kind: borrowed}
    client = AsyncCircleCI("token", timeout=TIMEOUT, **options)
    assert Counter(in_threads(client, ("asyncio", "trio"), 10)) == {None: 20}
