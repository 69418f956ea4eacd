"""Sync clients for tests, and what a process has before and after them: threads, files, calls, children."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from circleci_sdk import CircleCI
from circleci_sdk._engine.calls import Dispatcher
from circleci_sdk._engine.engine import ENGINE
from circleci_sdk.helpers import Step
from tests.support.clients import ID, SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer

TIMEOUT: Final = 60.0
"""Seconds after which a test fails: a hanging test has no message."""
ME: Final = "/api/v2/me"
STEP: Final = Step(
    **{
        **dict.fromkeys(Step.__annotations__),
        "name": "make",
        "number": 3,
        "index": 0,
        "status": "success",
        "has_output": True,
        "project_slug": SLUG,
        "job_number": 1,
        "job_id": ID,
        "api": "v3",
    }
)
"""A step whose output is read with v3."""


def sync_client_on(server: ScriptedServer | str, clock: FakeClock | None = None, **options: Any) -> CircleCI:
    """A sync client of this server, as `client_on` makes an async one. Hooks are not converted: see `plain_client`."""
    return CircleCI._of(client_on(server, clock, **options))


def engine_threads() -> list[threading.Thread]:
    """The threads of the engine."""
    return [thread for thread in threading.enumerate() if thread.name == "circleci_sdk"]


def until_the_engine_ends() -> None:
    """Wait for the end of the engine, whose last client was collected."""
    for thread in engine_threads():
        thread.join(TIMEOUT)
    assert engine_threads() == []


def in_the_loop(function: Callable[[], Any]) -> Any:
    """The result of a function that is called in the event loop, after all that was queued before."""
    assert ENGINE.loop is not None
    done = threading.Event()
    results: list[Any] = []
    ENGINE.loop.call_soon_threadsafe(lambda: (results.append(function()), done.set()))
    assert done.wait(TIMEOUT)
    return results[0]


def open_files() -> int:
    """The number of open files and sockets, where the system shows them."""
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.exists() else 0


def dispatcher_of(client: Any) -> Dispatcher:
    """What makes the calls of a client, or of what it has returned."""
    dispatcher: Dispatcher = client._dispatcher
    return dispatcher


def users_of(client: Any) -> list[Any]:
    """The calls and blocks of a client that let the engine run."""
    dispatcher = dispatcher_of(client)
    own = dispatcher._client  # pyright: ignore[reportPrivateUsage]  # no public state shows it
    return [user for user, session in list(ENGINE.users.items()) if session is dispatcher.session and user is not own]


def nothing_under_way(client: CircleCI) -> None:
    """No call is held, no request in flight, no concurrency slot lost, no task left but those of the engine."""
    session: Any = client._async._session  # pyright: ignore[reportPrivateUsage]  # no public state shows it
    assert users_of(client) == []
    assert [key for key, flights in session.in_flight.items() if flights] == []

    def slots() -> list[bool]:
        return [one.slots.value == one.slots.max_value for one in session._loops.values()]

    assert all(in_the_loop(slots))
    in_the_loop(lambda: None)
    assert len(in_the_loop(asyncio.all_tasks)) == 1


class InThread:
    """A function that is called in a thread. `result` waits for it."""

    def __init__(self, function: Callable[[], Any], *, daemon: bool = True) -> None:
        self._function = function
        self._result: Any = None
        self._error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=daemon)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def result(self) -> Any:
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive(), "the thread hangs"
        if self._error is not None:
            raise self._error
        return self._result


def all_at_once(count: int, function: Callable[[], Any]) -> list[Any]:
    """The results of so many threads that begin together."""
    barrier = threading.Barrier(count)

    def begin() -> Any:
        barrier.wait(TIMEOUT)
        return function()

    return [one.result() for one in [InThread(begin) for _ in range(count)]]


@contextmanager
def signal_when(condition: Callable[[], object], number: int = signal.SIGINT) -> Generator[None]:
    """Send a signal to this thread as soon as `condition` has returned, which is called in another thread."""
    this = threading.get_ident()

    def send() -> None:
        condition()
        signal.pthread_kill(this, number)

    sender = InThread(send)
    yield
    sender.result()


def in_child(work: Callable[[], Any]) -> Any:
    """The result of `work` in a forked child process."""
    read, write = os.pipe()
    with warnings.catch_warnings():  # Python warns of forks while there are threads, such as those of the test
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        result: tuple[bool, Any] = False, "no result"
        try:
            signal.alarm(int(TIMEOUT / 2))  # a child that hangs
            result = True, work()
        except BaseException:
            result = False, traceback.format_exc()
        finally:
            os.write(write, pickle.dumps(result))
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        written = pipe.read()
    os.waitpid(child, 0)
    assert written, "the child hung"
    is_right, value = pickle.loads(written)
    assert is_right, value
    return value
