"""The end of a client: twice, of a copy, during calls and blocks, and use after it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from circleci_sdk import CircleCI, ClientClosedError, ConnectionFailedError
from circleci_sdk._engine.calls import Call
from circleci_sdk._engine.engine import ENGINE
from tests.support.clients import CREATED, ID, SLUG, USER
from tests.support.scripted_server import ScriptedServer, closed_port, reply
from tests.support.sync_clients import (
    InThread,
    all_at_once,
    engine_threads,
    open_files,
    sync_client_on,
    users_of,
)

PIPELINES: Final = "/api/v2/pipeline"
STDOUT: Final = f"/api/v3/jobs/{ID}/stdout"


def pages(*sizes: int) -> list[Any]:
    """Responses with so many pipelines each."""
    made = []
    for index, size in enumerate(sizes):
        token = f"page-{index + 2}" if index + 1 < len(sizes) else None
        made.append(
            reply(
                json={
                    "items": [{**CREATED, "number": index * 100 + one} for one in range(size)],
                    "next_page_token": token,
                }
            )
        )
    return made


def test_closing_twice(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    client = sync_client_on(server)
    client.close()
    client.close()
    client = sync_client_on(server)
    client.v2.users.me()
    client.close()
    client.close()
    server.wait_for_ends(1)


def test_closing_in_many_threads_together(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    for _ in range(20):
        client = sync_client_on(server)
        client.v2.users.me()
        all_at_once(4, client.close)
        assert users_of(client) == []
    server.wait_for_ends(20)


def test_closing_a_copy_closes_nothing(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    with sync_client_on(server) as client:
        with client.with_options(timeout=5) as copy:
            copy.v2.users.me()
        copy.close()
        copy.v2.users.me()
        client.v2.users.me()
    assert server.connections == 1


def test_closing_while_nothing_can_be_connected() -> None:
    with closed_port() as url, sync_client_on(url, max_retries=0) as client, pytest.raises(ConnectionFailedError):
        client.v2.users.me()


USES: Final[dict[str, Callable[[CircleCI], object]]] = {
    "a call": lambda client: client.v2.users.me(),
    "a copy": lambda client: client.with_options(timeout=3).v2.users.me(),
    "request": lambda client: client.request("GET", "/api/v2/me"),
    "raw_response": lambda client: client.raw_response(client.v2.users.me),
    "a page": lambda client: client.v2.pipelines.list().page(),
    "a loop": lambda client: list(client.v2.pipelines.list()),
    "collect": lambda client: client.v2.pipelines.list().collect(),
    "prefetch": lambda client: list(client.v2.pipelines.list().prefetch().__enter__()),
    "a helper": lambda client: client.runs.start(SLUG, branch="main"),
    "records": lambda client: next(client.history.records(SLUG)),
    "a stream": lambda client: client.v3.jobs.stream_stdout(ID, step_num=3, execution=0).__enter__(),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("was_used", [True, False], ids=["used", "unused"])
def test_use_after_close(server: ScriptedServer, use: Callable[[CircleCI], object], was_used: bool) -> None:
    """Nothing is sent, and no thread starts."""
    server.otherwise(reply(json=USER))
    client = sync_client_on(server)
    if was_used:
        client.v2.users.me()
    client.close()
    sent = len(server.requests)
    with pytest.raises(ClientClosedError, match="The client is closed"):
        use(client)
    assert len(server.requests) == sent
    assert engine_threads() == []


def test_a_new_client_after_the_last_one(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    for _ in range(3):
        with sync_client_on(server) as client:
            client.v2.users.me()
            [thread] = engine_threads()
        assert not thread.is_alive()
    server.wait_for_ends(3)


def test_two_clients_of_which_one_is_closed(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    first, second = sync_client_on(server), sync_client_on(server)
    first.v2.users.me()
    second.v2.users.me()
    first.close()
    server.wait_for_ends(1)
    with pytest.raises(ClientClosedError):
        first.v2.users.me()
    assert second.v2.users.me().login == "ada"
    assert server.connections == 2
    second.close()


# During calls.


def test_calls_in_other_threads_finish(server: ScriptedServer) -> None:
    """The thread ends after the last of them, and their connections are closed."""
    hold = server.latch()
    server.script([reply(json=USER), *[reply(json=USER).held_by(hold)] * 3])
    before = open_files()
    client = sync_client_on(server)
    client.v2.users.me()
    running = [InThread(client.v2.users.me) for _ in range(3)]
    server.wait_for_requests(4)
    client.close()
    assert len(engine_threads()) == 1
    with pytest.raises(ClientClosedError):
        client.v2.users.me()
    hold.open()
    assert [one.result().login for one in running] == ["ada"] * 3
    assert engine_threads() == []
    server.wait_for_ends(server.connections)
    assert open_files() <= before


def test_closing_while_a_thread_makes_its_first_call(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the entry of that thread and its request: its connection is closed, or none is opened."""
    server.otherwise(reply(json=USER))
    client = sync_client_on(server)
    enter = ENGINE.enter

    def enter_then_close(*arguments: Any) -> Any:
        monkeypatch.setattr(ENGINE, "enter", enter)
        loop = enter(*arguments)
        InThread(client.close).result()
        return loop

    monkeypatch.setattr(ENGINE, "enter", enter_then_close)
    with pytest.raises(ClientClosedError):
        client.v2.users.me()
    assert server.connections == 0
    assert engine_threads() == []


def test_closing_while_the_last_call_ends(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine does not end between the last call and the end of the connections."""
    server.otherwise(reply(json=USER))
    client = sync_client_on(server)
    client.v2.users.me()
    make, ended = Call.__init__, threading.Event()

    def another_call_ends_first(call: Call[Any], function: Any) -> None:
        if not ended.is_set():
            ended.set()
            with pytest.raises(ClientClosedError):
                InThread(client.v2.users.me).result()
        make(call, function)

    monkeypatch.setattr(Call, "__init__", another_call_ends_first)
    client.close()
    server.wait_for_ends(1)
    assert engine_threads() == []


def test_closing_in_a_hook(server: ScriptedServer) -> None:
    """The call that the hook belongs to finishes."""
    server.otherwise(reply(json=USER))
    client = CircleCI("token", base_url=server.url, on_response=lambda _: client.close())
    assert client.v2.users.me().login == "ada"
    assert engine_threads() == []
    server.wait_for_ends(1)


def test_async_hooks_are_refused_the_client(server: ScriptedServer) -> None:
    """A call in the thread of the engine would wait for itself."""
    server.otherwise(reply(json=USER))

    async def use_it(_: object) -> None:
        client.v2.users.me()

    with CircleCI("token", base_url=server.url, on_request=use_it) as client:
        with pytest.raises(RuntimeError, match="in the thread of its event loop"):
            client.v2.users.me()
        with pytest.raises(RuntimeError, match="in the thread of its event loop"):
            client.v2.pipelines.list().page()
    assert server.requests == []


# During blocks.


def test_a_stream_outlives_the_close_of_its_client(server: ScriptedServer) -> None:
    server.on("GET", STDOUT, reply(body=b"abcdef", headers={"X-Terminal": "true"}).dripping(3, pause=0.01))
    client = sync_client_on(server)
    with client.v3.jobs.stream_stdout(ID, step_num=3, execution=0) as stream:
        client.close()
        assert len(engine_threads()) == 1
        assert b"".join(stream) == b"abcdef"
    assert engine_threads() == []
    server.wait_for_ends(1)


def test_a_stream_that_is_not_read(server: ScriptedServer) -> None:
    server.on("GET", STDOUT, reply(body=b"a" * 1_000_000))
    before = open_files()
    client = sync_client_on(server)
    with pytest.raises(ZeroDivisionError), client.v3.jobs.stream_stdout(ID, step_num=3, execution=0) as stream:
        next(stream)
        client.close()
        raise ZeroDivisionError
    assert engine_threads() == []
    server.wait_for_ends(1)
    assert open_files() <= before


def test_reading_ahead_outlives_the_close_of_its_client(server: ScriptedServer) -> None:
    """A list that is cut short without an error would be taken for the whole one."""
    server.on("GET", PIPELINES, pages(2, 2, 2))
    client = sync_client_on(server)
    with client.v2.pipelines.list(org_slug="gh/acme").prefetch() as items:
        numbers = [next(items).number]
        client.close()
        with pytest.raises(ClientClosedError):
            for item in items:
                numbers.append(item.number)  # noqa: PERF401  # those before the error too
    assert numbers == [0, 1, 100, 101][: len(numbers)]
    assert engine_threads() == []


def test_a_loop_after_the_close(server: ScriptedServer) -> None:
    """The page that was read is still there; the next one is refused."""
    server.on("GET", PIPELINES, pages(2, 2))
    client = sync_client_on(server)
    items = iter(client.v2.pipelines.list(org_slug="gh/acme"))
    assert next(items).number == 0
    client.close()
    assert next(items).number == 1
    with pytest.raises(ClientClosedError):
        next(items)
    assert len(server.requests) == 1
    assert engine_threads() == []
