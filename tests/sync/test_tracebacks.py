"""Tracebacks: the line of the user, the generated method, `_run`; warnings: the line of the user."""

from __future__ import annotations

import gc
import subprocess
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final

import pytest

from circleci_sdk import (
    CircleCI,
    ClientClosedError,
    ConnectionFailedError,
    DecodeError,
    InvalidArgumentError,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
)
from circleci_sdk.helpers.runs.result import RunTimeoutError
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.support.clients import CREATED, ID, SLUG, TOKEN, USER
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, drop, hang, reply
from tests.support.sync_clients import STEP, sync_client_on

HERE: Final = Path(__file__).name


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[CircleCI]:
    with sync_client_on(server, FakeClock(), max_retries=0) as client:
        yield client


def frames(trace: TracebackType | None) -> list[tuple[str, str]]:
    """The file and the function of each frame."""
    return [(Path(frame.filename).name, frame.name) for frame in traceback.extract_tb(trace)]


Use = Callable[[CircleCI], object]
CASES: Final[dict[str, tuple[type[BaseException], Response | None, Use, list[str]]]] = {
    "NotFound": (NotFoundError, reply(404), lambda c: c.v2.users.me(), ["me", "_run"]),
    "Server": (ServerError, reply(500), lambda c: c.v2.users.me(), ["me", "_run"]),
    "the transport": (ConnectionFailedError, drop(), lambda c: c.v2.users.me(), ["me", "_run"]),
    "Decode": (DecodeError, reply(body=b"{"), lambda c: c.v2.users.me(), ["me", "_run"]),
    "Timeout": (
        RequestTimeoutError,
        hang(),
        lambda c: c.with_options(timeout=0.01).v2.users.me(),
        ["me", "_run"],
    ),
    "InvalidArgument": (InvalidArgumentError, None, lambda c: c.v2.pipelines.get(""), ["get", "_run"]),
    "request": (InvalidArgumentError, None, lambda c: c.request("GET", "no path"), ["request", "_run"]),
    "raw_response": (
        NotFoundError,
        reply(404),
        lambda c: c.raw_response(c.v2.users.me),
        ["raw_response", "_run"],
    ),
    "a page": (NotFoundError, reply(404), lambda c: c.v2.pipelines.list().page(), ["page", "_run"]),
    "take": (NotFoundError, reply(404), lambda c: c.v2.pipelines.list().take(3), ["take", "_run"]),
    "collect": (NotFoundError, reply(404), lambda c: c.v2.pipelines.list().collect(), ["collect", "_run"]),
    "a loop": (NotFoundError, reply(404), lambda c: next(iter(c.v2.pipelines.list())), ["__next__", "_run"]),
    "pages": (NotFoundError, reply(404), lambda c: next(c.v2.pipelines.list().pages()), ["__next__", "_run"]),
    "a stream": (
        NotFoundError,
        reply(404),
        lambda c: c.v3.jobs.stream_stdout(ID, step_num=3, execution=0).__enter__(),
        ["__enter__", "_run"],
    ),
    "logs": (NotFoundError, reply(404), lambda c: c.logs.open(STEP).__enter__(), ["__enter__", "_run"]),
    "records": (NotFoundError, reply(404), lambda c: next(c.history.records(SLUG)), ["__next__", "_run"]),
    "a helper": (NotFoundError, reply(404), lambda c: c.runs.start(SLUG, branch="main"), ["start", "_run"]),
}


@pytest.mark.parametrize(("error", "response", "use", "expected"), CASES.values(), ids=CASES)
def test_three_frames(
    client: CircleCI,
    server: ScriptedServer,
    error: type[BaseException],
    response: Response | None,
    use: Use,
    expected: list[str],
) -> None:
    if response is not None:
        server.otherwise(response)
    with pytest.raises(error) as caught:
        use(client)
    first, second, *rest = frames(caught.tb)
    assert (first[0], second) == (HERE, (HERE, "<lambda>"))
    assert [name for _, name in rest] == expected


def test_a_closed_client(server: ScriptedServer) -> None:
    client = sync_client_on(server)
    client.close()
    with pytest.raises(ClientClosedError) as caught:
        client.v2.users.me()
    assert [name for _, name in frames(caught.tb)][1:] == ["me", "_run"]


def test_frames_of_a_hook_are_kept(server: ScriptedServer) -> None:
    def outer(_: object) -> None:
        inner()

    def inner() -> None:
        raise ZeroDivisionError

    with CircleCI(TOKEN, base_url=server.url, on_request=outer) as client, pytest.raises(ZeroDivisionError) as caught:
        client.v2.users.me()
    assert [name for _, name in frames(caught.tb)][1:] == ["me", "_run", "outer", "inner"]


def test_causes_and_contexts_are_kept(client: CircleCI, server: ScriptedServer) -> None:
    server.otherwise(drop())
    own = LookupError("of the caller")
    with pytest.raises(ConnectionFailedError) as caught:
        try:
            raise own
        except LookupError:
            client.v2.users.me()
    assert caught.value.__cause__ is not None
    assert caught.value.__context__ is own
    assert own.__traceback__ is not None
    with pytest.raises(ConnectionFailedError) as again:
        client.v2.users.me()
    assert again.value is not caught.value


def test_the_error_of_a_helper_keeps_its_facts() -> None:
    fake = FakeCircleCI()
    fake.add_project(SLUG).will_run(Workflow("build", Job("test", 10_000)))
    with fake.sync_client() as client:
        run = client.runs.start(SLUG, branch="main")
        with pytest.raises(RunTimeoutError) as caught:
            run.wait(timeout=5)
    assert [name for _, name in frames(caught.tb)][1:] == ["wait", "_run"]
    assert caught.value.result.describe()


def test_no_frame_holds_the_token(client: CircleCI, server: ScriptedServer) -> None:
    server.script([reply(404), drop(), reply(401)])
    for _ in range(3):
        with pytest.raises(Exception, match=r"v2\.users\.me") as caught:
            client.v2.users.me()
        error: BaseException | None = caught.value
        while error is not None:
            shown = traceback.TracebackException.from_exception(error, capture_locals=True)
            assert TOKEN not in "".join(shown.format())
            error = error.__cause__ or error.__context__


def test_an_error_is_freed_at_once(client: CircleCI, server: ScriptedServer) -> None:
    """It is in no cycle, so that what its frames hold is freed without the garbage collector."""
    server.otherwise(reply(404))
    gc.collect()
    gc.disable()
    try:
        try:
            client.v2.users.me()
        except NotFoundError as error:
            reference = weakref.ref(error)
        assert reference() is None
    finally:
        gc.enable()


PYTEST: Final = """
from circleci_sdk.testing import FakeCircleCI

def test_it():
    with FakeCircleCI().sync_client() as client:
        client.v2.pipelines.get("5034460f-c7c4-4c43-9457-de07e2029e7b")
"""


def test_what_pytest_shows(tmp_path: Path) -> None:
    """The line of the user and the generated method."""
    test = tmp_path / "test_of_a_user.py"
    test.write_text(PYTEST)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-q", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(test)], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    shown = [line.split(":")[0] for line in done.stdout.splitlines() if ": in " in line]
    assert [Path(name).name for name in shown] == [test.name, "pipelines.py"], done.stdout


# Warnings.


@contextmanager
def noted() -> Generator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


DEPRECATED: Final[dict[str, Use]] = {
    "trigger": lambda c: c.v1.builds.trigger(SLUG),  # pyright: ignore[reportDeprecated]  # what is tested
    "retry": lambda c: c.v1.builds.retry(SLUG, 1),  # pyright: ignore[reportDeprecated]  # what is tested
    "trigger_for_branch": lambda c: c.v1.builds.trigger_for_branch(SLUG, "main"),  # pyright: ignore[reportDeprecated]  # what is tested
    "raw_response": lambda c: c.raw_response(c.v1.builds.retry, SLUG, 1),  # pyright: ignore[reportDeprecated]  # what is tested
}


@pytest.mark.parametrize("use", DEPRECATED.values(), ids=DEPRECATED)
def test_deprecations_point_to_the_line_of_the_caller(client: CircleCI, server: ScriptedServer, use: Use) -> None:
    server.otherwise(reply(200, json={}))
    with noted() as caught:
        line = use.__code__.co_firstlineno
        with suppress(DecodeError):  # what came is no build
            use(client)
    [warning] = caught
    assert (Path(warning.filename).name, warning.lineno) == (HERE, line)
    assert warning.category is DeprecationWarning
    assert len(server.requests) == 1


@pytest.mark.parametrize("use", DEPRECATED.values(), ids=DEPRECATED)
def test_nothing_is_sent_where_a_deprecation_is_an_error(client: CircleCI, server: ScriptedServer, use: Use) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning) as caught:
            use(client)
    assert server.requests == []
    assert frames(caught.tb)[1] == (HERE, "<lambda>")


def test_no_other_warnings(client: CircleCI, server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))
    with noted() as caught:
        client.v2.users.me()
        client.v2.pipelines.trigger(SLUG, branch="main")
    assert caught == []
    assert sys.exception() is None
