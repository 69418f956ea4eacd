"""Attempts of a delivery: what runs again after a failure, and what does not."""

from __future__ import annotations

import asyncio  # its cancellations
import copy
import dataclasses
import inspect
import json
import pickle
import textwrap
from functools import partial
from typing import Any

import anyio
import pytest

from circleci_sdk import CircleCIError, InvalidArgumentError
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.webhooks import (
    DeliveryStore,
    HandleResult,
    HandlerFailure,
    MemoryStore,
    Ping,
    Router,
    WebhookApp,
    parse,
)
from circleci_sdk.webhooks.handling import Progress, stable_name
from tests.webhooks import deliveries
from tests.webhooks.slow_store import SlowStore

PING: Any = parse(deliveries.raw(deliveries.ping()), secret=None)


async def quiet(failure: HandlerFailure) -> None: ...


class Bot:
    """A router with a handler that succeeds and one that fails a number of times."""

    def __init__(self, failures: int, **options: Any) -> None:
        self.calls: list[str] = []
        self.router = Router(**{"on_error": quiet, **options})
        self.failures = failures

        @self.router.on(Ping)
        async def good(event: Ping) -> None:
            self.calls.append("good")

        @self.router.on(Ping)
        async def bad(event: Ping) -> None:
            self.calls.append("bad")
            if self.calls.count("bad") <= self.failures:
                raise ValueError("not now")

    async def statuses(self, times: int) -> list[str]:
        return [(await self.router.handle(PING)).status for _ in range(times)]


@pytest.mark.parametrize(
    ("failures", "options", "statuses"),
    [
        (0, {}, ["handled", "duplicate"]),
        (1, {}, ["failed", "handled", "duplicate"]),
        (2, {}, ["failed", "failed", "handled", "duplicate"]),
        (9, {}, ["failed", "failed", "failed", "duplicate", "duplicate"]),
        (9, {"max_attempts": 1}, ["failed", "duplicate"]),
        (9, {"max_attempts": 4}, ["failed"] * 4 + ["duplicate"]),
    ],
)
async def test_a_failed_delivery_runs_again_without_what_succeeded(
    failures: int, options: dict[str, Any], statuses: list[str]
) -> None:
    bot = Bot(failures, **options)
    assert await bot.statuses(len(statuses)) == statuses
    assert bot.calls.count("good") == 1
    assert bot.calls.count("bad") == len(statuses) - statuses.count("duplicate")


async def test_progress_is_shared_by_the_routers_of_a_store() -> None:
    store = MemoryStore()
    assert await Bot(9, store=store).statuses(1) == ["failed"]
    restarted = Bot(0, store=store)
    assert await restarted.statuses(2) == ["handled", "duplicate"]
    assert restarted.calls == ["bad"]


async def test_a_result_lists_the_failures_and_raises_them() -> None:
    bot = Bot(1)
    result = await bot.router.handle(PING)
    (failure,) = result.errors
    assert (type(failure.error), failure.cancelled, failure.event) == (ValueError, False, PING)
    with pytest.raises(CircleCIError, match=r"^handlers: 1 failed:\n  .*bad raised ValueError on Ping") as raised:
        result.raise_for_failure()
    cause: Any = raised.value.__cause__
    assert type(cause) is ExceptionGroup
    assert cause.exceptions == (failure.error,)
    for good in (await bot.router.handle(PING), await bot.router.handle(PING)):
        assert good.raise_for_failure() is good


async def test_failures_are_in_the_order_of_registration() -> None:
    router, second_failed = Router(on_error=quiet), anyio.Event()

    @router.on(Ping)
    async def first(event: Ping) -> None:
        await second_failed.wait()
        raise ValueError

    @router.on(Ping)
    async def second(event: Ping) -> None:
        second_failed.set()
        raise LookupError

    with anyio.fail_after(5):
        result = await router.handle(PING)
    assert [failure.handler for failure in result.errors] == [first, second]


async def test_a_result_is_a_value_without_the_client_of_a_handler(caplog: pytest.LogCaptureFixture) -> None:
    class Caller:
        def __init__(self) -> None:
            self.circleci = FakeCircleCI().client()

        async def call(self, event: Ping, token: str = "") -> None:
            raise ValueError("no")

    router, caller = Router(), Caller()
    router.on(Ping)(caller.call)
    router.on(Ping)(partial(caller.call, token="hidden"))
    result = await router.handle(PING)
    name = f"{__name__}.{Caller.__qualname__}.call"
    first, second = (
        {"event": PING, "name": name, "error": failure.error, "cancelled": False} for failure in result.errors
    )
    shown = dataclasses.asdict(result)
    assert [dict(failure, error=None) for failure in shown["errors"]] == [
        dict(failure, error=None) for failure in (first, second)
    ]
    assert copy.deepcopy(result) == copy.copy(result) == result
    assert copy.deepcopy(result).errors[0].handler == caller.call
    read = pickle.loads(pickle.dumps(result))
    assert str(read.errors) == str(result.errors)
    assert "hidden" not in repr(result) + str(result.errors[1]) + caplog.text
    with pytest.raises(CircleCIError) as raised:
        result.raise_for_failure()
    assert "hidden" not in str(raised.value)


async def leak(*_: object) -> Any:
    """Await a task that was cancelled: the caller gets its `CancelledError`, without being cancelled."""
    task = asyncio.ensure_future(asyncio.sleep(60))
    task.cancel()
    await task


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("where", ["handler", "on_error", "save", "claim"])
async def test_a_cancelled_task_of_others_is_a_failure_and_ends_nothing(where: str) -> None:
    store = MemoryStore()
    leaked: list[str] = []

    async def on_error(failure: object) -> None:
        leaked.append("on_error")
        await leak()

    bot = Bot(1, store=store, **({"on_error": on_error} if where == "on_error" else {}))
    if where == "handler":
        bot.router.on(Ping)(leak)
    elif where != "on_error":
        setattr(store, where, leak)
    app = WebhookApp(bot.router, secret=deliveries.SECRET)
    with anyio.fail_after(5):
        async with app:
            first = await deliveries.post(app, deliveries.raw(deliveries.ping(1)))
            await anyio.wait_all_tasks_blocked()
            if where in ("save", "claim"):
                delattr(store, where)
            second = await deliveries.post(app, deliveries.raw(deliveries.ping(2)))
            await anyio.wait_all_tasks_blocked()
    assert [first.status, second.status] == [503 if where == "claim" else 200, 200]
    assert bot.calls.count("good") == (1 if where == "claim" else 2)
    assert leaked == (["on_error"] if where == "on_error" else [])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("handlers", [1, 2])
async def test_a_timeout_of_asyncio_cancels_the_handlers_and_counts_as_an_attempt(handlers: int) -> None:
    router, calls = Router(on_error=quiet), list[int]()

    async def waits(event: Ping) -> None:
        calls.append(1)
        if len(calls) == handlers:
            limit.reschedule(0)
        if len(calls) <= handlers:
            await anyio.sleep_forever()

    for _ in range(handlers):
        router.on(Ping)(waits)
    with anyio.fail_after(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60) as limit:
                await router.handle(PING)
        assert (await router.handle(PING)).status == "handled"
    assert len(calls) == 2 * handlers


async def test_dispatch_has_a_result_and_no_memory() -> None:
    bot = Bot(1)
    assert [(await bot.router.dispatch(PING)).status for _ in range(3)] == ["failed", "handled", "handled"]
    assert bot.calls.count("good") == 3


async def test_of_concurrent_deliveries_of_one_id_one_is_handled() -> None:
    router, release, results = Router(on_error=quiet), anyio.Event(), list[str]()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        await release.wait()
        raise ValueError

    async def deliver() -> None:
        results.append((await router.handle(PING)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(deliver)
            await anyio.wait_all_tasks_blocked()
            assert results == ["duplicate"] * 4
            release.set()
    assert results[4:] == ["failed"]


async def test_a_cancelled_attempt_releases_the_id_and_remembers_what_succeeded() -> None:
    router, calls = Router(on_error=quiet), list[str]()

    @router.on(Ping)
    async def good(event: Ping) -> None:
        calls.append("good")

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        calls.append("slow")
        if calls.count("slow") == 1:
            await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.handle, PING)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        assert (await router.handle(PING)).status == "handled"
    assert sorted(calls) == ["good", "slow", "slow"]


async def test_a_cancellation_during_the_claim_does_not_keep_the_id() -> None:
    store = SlowStore(claims="before")
    bot = Bot(0, store=store)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bot.router.handle, PING)
            await store.entered.wait()
            tasks.cancel_scope.cancel()
            store.proceed.set()
        assert await bot.statuses(2) == ["handled", "duplicate"]


@pytest.mark.parametrize("broken", ["claim", "load", "save", "release"])
async def test_an_error_of_the_store_is_raised_and_the_id_released(broken: str) -> None:
    store = MemoryStore()
    bot = Bot(1, store=store)

    async def fail(*arguments: str) -> Any:
        raise ConnectionError("no database")

    setattr(store, broken, fail)
    with pytest.raises(ConnectionError):
        await bot.router.handle(PING)
    delattr(store, broken)
    assert await bot.statuses(1) != ["duplicate"]


async def test_a_manual_redelivery_to_the_app_runs_what_failed() -> None:
    bot, content, texts = Bot(1), deliveries.raw(deliveries.ping()), list[str]()
    with anyio.fail_after(5):
        app = WebhookApp(bot.router, secret=deliveries.SECRET)
        async with app:
            for _ in range(3):
                reply = await deliveries.post(app, content)
                texts.append(f"{reply.status} {reply.text.strip()}")
                await anyio.wait_all_tasks_blocked()
    assert texts == ["200 Accepted.", "200 Accepted.", "200 Duplicate delivery."]
    assert sorted(bot.calls) == ["bad", "bad", "good"]


async def test_a_store_that_fails_after_the_response_does_not_end_the_app() -> None:
    class Broken(MemoryStore):
        async def save(self, delivery_id: str, progress: str) -> None:
            raise ConnectionError("no database")

    bot = Bot(1, store=Broken())
    with anyio.fail_after(5):
        app = WebhookApp(bot.router, secret=deliveries.SECRET)
        async with app:
            for number in range(3):
                assert (await deliveries.post(app, deliveries.raw(deliveries.ping(number)))).status == 200
                await anyio.wait_all_tasks_blocked()
    assert len(bot.calls) == 6


class Redis:
    """The commands of a client of Redis that the store in the documentation uses."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    async def set(self, key: str, value: object, *, ex: int, nx: bool = False) -> bool | None:
        if nx and key in self.values:
            return None
        self.values[key] = str(value).encode()
        return True

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def eval(self, script: str, count: int, key: str, owner: str) -> None:
        assert "GET" in script
        assert "DEL" in script
        assert count == 1
        if self.values.get(key) == owner.encode():
            del self.values[key]


def store_of_the_documentation() -> Any:
    """The class in the docstring of `DeliveryStore`."""
    lines = inspect.cleandoc(DeliveryStore.__doc__ or "").splitlines()
    names: dict[str, Any] = {"Redis": Redis}
    exec(textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line)), names)
    return names["RedisStore"]


async def test_a_store_in_redis() -> None:
    redis, redis_store = Redis(), store_of_the_documentation()
    assert await Bot(9, store=redis_store(redis)).statuses(2) == ["failed", "failed"]
    bot = Bot(0, store=redis_store(redis))
    assert await bot.statuses(2) == ["handled", "duplicate"]
    assert bot.calls == ["bad"]


async def test_a_function_registered_twice_is_two_handlers() -> None:
    router, calls = Router(on_error=quiet), list[str]()

    async def twice(event: Ping) -> None:
        calls.append("twice")
        if len(calls) == 2:
            raise ValueError

    router.on(Ping)(twice)
    router.on(Ping)(twice)
    assert [(await router.handle(PING)).status for _ in range(3)] == ["failed", "handled", "duplicate"]
    assert len(calls) == 3


def test_names_of_handlers_are_the_same_in_each_process() -> None:
    class Callable:
        async def __call__(self, event: Ping) -> None: ...

        async def method(self, event: Ping) -> None: ...

    here = f"{__name__}.test_names_of_handlers_are_the_same_in_each_process.<locals>.Callable"
    assert stable_name(quiet) == f"{__name__}.quiet"
    assert stable_name(Callable()) == here
    assert stable_name(Callable().method) == stable_name(partial(partial(Callable().method))) == f"{here}.method"


@pytest.mark.parametrize(
    "saved",
    [
        "",
        "x",
        "[]",
        "5",
        "null",
        "{}",
        '{"attempts": "1", "succeeded": []}',
        '{"attempts": 1, "succeeded": 5}',
        b"\xff",
    ],
)
def test_an_unreadable_progress_is_none(saved: str | bytes, caplog: pytest.LogCaptureFixture) -> None:
    assert Progress.read(saved) == Progress()
    assert "unreadable progress" in caplog.text


def test_progress_is_saved_and_read() -> None:
    progress = Progress().after(["b"]).after({"a"})
    assert progress == Progress(2, frozenset("ab"))
    assert Progress.read(progress.saved()) == Progress.read(progress.saved().encode()) == progress
    assert json.loads(progress.saved()) == {"attempts": 2, "succeeded": ["a", "b"]}
    assert Progress.read(None) == Progress()


@pytest.mark.parametrize("attempts", [0, -1, True, 1.5, None])
def test_max_attempts_is_a_count(attempts: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="max_attempts: expected an int of at least 1"):
        Router(max_attempts=attempts)


async def test_the_progress_in_memory_is_bounded() -> None:
    store = MemoryStore(2)
    for name in "abac":
        await store.save(name, name)
    assert [await store.load(name) for name in "abc"] == ["a", None, "c"]


async def test_a_subscription_gets_a_delivery_once_over_all_attempts() -> None:
    bot = Bot(2)
    subscription = bot.router.subscribe()
    await bot.statuses(4)
    assert subscription.take() is PING
    assert subscription.take() is None
    assert HandleResult("handled").errors == ()
