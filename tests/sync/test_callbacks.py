"""Functions of users in calls of a sync client: plain ones in the thread of the caller, async ones in the loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from circleci_sdk import AuthenticationError, CircleCI, Drift, RateLimitError
from circleci_sdk._core import guarded_limiter
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.support.clients import SLUG, TOKEN, USER
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.sync_clients import ME, TIMEOUT, InThread, engine_threads, nothing_under_way
from tests.sync.test_closing import PIPELINES, pages

TRACE: Final[ContextVar[str]] = ContextVar("trace", default="none")
LOCAL: Final = threading.local()


@pytest.fixture(autouse=True)
def user(server: ScriptedServer) -> None:
    server.on("GET", ME, reply(json=USER))


def connect(server: ScriptedServer, **options: Any) -> CircleCI:
    if "auth" not in options:
        options["token"] = TOKEN
    return CircleCI(base_url=server.url, **options)


class Seen:
    """A plain function of a user, which notes where it is called."""

    def __init__(self, result: Any = None) -> None:
        self.result = result
        self.threads: list[int] = []
        self.traces: list[str] = []
        self.locals: list[object] = []

    def __call__(self, *_: object) -> Any:
        self.threads.append(threading.get_ident())
        self.traces.append(TRACE.get())
        self.locals.append(getattr(LOCAL, "value", None))
        TRACE.set(TRACE.get() + "+")
        return self.result


OPTIONS: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "on_request": lambda function: {"on_request": function},
    "on_response": lambda function: {"on_response": function},
    "auth": lambda function: {"auth": function},
    "a method": lambda function: {"on_request": function.__call__},
    "a lambda": lambda function: {"on_request": lambda request: function(request)},
    "acquire": lambda function: {"rate_limiter": SimpleNamespace(acquire=function, observe=lambda *_: None)},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_plain_functions_have_the_thread_and_the_context_of_the_caller(
    server: ScriptedServer, options: Callable[[Any], dict[str, Any]]
) -> None:
    made = options(lambda *_: None)
    seen = Seen(TOKEN if "auth" in made else None)
    TRACE.set("trace")
    LOCAL.value = "of the caller"
    with connect(server, **options(seen)) as client:
        client.v2.users.me()
        assert TRACE.get() == "trace+"
        client.v2.users.me()
    assert TRACE.get() == "trace++"
    assert seen.traces == ["trace", "trace+"]
    assert set(seen.threads) == {threading.get_ident()}
    assert seen.locals == ["of the caller"] * 2


def test_observe_is_called_in_the_thread_of_the_caller(server: ScriptedServer) -> None:
    observed = Seen()
    headers = {"RateLimit-Limit": "10", "RateLimit-Remaining": "9", "RateLimit-Reset": "1"}
    server.on("GET", ME, reply(json=USER, headers={"X-" + name: value for name, value in headers.items()} | headers))
    limiter = SimpleNamespace(acquire=lambda *_: None, observe=observed)
    with connect(server, rate_limiter=limiter) as client:
        client.v2.users.me()
    assert set(observed.threads) == {threading.get_ident()}


def test_each_thread_has_its_own(server: ScriptedServer) -> None:
    seen: dict[int, str] = {}

    def note(_: object) -> None:
        seen[threading.get_ident()] = TRACE.get()

    with connect(server, on_request=note) as client:

        def call(name: str) -> int:
            TRACE.set(name)
            client.v2.users.me()
            return threading.get_ident()

        threads = [InThread(lambda name=name: call(name)) for name in ("a", "b", "c")]
        assert {one.result(): name for one, name in zip(threads, "abc", strict=True)} == seen


@pytest.mark.parametrize("kind", ["async", "returns an awaitable"])
def test_async_functions_run_in_the_loop_with_the_context_of_the_caller(server: ScriptedServer, kind: str) -> None:
    seen = Seen()

    async def note(request: object) -> None:
        await asyncio.sleep(0)
        seen(request)

    TRACE.set("trace")
    hook: Any = note if kind == "async" else (lambda request: note(request))
    with connect(server, on_request=hook) as client:
        client.v2.users.me()
        [thread] = engine_threads()
        assert seen.threads == [thread.ident]
    assert seen.traces == ["trace"]
    assert TRACE.get() == "trace"  # that of a task of its own


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_token_is_asked_for_again_after_a_401(server: ScriptedServer, kind: str) -> None:
    server.on("GET", ME, lambda request: reply(json=USER) if request.headers["circle-token"] == "new" else reply(401))
    tokens = iter(["old", "new", "new"])

    async def later() -> str:
        return next(tokens)

    auth: Any = (lambda: next(tokens)) if kind == "plain" else later
    with connect(server, auth=auth) as client:
        assert client.v2.users.me().login == "ada"
        assert client.v2.users.me().login == "ada"


def test_a_wrong_token_is_that_of_the_source(server: ScriptedServer) -> None:
    server.on("GET", ME, reply(401))
    with connect(server, auth=lambda: "wrong") as client, pytest.raises(AuthenticationError):
        client.v2.users.me()


# Blocking, nested calls.


def test_a_plain_function_may_call_the_client(server: ScriptedServer) -> None:
    depth = 0

    def call(request: Any) -> None:
        nonlocal depth
        if depth < 3:
            depth += 1
            assert client.v2.users.me().login == "ada"
            assert client.with_options(timeout=5).v2.users.me().login == "ada"

    with connect(server, on_request=call) as client:
        assert client.v2.users.me().login == "ada"
        nothing_under_way(client)
    assert len(server.requests) == 7


def test_a_plain_function_may_block(server: ScriptedServer) -> None:
    """Calls of other threads continue meanwhile."""
    free = threading.Event()

    def block(request: Any) -> None:
        if threading.get_ident() == blocked:
            assert free.wait(TIMEOUT)

    blocked = threading.get_ident()
    with connect(server, on_request=block) as client:

        def others() -> None:
            for _ in range(3):
                client.v2.users.me()
            free.set()

        other = InThread(others)
        assert client.v2.users.me().login == "ada"
        other.result()


# Exceptions.


class OwnError(Exception):
    """Of a user."""


ERRORS: Final = [
    OwnError("own"),
    ValueError("a value"),
    TimeoutError("a time"),
    concurrent.futures.CancelledError(),
    concurrent.futures.InvalidStateError(),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    asyncio.CancelledError(),
]


@pytest.mark.parametrize("name", ["on_request", "on_response", "auth"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_an_exception_passes_through_unchanged(server: ScriptedServer, name: str, error: BaseException) -> None:
    is_calm = False

    def fail(*_: object) -> str:
        if not is_calm:
            raise error
        return TOKEN

    with connect(server, **{name: fail}) as client:
        with pytest.raises(type(error)) as caught:
            client.v2.users.me()
        assert caught.value is error
        assert "fail" in [entry.name for entry in caught.traceback]
        is_calm = True
        assert client.v2.users.me().login == "ada"
        nothing_under_way(client)


def test_a_stop_iteration_does_not_end_a_loop(server: ScriptedServer) -> None:
    """It is an error, as in any coroutine."""
    server.on("GET", PIPELINES, pages(1, 1))

    def stop(_: object) -> None:
        raise StopIteration("no more")

    with connect(server, on_response=stop) as client:
        with pytest.raises(RuntimeError) as caught:
            list(client.v2.pipelines.list(org_slug="gh/acme"))
        assert isinstance(caught.value.__cause__, StopIteration)
        with pytest.raises(RuntimeError):
            client.v2.users.me()


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["SystemExit", "KeyboardInterrupt"])
def test_an_exception_of_an_async_function_that_ends_programs(server: ScriptedServer, error: BaseException) -> None:
    """It would end the event loop, also in a task of a group."""
    fails = True
    hidden = threading.excepthook

    async def fail(_: object) -> None:
        if fails:
            raise error

    with connect(server, on_request=fail) as client:
        with pytest.raises(type(error)):
            client.v2.users.me()
        server.on("GET", PIPELINES, pages(1, 1))
        with pytest.raises(BaseException), client.v2.pipelines.list(org_slug="gh/acme").prefetch() as items:  # noqa: B017, PT011  # alone or in a group
            list(items)
        fails = False
        assert client.v2.users.me().login == "ada"
    assert threading.excepthook is hidden


# Rate limiters.


def test_a_plain_limiter_that_fails_is_replaced(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> None:
        raise OwnError("the store is gone")

    limiter = SimpleNamespace(acquire=fail, observe=fail)
    with connect(server, rate_limiter=limiter) as client:
        assert client.v2.users.me().login == "ada"
    assert "acquire of the custom rate limiter failed" in caplog.text
    assert "the store is gone" in caplog.text


def test_a_plain_limiter_that_refuses(server: ScriptedServer) -> None:
    limiter = SimpleNamespace(acquire=lambda *_: 500.0, observe=lambda *_: None)
    with connect(server, rate_limiter=limiter) as client, pytest.raises(RateLimitError):
        client.v2.users.me()
    assert server.requests == []


def test_an_async_limiter_that_hangs_is_replaced(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_limiter, "LONGEST_SILENCE", 0.01)

    class Limiter:
        async def acquire(self, *_: object) -> float | None:
            await asyncio.Event().wait()
            return None

        async def observe(self, *_: object) -> None: ...

    with connect(server, rate_limiter=Limiter(), max_retry_after=0.01) as client:
        assert client.v2.users.me().login == "ada"
    assert "it did not return in time" in caplog.text


def test_a_plain_limiter_that_hangs_holds_the_call_of_its_thread_alone(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can end it; what it returns later is ignored, and the local limiter has decided."""
    monkeypatch.setattr(guarded_limiter, "LONGEST_SILENCE", 0.01)
    free = threading.Event()
    begun = threading.Event()
    hung: list[int] = []

    def acquire(*_: object) -> float | None:
        if not hung:
            hung.append(1)
            begun.set()
            assert free.wait(TIMEOUT)
        return None

    limiter = SimpleNamespace(acquire=acquire, observe=lambda *_: None)
    with connect(server, rate_limiter=limiter, max_retry_after=0.01) as client:
        first = InThread(client.v2.users.me)
        begun.wait(TIMEOUT)
        server.wait_for_requests(1)  # the call itself continued
        assert client.v2.users.me().login == "ada"
        free.set()
        assert first.result().login == "ada"
        nothing_under_way(client)


# Drift.


def test_on_drift_is_called_before_the_result_is_returned(server: ScriptedServer) -> None:
    server.on("GET", ME, [reply(json={**USER, "name": 7}), reply(json=USER)])
    seen: list[tuple[str, int]] = []

    def note(drift: Drift) -> None:
        seen.append((drift.place, threading.get_ident()))
        assert client.v2.users.me().login == "ada"  # it may call the client

    with connect(server, on_drift=note) as client:
        client.v2.users.me()
        assert seen == [("name", threading.get_ident())]


def test_what_on_drift_raises_is_logged(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    server.on("GET", ME, reply(json={**USER, "name": 7}))

    def fail(_: Drift) -> None:
        raise OwnError("not today")

    with connect(server, on_drift=fail) as client:
        assert client.v2.users.me().login == "ada"
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], OwnError)
    assert record.getMessage() == "on_drift failed for v2.users.me: name"


# No caller waits while pages are read ahead.


def test_callbacks_while_reading_ahead(server: ScriptedServer) -> None:
    """They may block and call the client, and have the context of the caller."""
    server.on("GET", PIPELINES, pages(1, 1))
    called: list[str] = []
    drifted = threading.Event()

    def note(request: Any) -> None:
        if request.url.path == PIPELINES:
            called.append(TRACE.get())
            assert threading.get_ident() != engine_threads()[0].ident
            assert client.v2.users.me().login == "ada"

    def drift(_: Drift) -> None:
        assert client.v2.users.me().login == "ada"
        drifted.set()

    TRACE.set("trace")
    with connect(server, on_request=note, on_drift=drift) as client:
        with client.v2.pipelines.list(org_slug="gh/acme").prefetch() as items:
            assert len(list(items)) == 2
        assert drifted.wait(TIMEOUT)
    assert called == ["trace", "trace"]


# Callbacks of helpers.


def fake_of_a_job() -> FakeCircleCI:
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    web.push(Workflow("build", Job("test", 5, artifacts={"a.txt": b"a", "b.txt": b"b"})), branch="main")
    fake.clock.advance(100)
    return fake


@pytest.mark.parametrize("name", ["match", "on_file"])
def test_callbacks_of_downloads(tmp_path: Path, name: str) -> None:
    fake = fake_of_a_job()
    seen: list[tuple[int, str]] = []

    def note(_: object) -> bool:
        seen.append((threading.get_ident(), TRACE.get()))
        assert client.v2.users.me().login
        return True

    TRACE.set("trace")
    options: dict[str, Any] = {name: note}
    with fake.serve() as served, CircleCI(fake.token, base_url=served.base_url, allow_http=True) as client:
        report = client.artifacts.download(SLUG, 1, tmp_path, **options)
        assert sorted(file.path.name for file in report.files) == ["a.txt", "b.txt"]
        assert set(seen) == {(threading.get_ident(), "trace")}
        assert len(seen) == 2

        def fail(_: object) -> bool:
            raise OwnError

        with pytest.raises(OwnError) as caught:
            client.artifacts.download(SLUG, 1, tmp_path / "other", **{name: fail})  # type: ignore[arg-type]  # one of two
        assert "fail" in [entry.name for entry in caught.traceback]
        with pytest.raises(KeyboardInterrupt):
            client.artifacts.download(SLUG, 1, tmp_path / "third", **{name: interrupt})  # type: ignore[arg-type]  # one of two
        left = [path.name for path in (tmp_path / "third").rglob("*") if path.is_file()]
        assert set(left) <= {"a.txt", "b.txt", ".circleci-artifacts.jsonl"}
        nothing_under_way(client)


def interrupt(_: object) -> bool:
    raise KeyboardInterrupt


def test_callbacks_of_secrets() -> None:
    fake = fake_of_a_job()
    seen: list[int] = []

    def note(*_: object) -> None:
        seen.append(threading.get_ident())
        assert client.v2.users.me().login

    with fake.serve() as served, CircleCI(fake.token, base_url=served.base_url, allow_http=True) as client:
        client.secrets.set_many({"A": "1", "B": "2"}, projects=[SLUG, "gh/acme/none"], on_result=note)
        assert seen == [threading.get_ident()] * 4
        list(client.secrets.audit("gh/acme", contexts=[], projects=["gh/acme/none", SLUG], on_error=note))
        assert seen == [threading.get_ident()] * 5
        nothing_under_way(client)


def test_on_progress_of_usage(tmp_path: Path) -> None:
    fake = fake_of_a_job()
    seen: list[int] = []

    def note(_: object) -> None:
        seen.append(threading.get_ident())
        assert client.v2.users.me().login

    start = fake.clock.now
    fake.clock.advance(86400 * 10)
    with fake.sync_client() as client:
        client.usage.download(fake.organization("gh/acme").id, start, fake.clock.now, tmp_path, on_progress=note)
        assert set(seen) == {threading.get_ident()}
        nothing_under_way(client)
