"""A fork after use: the child begins anew, and shares no socket, no limit and no lock with its parent."""

from __future__ import annotations

import gc
import multiprocessing
import os
import ssl
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
import trustme

from circleci_sdk import CircleCI, ClientClosedError, ConfigError
from circleci_sdk._engine.engine import ENGINE
from tests.support.clients import ID, TOKEN, USER
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.sync_clients import (
    ME,
    TIMEOUT,
    InThread,
    engine_threads,
    in_child,
    nothing_under_way,
    sync_client_on,
)
from tests.sync.test_closing import PIPELINES, STDOUT, pages

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[CircleCI]:
    """A client with one connection that is open."""
    server.otherwise(reply(json=USER))
    with sync_client_on(server) as client:
        client.v2.users.me()
        yield client


def untouched(client: CircleCI, server: ScriptedServer) -> None:
    """The parent's connection, its only one so far, still serves it."""
    before = server.connections
    assert client.v2.users.me().login == "ada"
    assert server.requests[-1].connection == 1
    assert server.connections == before
    nothing_under_way(client)


def me(client: CircleCI) -> str | None:
    return client.v2.users.me().login


def test_a_child_opens_its_own_connections(client: CircleCI, server: ScriptedServer) -> None:
    parent = ENGINE.loop

    def work() -> object:
        assert ENGINE.loop is None
        assert [me(client), me(client)] == ["ada", "ada"]
        assert ENGINE.loop is not parent
        return len(engine_threads())

    assert in_child(work) == 1
    assert [request.connection for request in server.requests] == [1, 2, 2]
    untouched(client, server)


def _nothing(_: CircleCI) -> None:
    pass


def _close(client: CircleCI) -> None:
    client.close()
    with pytest.raises(ClientClosedError):
        me(client)


def _use_and_close(client: CircleCI) -> None:
    with client:
        me(client)
    assert engine_threads() == []


def _copy(client: CircleCI) -> None:
    me(client.with_options(timeout=5))


def _grandchild(client: CircleCI) -> None:
    me(client)
    assert in_child(lambda: me(client)) == "ada"
    me(client)


def _in_threads(client: CircleCI) -> None:
    """Those that make the first call together share what they open."""
    assert [one.result() for one in [InThread(lambda: me(client)) for _ in range(8)]] == ["ada"] * 8
    assert len(engine_threads()) == 1


@pytest.mark.parametrize("work", [_nothing, _close, _use_and_close, _copy, _grandchild, _in_threads])
def test_what_a_child_does_leaves_the_parent_alone(
    client: CircleCI, server: ScriptedServer, work: Callable[[CircleCI], None]
) -> None:
    for _ in range(2):
        in_child(lambda: work(client))
        untouched(client, server)


def test_a_child_that_collects_the_client(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    held = [sync_client_on(server)]
    me(held[0])

    def work() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            held.clear()
            gc.collect()

    in_child(work)
    untouched(held[0], server)
    held[0].close()


def test_the_connection_of_the_parent_survives_over_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with ScriptedServer(tls=context) as server, sync_client_on(server, verify=trusting) as client:
        server.otherwise(reply(json=USER))
        me(client)
        for work in (_nothing, _close, _use_and_close):
            in_child(lambda work=work: work(client))
            untouched(client, server)


def test_a_fork_during_a_call(client: CircleCI, server: ScriptedServer) -> None:
    """The call is one of the parent, and the child has none of its threads and locks."""
    hold = server.latch()
    server.script([reply(json=USER).held_by(hold)])
    running = InThread(lambda: me(client))
    server.wait_for_requests(2)

    def work() -> None:
        assert me(client) == "ada"
        client.close()  # waits for no call of the parent
        assert engine_threads() == []

    in_child(work)
    hold.open()
    assert running.result() == "ada"
    untouched(client, server)


@pytest.mark.parametrize("lock", ["engine", "drift", "limiter"])
def test_a_fork_while_another_thread_holds_a_lock(client: CircleCI, server: ScriptedServer, lock: str) -> None:
    session: Any = client._async._session
    server.script([reply(429, headers={"Retry-After": "0"}), reply(json=USER)])
    me(client)
    locks = {"engine": ENGINE._lock, "drift": session.drift._lock}
    locks["limiter"] = next(iter(session.limiter._queues.values()))._lock
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locks[lock]:
            held.set()
            done.wait(TIMEOUT)

    holder = InThread(hold)
    held.wait(TIMEOUT)
    server.script([reply(json={**USER, "name": 7})])  # drift is noted

    def work() -> None:
        client.v2.users.me()
        assert len(client.drift) > 0
        client.close()

    in_child(work)
    done.set()
    holder.result()


def test_a_child_has_fresh_limits(server: ScriptedServer) -> None:
    """The pause of the parent was learned by other connections. The child asks the server itself."""
    clock = FakeClock(held=True)
    server.script([reply(json=USER), reply(429, headers={"Retry-After": "50"}), reply(json=USER), reply(json=USER)])
    with sync_client_on(server, clock) as client:
        me(client)
        waiting = InThread(lambda: me(client))
        server.wait_for_requests(2)

        def work() -> object:
            assert me(client) == "ada"
            return client.rate_limit

        assert in_child(work) is None
        assert len(server.requests) == 3
        client.reset_rate_limits()
        assert waiting.result() == "ada"
        nothing_under_way(client)


def test_slots_of_the_parent_do_not_hold_the_child(server: ScriptedServer) -> None:
    hold = server.latch()
    server.script([reply(json=USER).held_by(hold)])
    server.otherwise(reply(json=USER))
    with sync_client_on(server, max_concurrency=1) as client:
        running = InThread(lambda: me(client))
        server.wait_for_requests(1)
        assert in_child(lambda: me(client)) == "ada"
        hold.open()
        running.result()


def test_a_borrowed_client_is_refused(server: ScriptedServer) -> None:
    """Its connections belong to the parent, and nothing can be said to it about the fork."""
    server.otherwise(reply(json=USER))
    borrowed = httpx.AsyncClient()
    with sync_client_on(server, http_client=borrowed) as client:
        me(client)

        def work() -> None:
            with pytest.raises(ConfigError, match="http_client"):
                me(client)

        in_child(work)
        untouched(client, server)
        client._dispatcher.run(borrowed.aclose)


# What was begun before the fork.


def test_a_stream_that_was_begun_by_the_parent(client: CircleCI, server: ScriptedServer) -> None:
    """A child that leaves the block, as with `sys.exit`, does not touch the socket; it cannot read on either."""
    content = b"a" * 300_000
    server.on("GET", STDOUT, reply(body=content, headers={"X-Terminal": "true"}).dripping(3, pause=0.01))
    stream = client.v3.jobs.stream_stdout(ID, step_num=3, execution=0)
    with stream:
        read = next(stream)

        def work() -> None:
            with pytest.raises(ClientClosedError, match="forked"):
                next(stream)
            stream.__exit__(None, None, None)
            assert me(client) == "ada"

        in_child(work)
        assert read + b"".join(stream) == content
    nothing_under_way(client)


def test_reading_ahead_that_was_begun_by_the_parent(client: CircleCI, server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, pages(2, 2, 2))
    prefetch = client.v2.pipelines.list(org_slug="gh/acme").prefetch()
    with prefetch as items:
        first = next(items)

        def work() -> None:
            with pytest.raises(ClientClosedError, match="forked"):
                next(items)
            prefetch.__exit__(None, None, None)

        in_child(work)
        assert [one.number for one in (first, *items)] == [0, 1, 100, 101, 200, 201]
    nothing_under_way(client)


def test_an_iterator_whose_lock_another_thread_holds(client: CircleCI, server: ScriptedServer) -> None:
    hold = server.latch()
    server.on("GET", PIPELINES, [page.held_by(hold) for page in pages(1)])
    pager = client.v2.pipelines.list(org_slug="gh/acme")
    items = iter(pager)
    running = InThread(lambda: next(items).number)
    server.wait_for_requests(2)

    def work() -> None:
        with pytest.raises(ClientClosedError, match="forked"):
            next(items)

    in_child(work)
    hold.open()
    assert running.result() == 0


def test_what_was_only_made_by_the_parent(client: CircleCI, server: ScriptedServer) -> None:
    """A list, and a block that was not entered."""
    server.on("GET", PIPELINES, pages(2))
    server.on("GET", STDOUT, reply(body=b"output", headers={"X-Terminal": "true"}))
    pager = client.v2.pipelines.list(org_slug="gh/acme")
    stream = client.v3.jobs.stream_stdout(ID, step_num=3, execution=0)

    def work() -> None:
        assert len(list(pager)) == 2
        with stream as output:
            assert list(output) == [b"output"]

    in_child(work)
    untouched(client, server)


# Forks in callbacks.


def test_a_fork_in_a_hook(server: ScriptedServer) -> None:
    """The child has no part in the call: it ends with an error, without a word to the loop of the parent."""
    server.otherwise(reply(json=USER))
    written: list[object] = []
    is_child = False

    def fork(_: object) -> None:
        nonlocal is_child
        if written or is_child:
            return
        written.append("forked")

        def work() -> object:
            nonlocal is_child
            is_child = True
            return me(client)

        assert in_child(work) == "ada"

    with CircleCI(TOKEN, base_url=server.url, on_request=fork) as client:
        assert me(client) == "ada"
        assert written == ["forked"]
        nothing_under_way(client)


def test_a_child_that_returns_from_a_hook(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    read, write = os.pipe()
    children: list[int] = []
    this = os.getpid()

    def fork(_: object) -> None:
        if not children:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                children.append(os.fork())

    with CircleCI(TOKEN, base_url=server.url, on_request=fork) as client:
        try:
            login = me(client)
        except BaseException as error:
            if os.getpid() == this:
                raise
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            if os.getpid() != this:
                os._exit(0)
        os.close(write)
        os.waitpid(children[0], 0)
        with os.fdopen(read, "rb") as pipe:
            assert (
                pipe.read() == b"ClientClosedError: The process was forked during the call, which is one of the parent."
            )
        assert login == "ada"
        assert len(server.requests) == 1
        untouched(client, server)


def test_a_child_that_leaves_a_hook_with_an_exception(server: ScriptedServer) -> None:
    """As with `sys.exit` after the work of the child: it waits for nothing, and writes nothing to its parent."""
    server.otherwise(reply(json=USER))
    children: list[int] = []
    this = os.getpid()

    def fork(_: object) -> None:
        if not children:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                children.append(os.fork())
            if children == [0]:
                sys.exit(3)

    with CircleCI(TOKEN, base_url=server.url, on_request=fork) as client:
        try:
            me(client)
        except SystemExit as error:
            os._exit(int(str(error)))
        finally:
            if os.getpid() != this:
                os._exit(9)
        _, status = os.waitpid(children[0], 0)
        assert os.waitstatus_to_exitcode(status) == 3
        untouched(client, server)


def test_a_child_writes_nothing_to_the_parent(client: CircleCI, server: ScriptedServer) -> None:
    """Neither to its connection nor to the socket that wakes its event loop."""
    loop: Any = ENGINE.loop
    waker: Any = loop._csock
    [http] = [resources.http for resources in client._async._session._loops.values()]
    assert http.holds_connections

    def work() -> None:
        # Both ends are shared: what the child wrote there would arrive in the parent.
        class Guarded:
            def send(self, _: bytes) -> None:
                raise AssertionError("the child woke the loop of its parent")

        loop._csock = Guarded()
        me(client)
        client.with_options(timeout=3).v2.users.me()
        client.close()
        gc.collect()

    in_child(work)
    assert loop._csock is waker
    untouched(client, server)


# Processes of the standard library.

POOLED: Final[list[CircleCI]] = []
"""The client of the parent, as a program has it in a module."""


def _from_pool(_: int) -> str | None:
    return me(POOLED[0])


@pytest.mark.load
def test_a_pool_of_processes(client: CircleCI, server: ScriptedServer) -> None:
    POOLED.append(client)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(_from_pool, range(6), chunksize=1) == ["ada"] * 6
    finally:
        POOLED.clear()
    untouched(client, server)


@pytest.mark.load
def test_30_forks_under_busy_threads(server: ScriptedServer) -> None:
    server.otherwise(reply(json=USER))
    stop = threading.Event()
    with sync_client_on(server) as client:

        def busy() -> int:
            count = 0
            while not stop.is_set():
                assert me(client) == "ada"
                count += 1
            return count

        threads = [InThread(busy) for _ in range(4)]
        for _ in range(30):
            assert in_child(lambda: me(client)) == "ada"
        stop.set()
        assert all(one.result() for one in threads)
        nothing_under_way(client)


AFTER_CLOSE: Final = """
import logging, os, sys, warnings
from circleci_sdk import CircleCI
logging.disable()
warnings.simplefilter("error")
client = CircleCI("token", base_url=sys.argv[1])
hooked = CircleCI("token", base_url=sys.argv[1], on_request=lambda request: None)
with client, hooked:
    client.v2.users.me()
    with hooked.v2.pipelines.list(org_slug="gh/acme").prefetch() as items:
        list(items)
child = os.fork()
if not child:
    with CircleCI("token", base_url=sys.argv[1]) as other:
        other.v2.users.me()
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_after_the_close_warns_of_nothing(server: ScriptedServer) -> None:
    """Python warns of forks while there are threads. Those of reading ahead have ended too."""
    server.on("GET", ME, reply(json=USER))
    server.on("GET", PIPELINES, pages(2, 2))
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", AFTER_CLOSE, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.stdout, done.stderr) == ("7\n", "")
