"""`RedisRateLimiter` with a real Redis: one limit for several clients, and every way in which Redis fails."""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import CircleCI, ConfigError, RateKey, RateLimit, RateLimitError
from circleci_sdk.limiters import RedisRateLimiter
from circleci_sdk.limiters.outage import Outage
from circleci_sdk.limiters.questions import Decision, Seen, read_reply
from examples.shared_rate_limit import count_jobs
from tests.support.clients import CREATED, ID, MESSAGE, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.processes import Windows, run_processes
from tests.support.redis_server import RedisServer, redis_servers
from tests.support.scripted_server import ScriptedServer, reply

redis = pytest.importorskip("redis")
redis_asyncio = pytest.importorskip("redis.asyncio")

KEY: Final = RateKey("me", "https://circleci.com", "v2.users")
OTHER: Final = RateKey("me", "https://circleci.com", "v2.jobs")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisServer]]:
    with redis_servers(tmp_path_factory) as start:
        yield start


@pytest.fixture(scope="module")
def shared(servers: Callable[..., RedisServer]) -> RedisServer:
    return servers()


@pytest.fixture
def redis_server(shared: RedisServer) -> RedisServer:
    """One server for all tests that leave it running; each begins without data."""
    shared.do("FLUSHALL")
    return shared


def set_clock(limiter: RedisRateLimiter, clock: FakeClock) -> None:
    limiter._clock = limiter._outage._clock = limiter._local._clock = clock  # type: ignore[assignment]  # the clock has no public name


@asynccontextmanager
async def limiter_at(server: RedisServer, **options: Any) -> AsyncGenerator[RedisRateLimiter]:
    async with RedisRateLimiter.from_url(server.url, **options) as limiter:
        yield limiter


async def slept(clock: FakeClock, count: int) -> None:
    """Wait until so many calls wait."""
    with anyio.fail_after(5):
        while len(clock.slept) < count:  # noqa: ASYNC110  # the calls come out of Redis
            await anyio.sleep(0.001)


def is_connected(connection: Any) -> bool:
    """Of the client of asyncio, or of the blocking one."""
    return any(getattr(connection, name, None) is not None for name in ("_writer", "_sock"))


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_429_pauses_all_processes(server: ScriptedServer, redis_server: RedisServer) -> None:
    """Two clients, like two processes: one gets 429, both wait, and all calls proceed at the allowed rate."""
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.on("POST", f"/api/v2/workflow/{ID}/cancel", reply(json=MESSAGE))
    refused = reply(429, headers={"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.25"})
    server.script([refused])
    async with (
        limiter_at(redis_server) as one,
        limiter_at(redis_server) as two,
        client_on(server, rate_limiter=one) as first,
        client_on(server, rate_limiter=two) as second,
    ):
        key = RateKey(first._session.credential.key, first.base_url, "v2.users")
        with pytest.raises(RateLimitError):
            await first.with_options(max_retries=0).v2.users.me()
        async with anyio.create_task_group() as tasks:
            for client in (first, second, second):
                tasks.start_soon(client.v2.users.me)
            await second.v2.workflows.cancel(ID)  # another group is not paused
        await one.observe(key, None, 30.0)
        with pytest.raises(RateLimitError) as caught:
            await second.with_options(max_retry_after=20).v2.users.me()
    assert [request.path[-6:] for request in server.requests[:2]] == ["/v2/me", "cancel"]
    start, *left = (request.at for request in server.requests if request.method == "GET")
    assert len(left) == 3
    assert left[0] - start >= 0.2
    assert (caught.value.retry_stop_reason, caught.value.request_outcome) == ("retry_after_too_long", "not_sent")
    names = b" ".join(redis_server.do("KEYS", "*"))
    assert names
    assert TOKEN.encode() not in names
    assert all(0 < redis_server.do("PTTL", name) <= 86_460_000 for name in names.decode().split())


def test_429_pauses_sync_clients(server: ScriptedServer, redis_server: RedisServer) -> None:
    """Each of the two borrows a client, as in docs/guides/rate-limits.md."""
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.script([reply(429, headers={"Retry-After": "30"})])
    with (
        redis.Redis.from_url(redis_server.url) as first,
        redis.Redis.from_url(redis_server.url) as second,
        CircleCI(TOKEN, base_url=server.url, rate_limiter=RedisRateLimiter(first)) as one,
        CircleCI(TOKEN, base_url=server.url, rate_limiter=RedisRateLimiter(second)) as two,
    ):
        with pytest.raises(RateLimitError):
            one.with_options(max_retries=0).v2.users.me()
        with pytest.raises(RateLimitError) as caught:
            two.with_options(max_retry_after=20).v2.users.me()
        redis_server.do("FLUSHALL")
        assert two.v2.users.me().login == USER["login"]
    assert caught.value.request_outcome == "not_sent"
    assert len(server.requests) == 2


async def test_second_limited_group_pauses_all(redis_server: RedisServer) -> None:
    third = RateKey("me", "https://circleci.com", "v2.pipelines")
    async with limiter_at(redis_server) as one, limiter_at(redis_server) as two:
        await one.observe(KEY, None, 30.0)
        assert await two.acquire(third, 1.0, 1.0) is None
        await two.observe(OTHER, None, 20.0)
        for limiter in (one, two):
            wait = await limiter.acquire(third, 1.0, 100.0)
            assert wait is not None
            assert 19 < wait <= 21
        unknown = RateKey("you", "https://circleci.com", "v2.pipelines")
        assert await one.acquire(unknown, 1.0, 1.0) is None


async def test_each_waiting_call_has_a_ticket(redis_server: RedisServer) -> None:
    async with limiter_at(redis_server) as one, limiter_at(redis_server) as two, anyio.create_task_group() as tasks:
        for limiter in (one, two):
            set_clock(limiter, FakeClock(held=True))
        await one.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        for limiter in (one, two, one):
            before = await limiter.acquire(KEY, 60.0, 0.0)
            tasks.start_soon(limiter.acquire, KEY, 60.0, 60.0)
            clock: Any = limiter._clock
            count = len(clock.slept)
            await slept(clock, count + 1)
        told = await two.acquire(KEY, 60.0, 0.0)
        assert before is not None
        assert told is not None
        assert 22.5 < told < 24.5
        tasks.cancel_scope.cancel()


async def test_cancelled_calls_return_their_tickets(redis_server: RedisServer) -> None:
    async with limiter_at(redis_server) as limiter:
        await limiter.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        set_clock(limiter, clock := FakeClock(held=True))
        behind: float | None = None
        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(limiter.acquire, KEY, 60.0, 100.0)
            await slept(clock, 30)
            behind = await limiter.acquire(KEY, 60.0, 0.0)
            tasks.cancel_scope.cancel()
        await run_until_idle()
        after = await limiter.acquire(KEY, 60.0, 0.0)
        assert behind is not None
        assert after is not None
        assert behind > 48
        assert after < 22


async def test_waiting_calls_share_script_calls(redis_server: RedisServer) -> None:
    redis_server.do("CONFIG", "RESETSTAT")
    async with limiter_at(redis_server) as limiter:
        await limiter.observe(KEY, RateLimit(limit=100_000, remaining=100_000, reset=60.0, window=60.0), None)
        async with anyio.create_task_group() as tasks:
            for _ in range(500):
                tasks.start_soon(limiter.acquire, KEY, 60.0, 60.0)
    calls = {name: redis_server.do("INFO", "commandstats").get(f"cmdstat_{name}", {}) for name in ("evalsha", "eval")}
    assert sum(stats.get("calls", 0) for stats in calls.values()) <= 20


async def test_the_budget_of_a_window_is_shared(redis_server: RedisServer) -> None:
    async with limiter_at(redis_server) as one, limiter_at(redis_server) as two:
        await one.observe(KEY, RateLimit(limit=100, remaining=7, reset=50.0, window=60.0), None)
        got = [await limiter.acquire(KEY, 1.0, 1.0) for limiter in (one, two) * 5]
        assert got[:7] == [None] * 7
        assert all(wait is not None and wait > 40 for wait in got[7:])


def test_real_processes_share_a_window(server: ScriptedServer, redis_server: RedisServer) -> None:
    """Two processes together make the calls that the window has, none is refused, and the others end locally."""
    windows = Windows(limit=40, window=3600.0)
    server.on("GET", "/api/v2/me", windows)
    seen = sum(run_processes(server, redis_server, 2, 4, calls=10, seconds=300.0), Counter[str]())
    assert seen.total() == 80
    assert windows.refused == 0
    assert 32 <= windows.admitted == seen["result"] <= 40
    assert seen["not_sent retry_after_too_long"] == 80 - seen["result"]


async def test_the_example_counts_jobs(server: ScriptedServer, redis_server: RedisServer) -> None:
    def page(*items: dict[str, Any]) -> Any:
        return reply(json={"items": items, "next_page_token": None}, headers={"X-RateLimit-Limit": "1000"})

    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(CREATED, {**CREATED, "id": "second"}))
    for pipeline in (ID, "second"):
        server.on("GET", f"/api/v2/pipeline/{pipeline}/workflow", page({"id": f"of-{pipeline}"}))
    server.on("GET", f"/api/v2/workflow/of-{ID}/job", page({"id": "1"}, {"id": "2"}))
    server.on("GET", "/api/v2/workflow/of-second/job", page({"id": "3"}))
    async with limiter_at(redis_server) as limiter, client_on(server, rate_limiter=limiter) as client:
        assert await count_jobs(client, SLUG, 10) == 3


async def test_loops_of_both_kinds_at_once(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """What the loops share is not bound to one of them."""
    limiter = RedisRateLimiter.from_url(redis_server.url, time_limit=10.0)

    async def calls() -> None:
        try:
            for _ in range(20):
                assert await limiter.acquire(KEY, 60.0, 60.0) is None
                await limiter.observe(KEY, RateLimit(100_000, 100_000, 60.0, 60.0), None)
        finally:
            await limiter._scripts.aclose()

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            for backend in ("asyncio", "trio", "asyncio", "trio"):
                tasks.start_soon(anyio.to_thread.run_sync, lambda name=backend: anyio.run(calls, backend=name))
    assert not warnings_in(caplog)


Break = Callable[[RedisServer], None]


def _wrong_type(server: RedisServer) -> None:
    for name in server.do("KEYS", "*"):
        server.do("SET", name, "not a hash")


def _out_of_memory(server: RedisServer) -> None:
    server.do("CONFIG", "SET", "maxmemory", "1")


def _replica(server: RedisServer) -> None:
    server.do("REPLICAOF", "localhost", "1")


def _password(server: RedisServer) -> None:
    server.do("CONFIG", "SET", "requirepass", "hunter2-of-redis")
    server.do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes", password="hunter2-of-redis")


BREAKS: Final[dict[str, Break]] = {
    "killed": RedisServer.kill,
    "stalled": RedisServer.stall,
    "wrong type": _wrong_type,
    "out of memory": _out_of_memory,
    "read only": _replica,
    "no authentication": _password,
}


def _mend(fault: str, server: RedisServer) -> None:
    if fault == "killed":
        server.start()
    elif fault == "stalled":
        server.resume()
    elif fault == "wrong type":
        server.do("FLUSHALL")
    elif fault == "out of memory":
        server.do("CONFIG", "SET", "maxmemory", "0")
    elif fault == "read only":
        server.do("REPLICAOF", "NO", "ONE")
    else:
        server.do("CONFIG", "SET", "requirepass", "", password="hunter2-of-redis")


@pytest.mark.parametrize("fault", BREAKS)
async def test_each_failure_is_an_outage_with_an_end(
    fault: str, server: ScriptedServer, servers: Callable[..., RedisServer], caplog: pytest.LogCaptureFixture
) -> None:
    """No call fails and no response is lost; one WARNING, and one INFO when the limit is shared again."""
    caplog.set_level(logging.INFO, "circleci_sdk")
    server.on("GET", "/api/v2/me", reply(json=USER, headers={"X-RateLimit-Limit": "1000"}))
    target = servers()
    limit = 0.2 if fault == "stalled" else 5.0
    async with limiter_at(target, time_limit=limit) as limiter, client_on(server, rate_limiter=limiter) as client:
        set_clock(limiter, clock := FakeClock())
        await client.v2.users.me()
        BREAKS[fault](target)
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(client.v2.users.me)
        clock.now += 5.5
        await client.v2.users.me()  # the attempt to come back fails, in silence
        assert len(warnings_in(caplog)) == 1
        assert "Redis is not available" in warnings_in(caplog)[0]
        assert "hunter2" not in caplog.text
        _mend(fault, target)
        clock.now += 5.5
        await client.v2.users.me()
        assert [record.getMessage() for record in caplog.records if "again" in record.getMessage()] == [
            "Redis is available again: the rate limit is shared"
        ]
        key = RateKey(client._session.credential.key, client.base_url, "v2.users")
        await limiter.observe(key, None, 30.0)
    async with limiter_at(target) as another:
        assert await another.acquire(key, 1.0, 1.0) is not None
    assert len(server.requests) == 8
    assert len(warnings_in(caplog)) == 1


@pytest.mark.parametrize(
    ("limit", "facts"),
    [
        (None, {}),
        (RateLimit(remaining=3), {"remaining": 3}),
        (RateLimit(limit=0, window=1.0), {}),
        (RateLimit(limit=5), {}),
    ],
)
def test_what_the_script_learns_without_a_rate(limit: RateLimit | None, facts: dict[str, float]) -> None:
    assert Seen(limit, None).as_dict() == facts
    assert Seen(limit, 2.0).as_dict() == {**facts, "pause": 2.0}


def test_in_an_outage_one_call_asks_in_each_interval() -> None:
    outage = Outage(clock := FakeClock(), 5.0)
    assert (outage.may_ask(), outage.is_over_or_tried) == (True, True)
    outage.begin(ConnectionError())
    for _ in range(2):
        assert (outage.may_ask(), outage.is_over_or_tried) == (False, False)
        clock.now += 5.0
        assert (outage.may_ask(), outage.is_over_or_tried) == (True, True)
        assert not outage.may_ask()
        outage.begin(ConnectionError())
    outage.end()
    assert (outage.may_ask(), outage.is_over_or_tried) == (True, True)


async def test_refused_and_mistyped_connections(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """Redis that never was there: the limit of the process holds."""
    server.on("GET", "/api/v2/me", reply(json=USER))
    for url in ("unix:///does/not/exist", "redis://:hunter2@127.0.0.1:1/0", "rediss://u:hunter2@127.0.0.1:1/0"):
        caplog.clear()
        limiter = RedisRateLimiter.from_url(url)
        async with limiter, client_on(server, rate_limiter=limiter) as client:
            for _ in range(3):
                assert (await client.v2.users.me()).name == "Ada"
            key = RateKey(client._session.credential.key, client.base_url, "v2.users")
            await limiter.observe(key, None, 30.0)
            with pytest.raises(RateLimitError):
                await client.with_options(max_retry_after=1).v2.users.me()
        assert len(warnings_in(caplog)) == 1
        assert "hunter2" not in caplog.text + repr(limiter)


async def test_flushed_data_and_scripts(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with limiter_at(redis_server) as limiter:
        await limiter.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        redis_server.do("SCRIPT", "FLUSH")
        assert await limiter.acquire(KEY, 1.0, 1.0) is not None
        redis_server.do("FLUSHALL")
        assert await limiter.acquire(KEY, 1.0, 1.0) is None
        await limiter.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        assert await limiter.acquire(KEY, 1.0, 1.0) is not None
    assert not warnings_in(caplog)


async def test_corrupt_data_is_ignored(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with limiter_at(redis_server) as limiter:
        await limiter.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        names = [name for name in redis_server.do("KEYS", "*") if redis_server.do("TYPE", name) == b"hash"]
        for value in ("nonsense", "1e300", "nan", "-1e14", "inf", ""):
            for name in names:
                for field in redis_server.do("HKEYS", name):
                    redis_server.do("HSET", name, field, value)
            wait = await limiter.acquire(KEY, 1.0, 0.5)
            assert wait is None or wait <= 86_400
    assert not warnings_in(caplog)


async def test_borrowed_clients(
    redis_server: RedisServer, anyio_backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A blocking client works on both event loops, that of asyncio on its own. Neither is closed."""
    blocking = redis.Redis(unix_socket_path=str(redis_server.socket), decode_responses=True)
    async with RedisRateLimiter(blocking) as limiter:
        await limiter.observe(KEY, None, 30.0)
    assert blocking.ping()
    blocking.close()
    asynchronous = redis_asyncio.Redis(unix_socket_path=str(redis_server.socket), decode_responses=True, protocol=3)
    async with RedisRateLimiter(asynchronous) as limiter:
        told = await limiter.acquire(KEY, 1.0, 1.0)
    if anyio_backend == "asyncio":
        assert told is not None
        assert await asynchronous.ping()
        await asynchronous.aclose()
        assert not warnings_in(caplog)
    else:
        assert told is None
        assert "does not work on trio; a redis.Redis or from_url does" in warnings_in(caplog)[0]


async def test_a_blocking_client_that_hangs_delays_no_call(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()

    class Hanging:
        def execute_command(self, *_: object, **__: object) -> None:
            release.wait(8)

    with anyio.fail_after(5):
        limiter = RedisRateLimiter(Hanging(), time_limit=0.02)
        assert await limiter.acquire(KEY, 1.0, 1.0) is None
    release.set()
    assert "Redis is not available" in warnings_in(caplog)[0]


def test_loops_that_were_closed_are_forgotten(redis_server: RedisServer) -> None:
    client = redis.Redis(unix_socket_path=str(redis_server.socket))
    limiter = RedisRateLimiter(client)
    loops: list[object] = []  # alive, though closed

    async def use() -> None:
        loops.append(anyio.lowlevel.current_token().native_token)
        assert await limiter.acquire(KEY, 1.0, 1.0) is None

    for _ in range(3):
        anyio.run(use)
    assert len(limiter._scripts._connections) == 1
    client.close()


def test_callables_of_two_processes_share_no_limit() -> None:
    """The digest of a callable is of one process; a name that all share is given by `credential`."""
    key = RateKey("callable-1", KEY.origin, KEY.group)
    one, two, named = (RedisRateLimiter(redis.Redis(), **options) for options in ({}, {}, {"credential": "bot"}))
    two._process = "another"
    assert one._names(key) != two._names(key)
    assert one._names(KEY) == two._names(KEY)
    assert "bot" in named._names(key)[0]


@pytest.mark.parametrize(
    "reply",
    [[1, 0, 0, 1, 0], [1, 0, 0, 1, 0, 1, 1], [1, 0, 9, 1, 0, 1], [1, 0, -1, 1, 0, 1], [1, 0, 0, 1, -1, 1], ["x"], None],
    ids=range(7),
)
def test_replies_that_the_script_does_not_make(reply: Any) -> None:
    assert read_reply([1, 0, 0, 1, 0, 1], 1).is_known
    with pytest.raises((ValueError, TypeError)):
        read_reply(reply, 1)


async def test_a_wait_that_may_shrink_is_checked_half_way(redis_server: RedisServer) -> None:
    waits = [8.0, 4.0, 0.0]

    async def decide(entry: Any) -> None:
        entry.decision = Decision("proceed", 1, waits.pop(0), may_shrink=True)

    async with limiter_at(redis_server) as limiter:
        set_clock(limiter, clock := FakeClock())
        limiter._limit(KEY).decide = decide  # type: ignore[method-assign]  # decisions of the test
        assert await limiter.acquire(KEY, 60.0, 60.0) is None
    assert clock.slept == [4.0, 2.0]


def test_two_loops_one_after_the_other(redis_server: RedisServer, anyio_backend_name: str) -> None:
    limiter = RedisRateLimiter.from_url(redis_server.url)

    async def use() -> float | None:
        wait = await limiter.acquire(KEY, 1.0, 1.0)
        await limiter.observe(KEY, None, 30.0)
        await limiter._scripts.aclose()
        return wait

    assert anyio.run(use, backend=anyio_backend_name) is None
    assert anyio.run(use, backend=anyio_backend_name) is not None


async def test_two_loops_at_once(redis_server: RedisServer, anyio_backend: str) -> None:
    limiter = RedisRateLimiter.from_url(redis_server.url)

    async def many() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(limiter.acquire, KEY, 60.0, 60.0)
                tasks.start_soon(limiter.observe, KEY, RateLimit(1000, 1000, 60.0, 60.0), None)
        await limiter._scripts.aclose()

    def in_thread() -> None:
        anyio.run(many, backend=anyio_backend)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(anyio.to_thread.run_sync, in_thread)


async def test_calls_that_are_cancelled_while_they_ask_return_their_tickets(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis hands out tickets to calls that are gone when its reply comes; the others have theirs."""
    async with limiter_at(redis_server, time_limit=10.0) as limiter:
        await limiter.observe(KEY, RateLimit(limit=1, window=1.0), 20.0)
        before = await limiter.acquire(KEY, 60.0, 0.0)
        redis_server.stall()
        try:
            async with anyio.create_task_group() as tasks:
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as cancelled:
                        for _ in range(20):
                            cancelled.start_soon(limiter.acquire, KEY, 60.0, 100.0)
                        await run_until_idle()
                        tasks.start_soon(limiter.observe, KEY, None, 20.0)
                        await run_until_idle()
                        scope.cancel()
                        redis_server.resume()
        finally:
            redis_server.resume()
        after = await limiter.acquire(KEY, 60.0, 0.0)
        assert before is not None
        assert after is not None
        assert after < before + 1
    assert not warnings_in(caplog)


async def test_closed_limiter_keeps_the_limit_of_the_process(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = RedisRateLimiter.from_url(redis_server.url)
    assert await limiter.acquire(KEY, 1.0, 1.0) is None
    client: Any = limiter._scripts._connection().client
    pool = client.connection_pool
    assert [one for one in pool._available_connections if is_connected(one)]
    await limiter.aclose()
    await limiter.aclose()
    assert not [one for one in pool._available_connections if is_connected(one)]
    assert await limiter.acquire(KEY, 1.0, 1.0) is None
    await limiter.observe(KEY, None, 30.0)
    assert await limiter.acquire(KEY, 1.0, 1.0) is not None
    assert not warnings_in(caplog)


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@localhost",
        "redis://:hunter2@localhost:port/0",
        "redis://:hunter2@localhost/0?unknown=1",
        "redis://:hunter2@[::1",
        "hunter2",
        "",
        None,
        b"redis://hunter2",
        7,
    ],
)
def test_wrong_urls(url: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        RedisRateLimiter.from_url(url)
    error: BaseException | None = caught.value
    assert "hunter2" not in str(error)
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(
    "options",
    [
        {"prefix": ""},
        {"prefix": None},
        {"credential": ""},
        {"credential": 3},
        {"time_limit": 0},
        {"time_limit": True},
        {"time_limit": 10**400},
        {"time_limit": float("nan")},
        {"time_limit": "1"},
        {"retry_interval": None},
        {"retry_interval": float("inf")},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        RedisRateLimiter.from_url("redis://localhost", **options)
    with pytest.raises(ConfigError, match=next(iter(options))):
        RedisRateLimiter(redis.Redis(), **options)


@pytest.mark.parametrize("client", [None, "redis://localhost", object(), 3])
def test_wrong_clients(client: Any) -> None:
    with pytest.raises(ConfigError, match="expected a client of redis-py"):
        RedisRateLimiter(client)


def test_without_redis_py() -> None:
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from circleci_sdk import ConfigError\n"
        "from circleci_sdk.limiters import RedisRateLimiter\n"
        "try: RedisRateLimiter.from_url('redis://localhost')\n"
        "except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert 'install the extra "redis"' in done.stdout
