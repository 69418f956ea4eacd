"""Limits of receivers: time of handlers, deliveries in progress, memory of ids; and tasks that others cancel."""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import Coroutine
from functools import partial
from typing import Any
from unittest.mock import AsyncMock

import anyio
import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk.webhooks import HandlerFailure, MemoryStore, Ping, Router, WebhookApp, delivery_id, parse
from circleci_sdk.webhooks.pressure import Pressure
from tests.support.clock import FakeClock, run_until_idle
from tests.webhooks import deliveries
from tests.webhooks.deliveries import SECRET, post, raw


def ping(number: int) -> bytes:
    return raw(deliveries.ping(number))


def receiver(**options: Any) -> tuple[Router, WebhookApp, list[HandlerFailure]]:
    failures: list[HandlerFailure] = []

    async def note(failure: HandlerFailure) -> None:
        failures.append(failure)

    router = Router(on_error=note)
    return router, WebhookApp(router, secret=SECRET, **options), failures


@pytest.mark.parametrize("handlers", [1, 2])
async def test_a_handler_that_hangs_is_cancelled_and_has_failed(handlers: int) -> None:
    router, app, failures = receiver(handler_timeout=0.02, max_running=1)
    cancelled: list[str] = []

    async def hangs(event: Ping) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(event.id)

    for _ in range(handlers):
        router.on(Ping)(hangs)
    with anyio.fail_after(10):
        async with app:
            for sent in range(1, 3):  # a manual redelivery runs it again
                assert (await post(app, ping(1))).status == 200
                while len(failures) < sent * handlers or app._running:  # pyright: ignore[reportPrivateUsage]  # noqa: ASYNC110  # its report has no event
                    await anyio.sleep(0.001)
    assert len(cancelled) == 2 * handlers
    assert [type(failure.error) for failure in failures] == [TimeoutError] * 2 * handlers
    assert "did not end within 0.02 s" in str(failures[0].error)
    assert not failures[0].cancelled


async def test_a_handler_that_catches_its_cancellation_has_failed_too() -> None:
    router, app, failures = receiver(handler_timeout=0.02)

    @router.on(Ping)
    async def stubborn(event: Ping) -> None:
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            raise LookupError from error

    with anyio.fail_after(10):
        async with app:
            await post(app, ping(1))
            while not failures:  # noqa: ASYNC110  # its report has no event
                await anyio.sleep(0.001)
    assert isinstance(failures[0].error, LookupError)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("handler_timeout", [0, -1, True, "5", float("nan"), float("inf")]),
        ("read_timeout", [0, None, "8"]),
        ("shutdown_timeout", [-1, None, float("nan")]),
        ("max_running", [0, 1.5, None, True]),
        ("max_body", [0, "1"]),
    ],
)
def test_limits_are_checked_at_construction(name: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InvalidArgumentError, match=name):
            WebhookApp(Router(), secret=SECRET, **{name: value})


@pytest.mark.parametrize("value", [0, None, "4", True])
def test_the_timeout_of_the_store_is_checked(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="store_timeout"):
        Router(store_timeout=value)


async def test_warnings_name_what_runs_longest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    router, app, _ = receiver(max_running=4)
    clock, release = FakeClock(), anyio.Event()
    app._clock, router._calls._monotonic = clock, clock.monotonic  # pyright: ignore[reportPrivateUsage]  # the clock has no public name

    @router.on(Ping)
    async def waits(event: Ping) -> None:
        await release.wait()

    async def warnings_after(number: int, status: int = 200) -> list[str]:
        caplog.clear()
        assert (await post(app, ping(number))).status == status
        await anyio.wait_all_tasks_blocked()
        return [record.getMessage() for record in caplog.records]

    with anyio.fail_after(10):
        async with app:
            assert await warnings_after(1) == []
            clock.now += 100
            (half,) = await warnings_after(2)
            assert "2 of 4 deliveries are in progress (half of max_running)" in half
            assert f"waits runs longest, for 100 s on delivery {deliveries.uuid(1)}" in half
            assert await warnings_after(3) == []
            (full,) = await warnings_after(4)
            assert "4 of 4 deliveries are in progress (further ones are rejected)" in full
            assert await warnings_after(5, 503) == []
            clock.now += 59
            assert await warnings_after(5, 503) == []
            clock.now += 1
            (again,) = await warnings_after(5, 503)
            assert "for 160 s" in again
            release.set()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("handlers", [1, 2])
async def test_a_handler_whose_task_others_cancel_ends_nothing_else(handlers: int) -> None:
    router, app, failures = receiver()
    handled: list[str] = []

    async def cancels_itself(event: Ping) -> None:
        if event.id == deliveries.uuid(1):
            own = asyncio.current_task()
            assert own is not None
            own.cancel()
            await anyio.sleep_forever()
        handled.append(event.id)

    for _ in range(handlers):
        router.on(Ping)(cancels_itself)
    with anyio.fail_after(10):
        async with app:
            for number in (1, 2):
                assert (await post(app, ping(number))).status == 200
                await anyio.wait_all_tasks_blocked()
            assert (await post(app, ping(1))).text == "Accepted.\n"  # its id was released
            await anyio.wait_all_tasks_blocked()
    assert handled == [deliveries.uuid(2)] * handlers
    assert [failure.cancelled for failure in failures] == [True] * 2 * handlers


async def test_the_memory_of_ids_is_bounded_in_bytes() -> None:
    store = MemoryStore(max_bytes=10_000)
    for number in range(1000):
        assert await store.claim(f"{number:050}", "owner")
        await store.save(f"{number:050}", "x" * 100)
    assert 0 < len(store) < 50
    assert not await store.claim(f"{999:050}", "another")
    assert await store.claim(f"{999:050}", "owner")
    assert await store.load(f"{0:050}") is None
    assert await store.load(f"{999:050}") == "x" * 100
    await store.save("long", "x" * 9600)
    assert await store.load(f"{999:050}") is None
    for wrong in (0, None, 1.5):
        with pytest.raises(InvalidArgumentError, match="max_bytes"):
            MemoryStore(max_bytes=wrong)  # type: ignore[arg-type]  # what is refused


async def test_the_limit_in_bytes_is_that_of_the_memory() -> None:
    store = MemoryStore(max_bytes=500_000)
    tracemalloc.start()
    try:
        for number in range(10_000):
            await store.claim(f"{number:036}", f"{number:032}")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 600_000
    assert len(store) > 1000


async def test_ids_of_running_deliveries_are_kept() -> None:
    store, release, started = MemoryStore(2), anyio.Event(), list[str]()
    router = Router(store=store)

    @router.on(Ping)
    async def waits(event: Ping) -> None:
        started.append(event.id)
        if event.id == deliveries.uuid(1):
            await release.wait()

    events = [parse(ping(number), secret=None) for number in range(1, 6)]
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.handle, events[0])
            await run_until_idle()
            for event in events[1:]:
                await router.handle(event)
            assert (await router.handle(events[0])).status == "duplicate"
            assert (await router.handle(events[4])).status == "duplicate"
            assert len(store) == 3
            release.set()
        assert (await router.handle(events[0])).status == "duplicate"  # it ended last
        assert len(store) == 2


async def test_the_owner_of_a_claim_alone_releases_it() -> None:
    store = MemoryStore()
    assert await store.claim("id", "one")
    await store.release("id", "another")
    assert not await store.claim("id", "another")
    store.begin("id")
    assert await store.claim("id", "one")
    await store.release("id", "one")
    assert await store.claim("id", "another")
    store.end("id")
    store.begin("unknown")
    assert len(store) == 1


def test_one_delivery_is_no_pressure(caplog: pytest.LogCaptureFixture) -> None:
    pressure = Pressure(2)
    pressure.note(1, lambda: None, 0.0)
    assert not caplog.records
    pressure.note(2, lambda: None, 0.0)
    assert "further ones are rejected" in caplog.text


def test_stores_of_an_older_form_are_refused() -> None:
    class Old(MemoryStore):
        async def claim(self, delivery_id: str) -> bool:  # type: ignore[override]  # the older form
            return True

    with pytest.raises(InvalidArgumentError, match=r"store: claim: .*\(delivery_id, owner\)"):
        Router(store=Old())  # pyright: ignore[reportArgumentType]  # what is refused
    bound = MemoryStore()
    bound.save = partial(bound.save, "id", "progress", "more")  # type: ignore[method-assign]  # what is refused
    with pytest.raises(InvalidArgumentError, match=r"store: save: .*\(delivery_id, progress\)"):
        Router(store=bound)
    for wrong in (object(), MemoryStore, "redis"):
        with pytest.raises(InvalidArgumentError, match="store"):
            Router(store=wrong)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("name", ["claim", "release", "load", "save"])
def test_stores_with_plain_methods_are_refused(name: str) -> None:
    def plain(*args: str) -> bool:
        return True

    def coroutine(*args: str) -> Coroutine[Any, Any, bool]:
        raise NotImplementedError

    store: Any = MemoryStore()
    setattr(store, name, plain)
    with pytest.raises(InvalidArgumentError, match=f"store: {name}: expected an async method, got a plain function"):
        Router(store=store)
    for method in (coroutine, AsyncMock()):
        setattr(store, name, method)
        Router(store=store)


@pytest.mark.parametrize(
    ("given", "short"),
    [("a" * 200, True), ("a" * 201, False), ("é", False), ("a\x00b", False), ("a" * 1_000_000, False)],
)
def test_ids_are_short_and_of_ascii(given: str, short: bool) -> None:
    found = delivery_id(parse(raw({"type": "x", "id": given}), secret=None))
    assert (found == given) is short
    assert len(found) <= 200
    assert found.isascii()
    assert found == delivery_id(parse(raw({"type": "y", "id": given}), secret=None))
