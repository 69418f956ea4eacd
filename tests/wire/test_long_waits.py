"""Headers that name a wait too long to be meant, such as a point in time: the same rule for every reader."""

from __future__ import annotations

from typing import Final

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import RateLimitError
from circleci_sdk._core.policy.rate_limit import RateLimit, usable_wait
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.helpers._shared.retrying import asked_wait, backoff, retry_reads
from circleci_sdk.helpers.runs.assessment import next_delay
from tests.support.clients import CREATED, ID, SLUG, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.scripted_server import Response, ScriptedServer, reply

ME: Final = "/api/v2/me"
INFINITE: Final = float("inf")
EPOCH: Final = "1700000000"
NONSENSE: Final = {
    "Retry-After": {"Retry-After": EPOCH},
    "a distant date": {"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"},
    "many digits": {"Retry-After": "9" * 500},
    "a reset": {"X-RateLimit-Limit": "9", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": EPOCH},
    "all": {"Retry-After": EPOCH, "RateLimit-Remaining": "0", "RateLimit-Reset": "1e300"},
}


def refused(headers: dict[str, str]) -> Response:
    return reply(429, headers=headers)


@pytest.mark.parametrize(
    ("seconds", "usable"),
    [
        (None, None),
        (0.0, 0.0),
        (3600.0, 3600.0),
        (3600.1, None),
        (float("inf"), None),
        (float("nan"), None),
        (-1, None),
    ],
)
def test_usable_wait(seconds: float | None, usable: float | None) -> None:
    assert usable_wait(seconds) == usable


@given(st.floats(), st.integers(0, 50), st.floats(0, 1), st.floats(1, 1e9) | st.just(INFINITE))
def test_no_loop_sleeps_longer_than_an_hour(asked: float, failures: int, chance: float, left: float) -> None:
    error = RateLimitError("", status=429)
    error.retry_after = asked
    if asked == asked:
        assert backoff(error, failures, chance, left) <= 3600
    if asked > 3600:
        assert asked_wait(error, left) == (3600 if left == INFINITE else 0)


def test_poll_of_a_run_is_not_delayed_by_odd_limits() -> None:
    limit = RateLimit(limit=1, remaining=5, window=86400.0)
    assert (
        next_delay(age=0, calls=3, each_call=False, watched=500, rate_limit=limit, retry_after=None, chance=0.5) <= 60
    )


@pytest.mark.parametrize("headers", NONSENSE.values(), ids=NONSENSE)
async def test_groups_and_client_stay_open(
    server: ScriptedServer, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Two groups are refused; each call is repeated after the pauses of the SDK itself."""
    clock = FakeClock()
    server.on("GET", ME, [refused(headers), refused(headers), *[reply(json=USER)] * 9])
    server.on("GET", f"/api/v2/pipeline/{ID}", [refused(headers), *[reply(json=CREATED)] * 9])
    async with client_on(server, clock) as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(client.v2.users.me)
            tasks.start_soon(client.v2.pipelines.get, ID)
    assert max(clock.slept) < 8
    names = [record.getMessage() for record in caplog.records if record.name == "circleci_sdk"]
    names = [name for name in names if "names a wait" in name]
    assert 1 <= len(names) <= 2
    assert len(set(names)) == len(names)


async def test_reset_header_stands_in_for_an_unusable_retry_after(server: ScriptedServer) -> None:
    clock = FakeClock()
    server.script([refused({"Retry-After": EPOCH, "RateLimit-Remaining": "0", "RateLimit-Reset": "5"})])
    server.on("GET", ME, reply(json=USER))
    async with client_on(server, clock) as client:
        await client.v2.users.me()
    assert clock.slept == [5]


async def test_error_names_an_hour_at_most(server: ScriptedServer) -> None:
    server.on("GET", ME, refused({"Retry-After": EPOCH}))
    async with client_on(server, FakeClock(), max_retries=1) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.v2.users.me()
    assert (caught.value.retry_after, caught.value.retry_stop_reason, caught.value.attempts) == (
        3600,
        "attempts_exhausted",
        2,
    )


@pytest.mark.parametrize(("timeout", "slept"), [(None, 3600.0), (5000.0, 1.5)])
async def test_reads_of_a_long_operation(server: ScriptedServer, timeout: float | None, slept: float) -> None:
    clock = FakeClock()
    server.script([refused({"Retry-After": EPOCH})])
    server.on("GET", ME, reply(json=USER))
    async with client_on(server, clock, max_retries=0) as client:
        caller = TimedCaller(client._caller, timeout)  # pyright: ignore[reportPrivateUsage]  # helpers get it from the client
        await retry_reads(caller, client.v2.users.me)
    assert slept in clock.slept
    assert sum(clock.slept) <= slept + 1


async def test_timeout_of_a_long_operation_is_kept(server: ScriptedServer) -> None:
    """A usable wait that is longer than the timeout raises at once."""
    clock = FakeClock()
    server.on("GET", ME, refused({"Retry-After": "3000"}))
    async with client_on(server, clock, max_retries=0) as client:
        with pytest.raises(RateLimitError):
            caller = TimedCaller(client._caller, 60.0)  # pyright: ignore[reportPrivateUsage]  # helpers get it from the client
            await retry_reads(caller, client.v2.users.me)
    assert clock.slept == []


@pytest.mark.parametrize("timeout", [None, 7200.0])
async def test_wait_for_a_run_continues(server: ScriptedServer, timeout: float | None) -> None:
    clock = FakeClock()
    ended = {"id": ID, "name": "build", "status": "success", "pipeline_id": ID, "project_slug": SLUG}
    ended |= {"pipeline_number": 7, "created_at": "2025-06-15T15:06:40Z", "stopped_at": "2025-06-15T15:06:41Z"}
    pipeline: dict[str, object] = {**CREATED, "state": "created", "project_slug": SLUG, "errors": list[str]()}
    pipeline["trigger"] = {"type": "api", "received_at": "2025-06-15T15:06:40Z", "actor": {"login": "a"}}
    found = {"items": [ended], "next_page_token": None}
    server.on("GET", f"/api/v2/pipeline/{ID}", reply(json=pipeline))
    server.on(
        "GET",
        f"/api/v2/pipeline/{ID}/workflow",
        [*[refused({"Retry-After": EPOCH})] * 4, *[reply(json=found)] * 2000],
    )
    server.on("GET", f"/api/v2/workflow/{ID}/job", reply(json={"items": [], "next_page_token": None}))
    async with client_on(server, clock) as client:
        result = await client.runs.attach(ID).wait(timeout=timeout)
    assert result.status == "success"
    assert max(clock.slept) <= 3600
    assert (max(clock.slept) == 3600) == (timeout is None)


# The exit.


@pytest.mark.parametrize("status", [429, 503])
async def test_reset_rate_limits_wakes_all_calls(server: ScriptedServer, status: int) -> None:
    """Those that wait in the queue, and those that wait for their next attempt; of all copies."""
    waits = reply(status, headers={"Retry-After": "50", "RateLimit-Remaining": "0", "RateLimit-Reset": "50"})
    server.script([waits])
    server.on("GET", ME, reply(json=USER))
    clock = FakeClock(held=True)
    async with client_on(server, clock) as client:
        copy = client.with_options(timeout=100)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.v2.users.me)
            while not clock.slept:
                await run_until_idle()
            for _ in range(5):
                tasks.start_soon(copy.v2.users.me)
            await run_until_idle()
            assert len(server.requests) == 1
            assert copy.rate_limit is not None
            copy.reset_rate_limits()
            assert client.rate_limit is None
            with anyio.fail_after(5):
                await server.seen(7)
    assert clock.now == 1000


def test_reset_rate_limits_without_an_event_loop(server: ScriptedServer) -> None:
    client = client_on(server)
    client.reset_rate_limits()
    assert client.rate_limit is None
