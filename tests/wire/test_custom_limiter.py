"""A custom rate limiter that fails, hangs or returns something else: it costs no call, no response and no slot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, ConfigError, RateLimitError
from circleci_sdk._core import guarded_limiter
from circleci_sdk._core.guarded_limiter import GuardedLimiter
from circleci_sdk._core.limiter import LocalRateLimiter
from tests.support.clients import MESSAGE, SLUG, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply
from tests.unit.test_ratelimit import KEY

ME: Final = "/api/v2/me"
JOB: Final = f"/api/v2/project/{SLUG}/job/1/cancel"
HEADERS: Final = {"X-RateLimit-Limit": "4", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1"}


class Custom:
    """A limiter of two functions; it admits everything by default."""

    def __init__(self, acquire: Callable[[], Any] | None = None, observe: Callable[[], Any] | None = None) -> None:
        self.functions = {"acquire": acquire, "observe": observe}
        self.asked = 0

    def acquire(self, *_: object) -> Any:
        self.asked += 1
        return self._run("acquire")

    def observe(self, *_: object) -> Any:
        return self._run("observe")

    def _run(self, method: str) -> Any:
        function = self.functions[method]
        return nothing() if function is None else function()


async def nothing() -> None:
    pass


async def broken() -> None:
    raise RuntimeError("no connection\x1b[31m")


def broken_at_once() -> None:
    raise RuntimeError("no connection")


async def a_group() -> None:
    raise ExceptionGroup("several", [ValueError("one")])


async def cancelled_by_others() -> None:
    raise asyncio.CancelledError


def returning(value: object) -> Callable[[], Any]:
    async def function() -> object:
        return value

    return function


FAILURES: Final[dict[str, Callable[[], Any]]] = {
    "raises": broken,
    "raises at once": broken_at_once,
    "raises a group": a_group,
    "is no coroutine": lambda: None,
}
WAITS: Final[dict[str, Callable[[], Any]]] = {
    **FAILURES,
    "str": returning("3"),
    "bool": returning(True),
    "nan": returning(float("nan")),
    "negative": returning(-1.0),
    "larger than a float": returning(10**400),
}


@pytest.fixture
def api(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", ME, reply(json=USER, headers=HEADERS))
    server.on("POST", JOB, reply(json=MESSAGE, headers=HEADERS))
    return server


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize("function", FAILURES.values(), ids=FAILURES)
async def test_failing_observe_costs_no_response(
    api: ScriptedServer, function: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with client_on(api, max_concurrency=1, rate_limiter=Custom(observe=function)) as client:
        for _ in range(5):
            await client.v2.jobs.cancel(SLUG, 1)
    assert len(api.requests) == 5
    (warning,) = warnings(caplog)
    assert warning.startswith("observe of the custom rate limiter failed")
    assert warning.isprintable()


@pytest.mark.parametrize("function", WAITS.values(), ids=WAITS)
async def test_local_limiter_replaces_a_failing_acquire(
    api: ScriptedServer, function: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    api.script([reply(429, headers={"Retry-After": "7"})])
    async with client_on(api, clock, max_concurrency=1, rate_limiter=Custom(acquire=function)) as client:
        for _ in range(3):
            await client.v2.users.me()
        assert clock.slept[0] == 7
        clock.now += 60
        await client.v2.users.me()
    assert len(api.requests) == 5
    assert len(warnings(caplog)) == 2  # the second a minute later


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("method", ["acquire", "observe"])
async def test_cancellation_by_others_is_a_failure(api: ScriptedServer, method: str) -> None:
    async with client_on(api, rate_limiter=Custom(**{method: cancelled_by_others})) as client:
        await client.v2.users.me()


async def test_hanging_observe_is_suspended(
    api: ScriptedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_limiter, "OBSERVE_SECONDS", 0.02)
    observed = 0

    async def hanging() -> None:
        nonlocal observed
        observed += 1
        await anyio.sleep_forever()

    custom = Custom(observe=hanging)
    async with client_on(api, rate_limiter=custom) as client:
        with anyio.fail_after(5):
            for _ in range(20):
                await client.v2.users.me()
    assert (custom.asked, observed) == (1, 1)
    assert len(warnings(caplog)) == 1


async def test_hanging_observe_ends_with_the_time_of_the_call(api: ScriptedServer) -> None:
    """The response is returned all the same."""
    async with client_on(api, rate_limiter=Custom(observe=anyio.sleep_forever), timeout=0.4) as client:
        with anyio.fail_after(5):
            await client.v2.jobs.cancel(SLUG, 1)


async def test_hanging_acquire_is_replaced_until_it_responds(
    api: ScriptedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_limiter, "LONGEST_SILENCE", 0.02)
    monkeypatch.setattr(guarded_limiter, "OBSERVE_SECONDS", 0.02)
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    custom = Custom(acquire=anyio.sleep_forever)
    api.on("GET", ME, reply(json=USER))

    async def me(client: AsyncCircleCI) -> None:
        await client.v2.users.me()

    async with client_on(api, clock, max_retry_after=0, timeout=None, rate_limiter=custom) as client:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(me, client)
            asked = custom.asked
            await me(client)
            assert custom.asked == asked
            clock.now += guarded_limiter.SUSPENSION
            async with anyio.create_task_group() as tasks:  # one of them asks it,
                for _ in range(3):
                    tasks.start_soon(me, client)
            await me(client)  # and none again
            assert custom.asked == asked + 1
            clock.now += guarded_limiter.SUSPENSION
            custom.functions["acquire"] = None
            await me(client)
            await me(client)
            assert custom.asked == asked + 4
    assert len(warnings(caplog)) == 1
    assert "The custom rate limiter responds again." in caplog.text


async def test_slow_queue_does_not_hang(
    api: ScriptedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that a limiter lets proceed one by one show that it works."""
    monkeypatch.setattr(guarded_limiter, "LONGEST_SILENCE", 0.6)  # less than all together, much more than each
    monkeypatch.setattr(guarded_limiter, "_BUMP", 0.0)
    lock = anyio.Lock()

    async def one_by_one() -> None:
        async with lock:
            await anyio.sleep(0.05)

    custom = Custom(acquire=one_by_one)
    api.on("GET", ME, reply(json=USER))
    async with (
        client_on(api, max_retry_after=0, timeout=None, rate_limiter=custom) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(client.v2.users.me)
    assert custom.asked == 20
    assert not warnings(caplog)


@pytest.mark.parametrize(
    ("elapsed", "total", "other_returned", "hangs"),
    [(10.0, 5.0, False, True), (1.0, 5.0, False, False), (10.0, 60.0, False, False), (10.0, 5.0, True, False)],
)
async def test_deadline_of_a_call_before_the_end_of_the_silence(
    elapsed: float, total: float, other_returned: bool, hangs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A limiter hangs that no call returned from in all the time that one waited."""
    clock = FakeClock()
    custom = Custom()
    guarded = GuardedLimiter(custom, LocalRateLimiter(clock), clock)
    with anyio.CancelScope() as deadline:

        async def wait() -> None:
            clock.now += elapsed
            if other_returned:
                custom.functions["acquire"] = None
                assert await guarded.acquire(KEY, 60.0, 60.0) is None
            deadline.cancel()
            await anyio.lowlevel.checkpoint()

        custom.functions["acquire"] = wait
        await guarded.acquire(KEY, 60.0, total)
    assert deadline.cancelled_caught
    assert len(warnings(caplog)) == hangs


async def test_reset_asks_the_limiter_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_limiter, "LONGEST_SILENCE", 0.02)
    clock = FakeClock()
    custom = Custom(acquire=anyio.sleep_forever)
    guarded = GuardedLimiter(custom, LocalRateLimiter(clock), clock)
    await guarded.observe(KEY, None, 30.0)
    for _ in range(2):  # hangs, and is suspended
        assert await guarded.acquire(KEY, 0.0, 0.0) == 30.0
    custom.functions["acquire"] = None
    guarded.reset()
    assert not guarded.is_paused(KEY)
    assert await guarded.acquire(KEY, 0.0, 0.0) is None
    assert custom.asked == 2


async def test_pauses_count_while_the_limiter_is_replaced() -> None:
    clock = FakeClock()
    custom = Custom()
    guarded = GuardedLimiter(custom, LocalRateLimiter(clock), clock)
    await guarded.observe(KEY, None, 30.0)
    for function, is_paused in ((None, False), (broken, True), (None, False)):
        custom.functions["acquire"] = function
        await guarded.acquire(KEY, 0.0, 0.0)
        assert guarded.is_paused(KEY) is is_paused


async def test_infinite_wait_of_a_limiter(api: ScriptedServer) -> None:
    async with client_on(api, rate_limiter=Custom(acquire=returning(float("inf")))) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.v2.users.me()
    assert caught.value.retry_after == 3600


@pytest.mark.parametrize("name", ["acquire", "observe"])
def test_limiters_with_plain_methods_are_refused(name: str) -> None:
    def plain(*args: object) -> None: ...

    limiter: Any = Custom()
    setattr(limiter, name, plain)
    with pytest.raises(ConfigError, match="rate_limiter: expected a rate limiter with async methods"):
        AsyncCircleCI("token", rate_limiter=limiter)
