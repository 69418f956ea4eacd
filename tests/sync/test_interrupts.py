"""Ctrl-C, and other exceptions of signal handlers, in a thread that waits for a call."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import CircleCI, RateLimitError
from circleci_sdk._engine import calls
from circleci_sdk._engine.calls import Call
from tests.support.clients import CREATED, ID, SLUG, TOKEN, USER
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, hang, reply
from tests.support.steps import steps_of_connections
from tests.support.sync_clients import (
    ME,
    TIMEOUT,
    InThread,
    dispatcher_of,
    in_the_loop,
    nothing_under_way,
    signal_when,
    sync_client_on,
    users_of,
)
from tests.sync.test_closing import PIPELINES, STDOUT, pages

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system sends no signals to threads")

TRIGGER: Final = f"/api/v2/project/{SLUG}/pipeline"


def usable(client: CircleCI, server: ScriptedServer) -> None:
    """At once, without anything left of the call that was interrupted."""
    nothing_under_way(client)
    server.script([reply(json=USER)])
    assert client.v2.users.me().login == "ada"


class SoftTimeLimitError(Exception):
    """As a task queue raises it in a signal handler."""


@contextmanager
def handler(number: int, error: BaseException) -> Iterator[None]:
    """Raise this in the handler of a signal."""

    def handle(*_: object) -> None:
        raise error

    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


def test_the_server_sees_the_connection_end(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, hang())
    with sync_client_on(server) as client:
        with pytest.raises(KeyboardInterrupt), signal_when(lambda: server.wait_for_requests(1)):
            client.v2.pipelines.trigger(SLUG, branch="main")
        server.wait_for_ends(1)
        usable(client, server)


def test_any_exception_of_a_signal_handler(server: ScriptedServer) -> None:
    server.on("GET", ME, hang())
    error = SoftTimeLimitError()
    with sync_client_on(server) as client, handler(signal.SIGUSR1, error):
        with (
            pytest.raises(SoftTimeLimitError) as caught,
            signal_when(lambda: server.wait_for_requests(1), signal.SIGUSR1),
        ):
            client.v2.users.me()
        assert caught.value is error
        server.wait_for_ends(1)
        usable(client, server)


def test_a_signal_without_an_exception(server: ScriptedServer) -> None:
    """The wait continues."""
    hold = server.latch()
    server.script([reply(json=USER).held_by(hold)])
    seen: list[int] = []

    def handle(number: int, _: object) -> None:
        seen.append(number)
        hold.open()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with sync_client_on(server) as client, signal_when(lambda: server.wait_for_requests(1), signal.SIGUSR1):
            assert client.v2.users.me().login == "ada"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


# What waits is never sent.


class NotedClock(FakeClock):
    """Time that passes only in `advance`; `is_waited_for` is set when a task sleeps."""

    def __init__(self) -> None:
        super().__init__(held=True)
        self.is_waited_for = threading.Event()

    async def sleep(self, seconds: float) -> None:
        self.is_waited_for.set()
        await super().sleep(seconds)


def test_a_trigger_that_waits_for_the_rate_limit_is_not_sent(server: ScriptedServer) -> None:
    clock = NotedClock()
    server.on("POST", TRIGGER, [reply(429, headers={"Retry-After": "50"})])
    with sync_client_on(server, clock, max_retries=0) as client:
        with pytest.raises(RateLimitError):
            client.v2.pipelines.trigger(SLUG, branch="main")
        assert not clock.is_waited_for.is_set()
        with pytest.raises(KeyboardInterrupt), signal_when(lambda: clock.is_waited_for.wait(TIMEOUT)):
            client.v2.pipelines.trigger(SLUG, branch="main")
        dispatcher_of(client).run(clock.advance, 100)
        usable(client, server)
    assert [request.method for request in server.requests] == ["POST", "GET"]


def test_a_trigger_that_waits_between_attempts_is_not_sent_again(server: ScriptedServer) -> None:
    clock = NotedClock()
    server.on("GET", ME, [reply(503)])
    with sync_client_on(server, clock) as client:
        with pytest.raises(KeyboardInterrupt), signal_when(lambda: clock.is_waited_for.wait(TIMEOUT)):
            client.v2.users.me()
        dispatcher_of(client).run(clock.advance, 100)
        usable(client, server)
    assert len(server.requests) == 2


def test_a_trigger_that_waits_for_a_slot_is_not_sent(server: ScriptedServer) -> None:
    hold = server.latch()
    server.on("GET", ME, reply(json=USER).held_by(hold))
    ready = threading.Event()

    async def note(request: Any) -> None:
        if request.method == "POST":
            ready.set()

    def waits() -> None:
        ready.wait(TIMEOUT)
        for _ in range(5):  # the steps from the hook to the slot
            in_the_loop(lambda: None)

    with sync_client_on(server, max_concurrency=1, on_request=note) as client:
        other = InThread(client.v2.users.me)
        server.wait_for_requests(1)
        with pytest.raises(KeyboardInterrupt), signal_when(waits):
            client.v2.pipelines.trigger(SLUG, branch="main")
        hold.open()
        assert other.result().login == "ada"
        usable(client, server)
    assert [request.method for request in server.requests] == ["GET", "GET"]


# At any moment.


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_at_each_step_of_a_connection(server: ScriptedServer, method: str) -> None:
    """The interrupt comes while the loop is in this step, so that the call may also end before it is cancelled."""
    this, never = threading.get_ident(), threading.Event()
    server.on("GET", ME, reply(json=USER))
    server.on("POST", TRIGGER, reply(201, json=CREATED))

    def call(client: CircleCI) -> object:
        return client.v2.users.me() if method == "GET" else client.v2.pipelines.trigger(SLUG, branch="main")

    with steps_of_connections() as steps:
        for step in count(1):
            client = sync_client_on(server)
            steps.again(step, action=lambda: signal.pthread_kill(this, signal.SIGINT))
            try:
                call(client)
                client.close()  # its steps are among them
                if len(steps.taken) < step:
                    break
                never.wait(TIMEOUT)
            except KeyboardInterrupt:
                steps.again()
                if not client._async._session.is_closed:
                    usable(client, server)
                client.close()
            else:
                raise AssertionError("the interrupt got lost")
    assert step > 6
    server.wait_for_ends(server.connections)


def _storm(client: CircleCI, wanted: int, call: Callable[[], object]) -> int:
    """Interrupt calls so many times, at no particular moment. Returns how many calls returned."""
    this = threading.get_ident()
    is_armed = False
    interrupted, ready, finished = 0, threading.Semaphore(0), 0

    def handle(*_: object) -> None:
        nonlocal is_armed
        if is_armed:
            is_armed = False
            raise SoftTimeLimitError
        ready.release()  # too early or too late: once more

    def send() -> None:
        while interrupted < wanted:
            assert ready.acquire(timeout=TIMEOUT)
            signal.pthread_kill(this, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        sender = InThread(send)
        ready.release()
        while interrupted < wanted:
            try:
                is_armed = True
                call()
                is_armed = False
                finished += 1
            except SoftTimeLimitError:
                interrupted += 1
                ready.release()
        ready.release()
        sender.result()
    finally:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, before)
    return finished


@pytest.mark.parametrize("wanted", [50, pytest.param(1000, marks=pytest.mark.load)])
def test_a_storm_of_interrupts(server: ScriptedServer, wanted: int, caplog: pytest.LogCaptureFixture) -> None:
    server.on("GET", ME, reply(json=USER))
    with sync_client_on(server, max_concurrency=2) as client:
        client.v2.users.me()
        assert _storm(client, wanted, client.v2.users.me) >= 0
        nothing_under_way(client)
        usable(client, server)
    assert caplog.records == []


def _interrupted_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Call.wait

    class Interrupted:
        def __init__(self, loop: Any) -> None:
            self.loop = loop
            self.posted = 0

        def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> object:
            self.posted += 1
            if self.posted == 1:
                raise KeyboardInterrupt
            return self.loop.call_soon_threadsafe(*args, **kwargs)

    monkeypatch.setattr(Call, "wait", lambda call, loop: wait(call, Interrupted(loop)))  # type: ignore[arg-type]  # a stand-in


def _interrupted_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    following = Call._next
    interrupted: list[object] = []

    def next_then_interrupt(call: Call[Any], *args: Any) -> object:
        work = following(call, *args)
        if work is None and not interrupted:
            interrupted.append(call)
            raise KeyboardInterrupt
        return work

    monkeypatch.setattr(Call, "_next", next_then_interrupt)


@pytest.mark.parametrize("interrupt", [_interrupted_before_it_starts, _interrupted_after_its_end])
def test_an_interrupt_at_either_end_of_a_call_waits_for_nothing(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, interrupt: Callable[[pytest.MonkeyPatch], None]
) -> None:
    server.on("GET", ME, reply(json=USER))
    with sync_client_on(server) as client:
        client.v2.users.me()
        monkeypatch.setattr(calls, "FINISH_SECONDS", 10 * TIMEOUT)
        with monkeypatch.context() as patch:
            interrupt(patch)
            with pytest.raises(KeyboardInterrupt):
                InThread(client.v2.users.me).result()
        usable(client, server)


# A cancellation that takes long.


def test_a_second_interrupt_ends_the_wait_for_the_cancellation(server: ScriptedServer) -> None:
    begun, released = threading.Event(), threading.Event()
    free: list[anyio.Event] = []

    async def stay(_: object) -> None:
        if not released.is_set():
            free.append(anyio.Event())
            begun.set()
            with anyio.CancelScope(shield=True):
                await free[0].wait()

    with sync_client_on(server, on_request=stay) as client:
        this = threading.get_ident()

        def twice() -> None:
            begun.wait(TIMEOUT)
            [call] = users_of(client)
            signal.pthread_kill(this, signal.SIGINT)
            while in_the_loop(lambda: call.is_waited_for):  # type: ignore[attr-defined]  # set in this function
                pass
            signal.pthread_kill(this, signal.SIGINT)

        sender = InThread(twice)
        with pytest.raises(KeyboardInterrupt) as caught:
            client.v2.users.me()
        assert isinstance(caught.value.__context__, KeyboardInterrupt)
        sender.result()
        released.set()
        in_the_loop(free[0].set)
        for _ in range(10):
            in_the_loop(lambda: None)
        usable(client, server)
    assert len(server.requests) == 1


def test_the_wait_for_a_cancellation_has_an_end(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "FINISH_SECONDS", 0.01)
    begun = threading.Event()
    free: list[anyio.Event] = []

    async def stay(_: object) -> None:
        free.append(anyio.Event())
        begun.set()
        with anyio.CancelScope(shield=True):
            await free[-1].wait()

    with sync_client_on(server, on_request=stay) as client:
        with pytest.raises(KeyboardInterrupt), signal_when(lambda: begun.wait(TIMEOUT)):
            client.v2.users.me()
        in_the_loop(free[0].set)
        for _ in range(10):
            in_the_loop(lambda: None)
        nothing_under_way(client)
    assert server.requests == []


# In callbacks, blocks and downloads.


@pytest.mark.parametrize("name", ["on_request", "on_response", "auth"])
def test_in_a_plain_function_of_the_user(server: ScriptedServer, name: str) -> None:
    server.on("GET", ME, reply(json=USER))
    is_quiet = False

    def interrupted(*_: object) -> str:
        if not is_quiet:
            signal.raise_signal(signal.SIGINT)
        return TOKEN

    options: dict[str, Any] = {name: interrupted}
    if name != "auth":
        options["token"] = TOKEN
    with CircleCI(base_url=server.url, **options) as client:
        with pytest.raises(KeyboardInterrupt) as caught:
            client.v2.users.me()
        assert "interrupted" in [entry.name for entry in caught.traceback]
        is_quiet = True
        usable(client, server)
    assert len(server.requests) == 1 + (name == "on_response")


def test_while_reading_ahead(server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, [pages(2, 2)[0], hang()])
    with sync_client_on(server) as client:
        seen: list[int] = []
        with (
            pytest.raises(KeyboardInterrupt),
            signal_when(lambda: server.wait_for_requests(2)),
            client.v2.pipelines.list(org_slug="gh/acme").prefetch() as items,
        ):
            seen.extend(item.number for item in items)
        server.wait_for_ends(1)
        usable(client, server)
    assert len(server.requests) == 3


def test_an_iterator_continues_after_an_interrupt(server: ScriptedServer) -> None:
    first, second = pages(2, 2)
    server.on("GET", PIPELINES, [first, hang(), second])
    with sync_client_on(server) as client:
        pager = client.v2.pipelines.list(org_slug="gh/acme")
        numbers = []
        with pytest.raises(KeyboardInterrupt), signal_when(lambda: server.wait_for_requests(2)):
            for item in pager:
                numbers.append(item.number)  # noqa: PERF401  # those before the interrupt
        assert pager.next == "page-2"
        numbers += [item.number for item in pager.resume(pager.next)]
        assert numbers == [0, 1, 100, 101]
        usable(client, server)


def test_a_stream_continues_after_an_interrupt(server: ScriptedServer) -> None:
    """No byte is lost, and none given twice."""
    head = b"HTTP/1.1 206 Partial Content\r\nX-Terminal: true\r\nContent-Length: 6\r\n\r\n"
    hold = server.latch()
    server.on("GET", STDOUT, [Response(head, (b"abc", hold, b"def"))])
    with sync_client_on(server, FakeClock()) as client:
        with client.v3.jobs.stream_stdout(ID, step_num=3, execution=0) as stream:
            assert next(stream) == b"abc"
            this = threading.get_ident()
            sender = InThread(lambda: (_until_read(client), signal.pthread_kill(this, signal.SIGINT)))
            with pytest.raises(KeyboardInterrupt):
                next(stream)
            sender.result()
            assert stream.offset == 3
            hold.open()
            server.on("GET", STDOUT, reply(206, body=b"def", headers={"X-Terminal": "true"}))
            assert b"".join(stream) == b"def"
        usable(client, server)


def _until_read(client: CircleCI) -> None:
    """Until a thread waits for a call, and the call for the server."""
    while not any(isinstance(one, Call) and one._scope is not None for one in users_of(client)):
        in_the_loop(lambda: None)
    for _ in range(5):
        in_the_loop(lambda: None)


def test_a_download_leaves_no_file(server: ScriptedServer, tmp_path: Path) -> None:
    item = {"path": "out/report.txt", "node_index": 0, "url": f"{server.url}/file"}
    server.on("GET", f"/api/v2/project/{SLUG}/1/artifacts", reply(json={"items": [item], "next_page_token": None}))
    hold = server.latch()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n"
    server.on("GET", "/file", Response(head, (b"x" * 2_000_000, hold)))  # more than is in memory before it is written
    written = threading.Event()

    def waits() -> None:
        server.wait_for_requests(2)
        while not any(path.is_file() for path in tmp_path.rglob("*")):
            in_the_loop(lambda: None)
        written.set()

    with sync_client_on(server) as client:
        with pytest.raises(KeyboardInterrupt), signal_when(waits):
            client.artifacts.download(SLUG, 1, dest=tmp_path)
        assert written.is_set()
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
        usable(client, server)
