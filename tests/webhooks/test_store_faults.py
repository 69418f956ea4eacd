"""A store that fails loses no delivery: over sockets, on asyncio and trio."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk.webhooks import MemoryStore, Ping, Router, WebhookApp, parse
from tests.support.asgi_server import serving
from tests.support.clock import FakeClock, run_until_idle
from tests.webhooks import deliveries
from tests.webhooks.deliveries import SECRET, headers, raw
from tests.webhooks.faulty_store import FAULTS, FaultyStore

DELIVERIES = 6
MOST_SENT = 60
"""Times that a delivery is sent, until it is accepted."""


class Receiver:
    """A router and its app, as one process has them."""

    def __init__(self, store: Any, failing: frozenset[str] = frozenset()) -> None:
        self.handled: Counter[str] = Counter()
        self.router = Router(store=store, store_timeout=0.03, max_attempts=1000, on_error=self.ignore)
        self.app = WebhookApp(self.router, secret=SECRET)
        self.claims = self.router._claims  # pyright: ignore[reportPrivateUsage]  # claims have no public name
        self.app._clock = self.claims.clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
        failed: set[str] = set()

        @self.router.on(Ping)
        async def handle(event: Ping) -> None:
            await anyio.lowlevel.checkpoint()
            if event.id in failing and event.id not in failed:
                failed.add(event.id)
                raise ValueError("not now")
            self.handled[event.id] += 1

    async def ignore(self, failure: object) -> None: ...

    async def released(self) -> None:
        """Until nothing is claimed any more that is not handled."""
        while self.claims.unreleased:  # noqa: ASYNC110  # no event: the loop of the app is under test
            await anyio.sleep(0.005)


@asynccontextmanager
async def served(*receivers: Receiver) -> AsyncGenerator[list[httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        clients: list[httpx.AsyncClient] = []
        for receiver in receivers:
            await stack.enter_async_context(receiver.app)
            url = await stack.enter_async_context(serving(receiver.app))
            clients.append(await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20)))
        yield clients


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Hundreds of tracebacks take longer than the tests."""
    logging.getLogger("circleci_sdk").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("circleci_sdk").setLevel(logging.NOTSET)


async def send(client: httpx.AsyncClient, number: int) -> int:
    content = raw(deliveries.ping(number))
    return (await client.post("/", content=content, headers=headers(content))).status_code


def faults_of(backend: str) -> tuple[str, ...]:
    return FAULTS if backend == "asyncio" else FAULTS[:2]


@pytest.mark.parametrize("seed", range(3))
async def test_each_delivery_is_handled_once(seed: int, anyio_backend_name: str) -> None:
    store = FaultyStore(random.Random(seed), 0.3, faults_of(anyio_backend_name))
    receiver = Receiver(store)
    with anyio.fail_after(60):
        async with served(receiver) as (client,), anyio.create_task_group() as tasks:

            async def deliver(number: int) -> None:
                for _ in range(MOST_SENT):
                    if await send(client, number) == 200:
                        return
                raise AssertionError("never accepted")

            for number in range(DELIVERIES):
                tasks.start_soon(deliver, number)
    assert receiver.handled == {deliveries.uuid(number): 1 for number in range(DELIVERIES)}
    assert store.seen


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("after_release", [True, False])
async def test_of_two_processes_one_handles_each_delivery(
    seed: int, after_release: bool, anyio_backend_name: str
) -> None:
    """The next one gets a delivery after the first has released it, or before."""
    store = FaultyStore(random.Random(seed), 0.3, faults_of(anyio_backend_name))
    receivers = Receiver(store), Receiver(store)
    with anyio.fail_after(60):
        async with served(*receivers) as clients, anyio.create_task_group() as tasks:

            async def deliver(number: int) -> None:
                for attempt in range(MOST_SENT):
                    at = (number + attempt) % 2
                    if await send(clients[at], number) == 200:
                        return
                    if after_release:
                        await receivers[at].released()
                raise AssertionError("never accepted")

            for number in range(DELIVERIES):
                tasks.start_soon(deliver, number)
    handled = receivers[0].handled + receivers[1].handled
    assert handled == {deliveries.uuid(number): 1 for number in range(DELIVERIES)}


@pytest.mark.parametrize("seed", range(2))
async def test_a_manual_redelivery_runs_what_failed(seed: int, anyio_backend_name: str) -> None:
    store = FaultyStore(random.Random(seed), 0.3, faults_of(anyio_backend_name))
    ids = frozenset(deliveries.uuid(number) for number in range(DELIVERIES))
    receiver = Receiver(store, failing=ids)
    with anyio.fail_after(60):
        async with served(receiver) as (client,), anyio.create_task_group() as tasks:

            async def deliver(number: int) -> None:
                for _ in range(MOST_SENT):
                    await send(client, number)
                    await anyio.sleep(0.01)  # until it is sent again; what is still running is known already
                    if receiver.handled[deliveries.uuid(number)]:
                        return
                raise AssertionError("never handled")

            for number in range(DELIVERIES):
                tasks.start_soon(deliver, number)
    assert set(receiver.handled) == ids


class Late(MemoryStore):
    """The first claim is stored when the test says so, after its time has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.first: tuple[str, str] | None = None

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        if self.first is None:
            self.first = delivery_id, owner
            await anyio.sleep_forever()
        return await super().claim(delivery_id, owner)

    async def arrive(self) -> None:
        assert self.first is not None
        await super().claim(*self.first)


async def test_a_claim_that_arrives_late_is_released() -> None:
    store = Late()
    receiver = Receiver(store)
    with anyio.fail_after(20):
        async with served(receiver) as (client,):
            receiver.app._clock = FakeClock(held=True)  # pyright: ignore[reportPrivateUsage]  # no release meanwhile
            assert await send(client, 1) == 503
            await store.arrive()
            assert len(store) == 1
            assert await send(client, 1) == 200
            assert await send(client, 1) == 200
    assert receiver.handled == {deliveries.uuid(1): 1}


async def test_a_late_claim_is_released_without_a_redelivery() -> None:
    store = Late()
    receiver = Receiver(store)
    clock = FakeClock(held=True)
    receiver.app._clock = receiver.claims.clock = clock  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with anyio.fail_after(20):
        async with receiver.app:
            content = raw(deliveries.ping(1))
            assert (await deliveries.post(receiver.app, content)).status == 503
            await store.arrive()
            await clock.advance(100)
            assert (len(store), receiver.claims.unreleased) == (0, 0)


class Lost(MemoryStore):
    """The response of each claim is lost after it was stored; nothing can be released while it is `broken`."""

    broken = True

    async def claim(self, delivery_id: str, owner: str = "") -> bool:
        await super().claim(delivery_id, owner)
        raise ConnectionError("no response")

    async def release(self, delivery_id: str, owner: str = "") -> None:
        if self.broken:
            raise ConnectionError("no store")
        await super().release(delivery_id, owner)


class Unheard(FaultyStore):
    """A connection to a shared store: the response of each claim is lost, and nothing is released while `broken`."""

    broken = True

    async def claim(self, delivery_id: str, owner: str) -> bool:
        await super().claim(delivery_id, owner)
        raise ConnectionError("no response")

    async def release(self, delivery_id: str, owner: str) -> None:
        if self.broken:
            raise ConnectionError("no store")
        await super().release(delivery_id, owner)


async def test_another_process_takes_no_unconfirmed_claim_for_a_duplicate() -> None:
    """The claim of the first one is in the store, though it failed, and so did its release."""
    unheard, shared = Unheard(random.Random(0), 0), FaultyStore(random.Random(0), 0)
    unheard.store = shared.store
    first, second = Receiver(unheard), Receiver(shared)
    first.app._clock = FakeClock(held=True)  # pyright: ignore[reportPrivateUsage]  # no release meanwhile
    with anyio.fail_after(20):
        async with served(first, second) as clients:
            assert await send(clients[0], 1) == 503
            assert len(shared.store) == 1
            assert await send(clients[1], 1) == 503
            assert [claims.unreleased for claims in (first.claims, second.claims)] == [1, 0]
            unheard.broken = False
            await first.claims.release_rest()
            assert [await send(clients[1], 1) for _ in range(2)] == [200, 200]
    assert (first.handled, second.handled) == ({}, {deliveries.uuid(1): 1})


class Bots:
    """Processes that share a store which does not fail, each with a handler that waits, or fails so many times."""

    def __init__(self, *stores: FaultyStore, failures: int = 0, max_attempts: int = 2) -> None:
        self.calls = 0
        self.entered, self.proceed = anyio.Event(), anyio.Event()
        self._failures = failures
        self.routers = [Router(store=store, max_attempts=max_attempts) for store in stores]
        for router in self.routers:
            router.on(Ping)(self.handle)

    async def handle(self, event: Ping) -> None:
        self.calls += 1
        self.entered.set()
        await self.proceed.wait()
        if self.calls <= self._failures:
            raise ValueError("not now")


def connections(count: int, shared: MemoryStore) -> list[FaultyStore]:
    found = [FaultyStore(random.Random(0), 0) for _ in range(count)]
    for one in found:
        one.store = shared
    return found


PING = parse(raw(deliveries.ping(1)), secret=None)


async def test_a_confirmed_delivery_is_a_duplicate_in_another_process() -> None:
    """While it is handled, and after that."""
    bots = Bots(*connections(2, MemoryStore()))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bots.routers[0].handle, PING)
        await bots.entered.wait()
        assert [(await router.handle(PING)).status for router in bots.routers] == ["duplicate"] * 2
        assert [await router.claim(PING) for router in bots.routers] == [False] * 2
        bots.proceed.set()
    assert [(await router.handle(PING)).status for router in bots.routers] == ["duplicate"] * 2
    assert bots.calls == 1


@pytest.mark.parametrize("failures", [1, 2, 5])
async def test_attempts_in_different_processes(failures: int) -> None:
    """A failed attempt leaves no confirmation, except the last one."""
    bots = Bots(*connections(3, MemoryStore()), failures=failures)
    bots.proceed.set()
    found = [(await router.handle(PING)).status for router in bots.routers]
    assert found == (["failed", "handled", "duplicate"] if failures == 1 else ["failed", "failed", "duplicate"])


async def test_of_concurrent_deliveries_to_two_processes_one_is_a_duplicate() -> None:
    for _ in range(20):
        bots, found = Bots(*connections(2, MemoryStore())), list[str]()
        bots.proceed.set()

        async def handle(router: Router, found: list[str] = found) -> None:
            found.append((await router.handle(PING)).status)

        async with anyio.create_task_group() as tasks:
            for router in bots.routers:
                tasks.start_soon(handle, router)
        assert sorted(found) == ["duplicate", "handled"]


@pytest.mark.parametrize("method", ["handle", "claim"])
async def test_a_claim_of_an_ended_process_is_no_duplicate(method: str) -> None:
    """It ended between its claim and the confirmation."""
    store = MemoryStore()
    await store.claim(deliveries.uuid(1), "one that has ended")
    bots = Bots(*connections(1, store))
    bots.routers[0]._claims.clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with pytest.raises(TimeoutError, match="is claimed, and it is not known whether it is handled"):
        await getattr(bots.routers[0], method)(PING)
    assert bots.calls == 0


async def test_the_release_of_an_older_claim_leaves_the_confirmation_of_a_newer_one() -> None:
    class LosesOne(FaultyStore):
        lost = False

        async def claim(self, delivery_id: str, owner: str) -> bool:
            is_new = await super().claim(delivery_id, owner)
            if self.lost:
                return is_new
            self.lost = True
            raise ConnectionError("no response")

    loses, other = LosesOne(random.Random(0), 0), FaultyStore(random.Random(0), 0)
    other.store = loses.store
    bots = Bots(loses, other)
    first, second = bots.routers
    with pytest.raises(ConnectionError):
        await first.handle(PING)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first.handle, PING)
        await bots.entered.wait()
        await first._claims.release_rest()  # pyright: ignore[reportPrivateUsage]  # claims have no public name
        second._claims.clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
        assert (await second.handle(PING)).status == "duplicate"
        bots.proceed.set()
    assert bots.calls == 1


async def test_a_lost_confirmation_does_not_stop_the_handlers() -> None:
    class Full(FaultyStore):
        async def save(self, delivery_id: str, progress: str) -> None:
            raise ConnectionError("no response")

    full, other = Full(random.Random(0), 0), FaultyStore(random.Random(0), 0)
    other.store = full.store
    bots = Bots(full, other)
    bots.proceed.set()
    assert (await bots.routers[0].handle(PING)).status == "handled"
    bots.routers[1]._claims.clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with pytest.raises(TimeoutError):
        await bots.routers[1].handle(PING)
    assert bots.calls == 1


async def test_a_store_without_progress_has_duplicates_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    class Forgetful(FaultyStore):
        async def save(self, delivery_id: str, progress: str) -> None: ...

    logging.getLogger("circleci_sdk").setLevel(logging.WARNING)
    bots = Bots(Forgetful(random.Random(0), 0))
    bots.proceed.set()
    other = parse(raw(deliveries.ping(2)), secret=None)
    found = [(await bots.routers[0].handle(event)).status for event in (PING, other, PING, other)]
    assert found == ["handled", "handled", "duplicate", "duplicate"]
    assert [record.message for record in caplog.records if "does not return what save() got" in record.message]
    assert len(caplog.records) == 1


async def test_a_confirmation_is_taken_back_by_the_release() -> None:
    """Else the next claim of the id would look confirmed before it is."""
    store = MemoryStore()
    bots = Bots(*connections(2, store))
    assert await bots.routers[0].claim(PING)
    await bots.routers[0].release(PING)
    await store.claim(deliveries.uuid(1), "one without a response")
    bots.routers[1]._claims.clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with pytest.raises(TimeoutError):
        await bots.routers[1].handle(PING)


async def test_the_shutdown_tries_to_release() -> None:
    store = Lost()
    receiver = Receiver(store)
    receiver.app._clock = FakeClock(held=True)  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with anyio.fail_after(20):
        async with receiver.app:
            assert (await deliveries.post(receiver.app, raw(deliveries.ping(1)))).status == 503
            assert len(store) == 1
            store.broken = False
        assert len(store) == 0


async def test_releasing_that_breaks_off_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeClock):
        async def sleep(self, seconds: float) -> None:
            raise RuntimeError("no clock")

    receiver = Receiver(Lost())
    receiver.app._clock = Broken()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    with caplog.at_level(logging.ERROR, "circleci_sdk"), anyio.fail_after(20):
        async with receiver.app:
            assert (await deliveries.post(receiver.app, raw(deliveries.ping(1)))).status == 503
            await run_until_idle()
    assert "deliveries may stay claimed that were not handled" in caplog.text
