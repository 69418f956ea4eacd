"""The thread of the engine: nothing starts before the first call, and nothing is left."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from anyio._backends._asyncio import WorkerThread

from circleci_sdk import CircleCI, ConfigError
from circleci_sdk._engine.engine import ENGINE
from circleci_sdk.testing import FakeCircleCI
from tests.support.clients import ID, SLUG, TOKEN, USER
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, reply
from tests.support.sync_clients import (
    ME,
    STEP,
    TIMEOUT,
    InThread,
    all_at_once,
    engine_threads,
    nothing_under_way,
    open_files,
    sync_client_on,
    until_the_engine_ends,
)
from tests.sync.test_closing import PIPELINES, pages


def test_nothing_starts_before_the_first_call(server: ScriptedServer) -> None:
    threads, files = set(threading.enumerate()), open_files()
    client = sync_client_on(server)
    _ = (
        client.with_options(timeout=3),
        client.runs.attach(ID),
        client.v2.pipelines.list(),
        client.v2.pipelines.list().resume("page-2").pages(),
        iter(client.v2.pipelines.list()),
        client.v2.pipelines.list().prefetch(2),
        client.history.records(SLUG),
        client.runs.search([SLUG]),
        client.secrets.audit("gh/acme"),
        client.logs.open(STEP),
        client.logs.follow(STEP),
        client.v3.jobs.stream_stdout(ID, step_num=3, execution=0),
        client.v3.jobs.stream_tests(ID),
        (client.rate_limit, client.drift, client.base_url, repr(client)),
    )
    client.reset_rate_limits()
    client.close()
    assert set(threading.enumerate()) <= threads  # those of other tests may end meanwhile
    assert open_files() <= files
    assert ENGINE.loop is None
    assert server.connections == 0


@pytest.mark.parametrize("end", ["close", "with", "an exception"])
def test_the_thread_ends_with_the_client(server: ScriptedServer, end: str) -> None:
    server.otherwise(reply(json=USER))
    threads, files = set(threading.enumerate()), open_files()
    client = sync_client_on(server)
    if end == "close":
        client.v2.users.me()
        assert len(engine_threads()) == 1
        client.close()
    elif end == "with":
        with client as entered:
            assert entered is client
            client.v2.users.me()
    else:
        with pytest.raises(ZeroDivisionError), client:
            client.v2.users.me()
            raise ZeroDivisionError
    assert set(threading.enumerate()) <= threads
    server.wait_for_ends(1)
    assert open_files() <= files
    assert server.connections == 1


def test_all_clients_share_one_thread(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    clients = [sync_client_on(server) for _ in range(5)]
    for client in clients:
        client.v2.users.me()
    assert len(engine_threads()) == 1
    for client in clients[:-1]:
        client.close()
    assert len(engine_threads()) == 1
    clients[-1].v2.users.me()
    clients[-1].close()
    assert engine_threads() == []


def test_threads_that_make_the_first_call_together_enter_once(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found that the client was not used yet; the second one forgets nothing of the first one."""
    server.otherwise(reply(json=USER))
    both = threading.Barrier(2)
    enter = ENGINE.enter
    limiters: list[object] = []

    def enter_together(*arguments: Any) -> Any:
        if len(limiters) < 2:
            both.wait(TIMEOUT)
        loop = enter(*arguments)
        limiters.append(client._async._session.limiter)
        return loop

    monkeypatch.setattr(ENGINE, "enter", enter_together)
    with sync_client_on(server) as client:
        all_at_once(2, client.v2.users.me)
        assert limiters[0] is limiters[1]
        assert len(engine_threads()) == 1


def test_a_thread_that_cannot_start(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.otherwise(reply(json=USER))
    before = open_files()

    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with sync_client_on(server) as client:
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                client.v2.users.me()
        gc.collect()
        assert open_files() <= before
        assert client.v2.users.me().login == "ada"


def test_worker_threads_have_ended_after_the_close(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of hooks while pages are read ahead, and of files. They end a moment after their event loop."""
    server.on("GET", PIPELINES, pages(1, 1, 1))
    run = WorkerThread.run
    workers: list[threading.Thread] = []

    def run_longer(worker: WorkerThread) -> None:
        workers.append(worker)
        run(worker)
        threading.Event().wait(0.05)

    monkeypatch.setattr(WorkerThread, "run", run_longer)
    client = CircleCI(TOKEN, base_url=server.url, on_request=lambda _: None)
    with client, client.v2.pipelines.list().prefetch() as items:
        assert len(list(items)) == 3
    assert workers
    assert [worker for worker in workers if worker.is_alive()] == []


# Collection.


def _drop_client(client: CircleCI) -> list[Any]:
    client.v2.users.me()
    return []


def _drop_copy(client: CircleCI) -> list[Any]:
    client.v2.users.me()
    return [client.with_options(timeout=5)]


def _drop_pager(client: CircleCI) -> list[Any]:
    client.v2.users.me()
    return [iter(client.v2.pipelines.list())]


def _drop_method(client: CircleCI) -> list[Any]:
    client.v2.users.me()
    return [client.v2.users.me]


@pytest.mark.parametrize("use", [_drop_client, _drop_copy, _drop_pager, _drop_method])
def test_a_client_that_is_collected_leaves_nothing(
    server: ScriptedServer, use: Callable[[CircleCI], list[Any]]
) -> None:
    """It lives as long as what it has returned, and ends without a warning, which would fail the test."""
    server.otherwise(reply(json=USER))
    before = open_files()
    left = use(sync_client_on(server))
    gc.collect()
    if left:
        assert len(engine_threads()) == 1
        if callable(left[0]):
            assert left[0]().login == "ada"
    left.clear()
    gc.collect()
    until_the_engine_ends()
    server.wait_for_ends(server.connections)
    assert open_files() <= before


@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
@pytest.mark.parametrize("close", [True, False], ids=["closed", "dropped"])
def test_200_clients_leave_nothing(server: ScriptedServer, together: bool, close: bool) -> None:
    server.otherwise(reply(json=USER))
    threads, files = set(threading.enumerate()), open_files()
    kept: list[CircleCI] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(200):
            client = sync_client_on(server)
            client.request("GET", ME)
            if together:
                kept.append(client)
            if close and not together:
                client.close()
        assert len(engine_threads()) <= 2  # one may be ending
        for client in kept:
            if close:
                client.close()
        kept.clear()
        del client
        gc.collect()
        until_the_engine_ends()
    server.wait_for_ends(200)
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files
    assert not ENGINE.users


def test_a_client_that_is_collected_by_the_thread_of_the_engine(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    cycle: list[Any] = [sync_client_on(server)]
    cycle.append(cycle)

    async def collect(_: object) -> None:
        gc.collect()

    cycle[0].v2.users.me()
    gc.disable()
    try:
        del cycle
        with sync_client_on(server, on_request=collect) as client:
            client.v2.users.me()
    finally:
        gc.enable()
    server.wait_for_ends(2)


class Owner:
    """As users write it: an object that closes its client when it is collected."""

    def __init__(self, client: CircleCI) -> None:
        self.client = client
        self.itself = self

    def __del__(self) -> None:
        self.client.close()


def test_an_owner_that_closes_its_client_in_the_thread_of_the_engine(server: ScriptedServer) -> None:
    """A wait there would never end."""
    server.otherwise(reply(json=USER))
    owner = Owner(sync_client_on(server))
    owner.client.v2.users.me()

    async def collect(_: object) -> None:
        gc.collect()

    gc.disable()
    try:
        del owner
        with sync_client_on(server, on_request=collect) as client:
            client.v2.users.me()
    finally:
        gc.enable()
    server.wait_for_ends(2)


# Many threads, one limit.


class Limited:
    """A server that rejects one request, and notes when: by the clock of the client."""

    def __init__(self, clock: FakeClock, reject: int) -> None:
        self.clock = clock
        self.reject = reject
        self.count = 0
        self.rejected_at = 0.0
        self.seen: list[float] = []
        self.before_the_pause = 0

    async def on_response(self, response: httpx.Response) -> None:
        """The client knows of the rejection from here on. Others may have sent calls while it was on its way."""
        if response.status_code == 429:
            self.before_the_pause = self.count

    def __call__(self, request: Request) -> Response:
        self.count += 1
        self.seen.append(self.clock.now)
        if self.count == self.reject:
            self.rejected_at = self.clock.now
            return reply(429, headers={"Retry-After": "2"})
        return reply(json=USER)


@pytest.mark.parametrize("calls", [10, pytest.param(200, marks=pytest.mark.load)])
def test_8_threads_and_one_429(server: ScriptedServer, calls: int) -> None:
    """All succeed, and one pause holds all of them, by the clock of the client."""
    clock = FakeClock()
    limited = Limited(clock, reject=calls)
    server.on("GET", ME, limited)
    with sync_client_on(server, clock, on_response=limited.on_response) as client:
        logins = all_at_once(8, lambda: [client.v2.users.me().login for _ in range(calls)])
        assert [len(one) for one in logins] == [calls] * 8
        nothing_under_way(client)
    assert limited.count == 8 * calls + 1
    assert len([seconds for seconds in clock.slept if seconds > 1.0]) == 1
    later = [at for at in limited.seen if at > limited.rejected_at]
    assert min(later) >= limited.rejected_at + 2
    # Those that had left before the client knew: at most one of each thread.
    assert len(later) >= limited.count - limited.before_the_pause - 7
    assert len(engine_threads()) == 0


def test_a_wrong_option_starts_nothing() -> None:
    with pytest.raises(ConfigError):
        CircleCI(TOKEN, timeout=-1)
    assert ENGINE.loop is None


def test_the_fake_without_its_server_ends_too() -> None:
    fake = FakeCircleCI()
    with fake.serve() as served, CircleCI(fake.token, base_url=served.base_url, allow_http=True) as client:
        assert client.v2.users.me().login
        other = InThread(client.v2.users.me)
        assert other.result().login
