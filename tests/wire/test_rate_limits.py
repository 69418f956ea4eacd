"""Rate limits: a 429 pauses all calls of its rate group, and no others.

Headers and the queue are tested in `tests/unit/test_ratelimit.py`; these tests check the requests on the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
import httpx
import pytest

from circleci_sdk import AsyncCircleCI, CircleCIError, NotFoundError, RateLimit, RateLimitError, ServerError
from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.policy.rate_limit import RateKey
from circleci_sdk.helpers._downloads.download import download_of
from tests.support.clients import ID, MESSAGE, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, redirect, reply

ME: Final = "/api/v2/me"
JOB: Final = f"/api/v2/project/{SLUG}/job/1/cancel"
CANCEL: Final = f"/api/v2/workflow/{ID}/cancel"
EXPORT: Final = f"/api/v2/organizations/{ID}/usage_export_job/{ID}"

NOTHING_LEFT: Final = {"X-RateLimit-Limit": "4", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}


def refusal(seconds: int = 10, headers: Mapping[str, str] = {}) -> Response:
    return reply(429, text="Rate limited.", headers={"Retry-After": str(seconds), **headers})


@pytest.fixture
def api(server: ScriptedServer) -> ScriptedServer:
    """A server with a successful response to all calls of this file by default."""
    server.on("GET", ME, reply(json=USER))
    server.on("POST", JOB, reply(json=MESSAGE))
    server.on("POST", CANCEL, reply(json=MESSAGE))
    server.on("GET", EXPORT, reply(json={"usage_export_job_id": ID, "state": "created", "download_urls": []}))
    return server


async def me(client: AsyncCircleCI) -> None:
    await client.v2.users.me()


async def cancel_job(client: AsyncCircleCI) -> None:
    await client.v2.jobs.cancel(SLUG, 1)


async def cancel_workflow(client: AsyncCircleCI) -> None:
    await client.v2.workflows.cancel(ID)


async def test_next_call_waits_at_remaining_zero(api: ScriptedServer) -> None:
    clock = FakeClock()
    api.script([reply(json=USER, headers=NOTHING_LEFT)])
    async with client_on(api, clock) as client:
        await me(client)
        await cancel_workflow(client)
        assert clock.slept == []
        await me(client)
    assert clock.slept == [1]


@pytest.mark.parametrize("status", [200, 404, 503])
async def test_every_response_updates_the_limit(api: ScriptedServer, status: int) -> None:
    clock = FakeClock()
    api.script([reply(status, json=USER, headers=NOTHING_LEFT)])
    async with client_on(api, clock, max_retries=0) as client:
        with suppress(NotFoundError, ServerError):
            await me(client)
        await me(client)
    assert clock.slept == [1]


async def test_one_429_pauses_fifty_tasks(api: ScriptedServer) -> None:
    """They send nothing during the pause, then proceed one by one at the rate of the headers."""
    clock = FakeClock(held=True)
    asked: list[float] = []

    async def note(_: httpx.Request) -> None:
        asked.append(round(clock.now - 1000, 6))

    api.script([refusal(10, {"X-RateLimit-Limit": "4"})])
    async with client_on(api, clock, on_request=note, timeout=60) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(me, client)
        await api.seen(1)
        while not clock.slept:  # until the 429 has arrived
            await run_until_idle()
        for _ in range(49):
            tasks.start_soon(me, client)
        await clock.advance(9.9)
        assert (len(asked), len(api.requests)) == (1, 1)
        await clock.advance(20)
    assert asked == [0.0, *(10 + number / 4 for number in range(50))]
    assert len(api.requests) == 51


async def test_requests_in_flight_may_get_429(api: ScriptedServer) -> None:
    """Each 429 extends the pause, and all calls succeed."""
    clock = FakeClock()
    latch = api.latch()
    refused: list[int] = []

    def response(request: Request) -> Response:
        if len(refused) < 10:
            refused.append(request.connection)
            return refusal(5).held_by(latch)
        return reply(json=USER)

    api.on("GET", ME, response)
    async with client_on(api, clock) as client, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(me, client)
        await api.seen(10)
        latch.open()
    assert len(api.requests) == 20
    assert clock.slept[0] == 5


async def test_calls_waiting_for_a_slot_are_paused_too(api: ScriptedServer) -> None:
    """They passed the limiter before the pause; they proceed as late as all others, at the same rate."""
    clock = FakeClock(held=True)
    latch = api.latch()
    hooked: list[httpx.Request] = []
    responded: list[httpx.Response] = []

    async def note(request: httpx.Request) -> None:
        hooked.append(request)

    async def note_response(response: httpx.Response) -> None:
        responded.append(response)

    api.script([refusal(10, {"X-RateLimit-Limit": "4"}).held_by(latch)] * 2)
    async with (
        client_on(api, clock, max_concurrency=2, on_request=note, on_response=note_response) as client,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(me, client)
        await api.seen(2)
        latch.open()
        while len(responded) < 2:  # the clock stands still during network I/O, or calls would time out
            await run_until_idle()
        await clock.advance(9.9)
        assert len(api.requests) == 2
        await clock.advance(0.1)
        for number in range(1, 20):
            await api.seen(2 + number)
            assert len(api.requests) == 2 + number
            await clock.advance(0.25)
    assert len(api.requests) == len(hooked) == 22


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"max_retry_after": 5}, "retry_after_too_long"), ({"timeout": 8}, "deadline")],
    ids=["max_retry_after", "timeout"],
)
async def test_call_paused_beyond_its_deadline_is_not_sent(
    api: ScriptedServer, options: dict[str, Any], reason: str
) -> None:
    latch = api.latch()
    errors: list[RateLimitError] = []

    async def call(client: AsyncCircleCI) -> None:
        with pytest.raises(RateLimitError) as caught:
            await me(client)
        errors.append(caught.value)

    api.on("GET", ME, refusal(10).held_by(latch))
    clock = FakeClock()
    async with client_on(api, clock, max_concurrency=1, **options) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(call, client)
            await api.seen(1)
            latch.open()
        assert len(api.requests) == 1
        clock.now += 10
        api.on("GET", ME, reply(json=USER))
        with anyio.fail_after(5):  # no slot is lost
            await me(client)
    assert sorted((error.attempts, error.request_outcome, error.retry_stop_reason) for error in errors) == [
        *[(0, "not_sent", reason)] * 4,
        (1, "rejected", reason),
    ]


async def test_in_flight_count_returns_to_zero(api: ScriptedServer) -> None:
    """A leaked count would reduce every later window."""
    api.on("GET", "/moved", redirect("/file"))
    api.on("GET", "/file", reply(body=b"whole"))
    async with client_on(api, FakeClock(), max_retries=1) as client:
        api.script([redirect(ME), reply(json=USER), drop(), reply(503), refusal(1), reply(json=USER), hang()])
        for _ in range(3):
            with suppress(CircleCIError):
                await me(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(me, client)
            await api.seen(7)
            tasks.cancel_scope.cancel()
        async with download_of(client._caller, f"{api.url}/moved", label="artifacts.download", timeout=5) as download:
            assert [piece async for piece in download] == [b"whole"]
        assert not any(client._session.in_flight.values())
        assert len(client._session.in_flight) == 2


async def test_limited_group_pauses_itself_and_two_groups_pause_the_client(api: ScriptedServer) -> None:
    clock = FakeClock()
    api.on("GET", EXPORT, refusal(50))
    async with client_on(api, clock, max_retries=0, max_retry_after=5) as client:
        with pytest.raises(RateLimitError):
            await client.v2.usage_exports.get(ID, ID)
        await cancel_workflow(client)
        await me(client)
        api.on("POST", CANCEL, refusal(40))
        with pytest.raises(RateLimitError):
            await cancel_workflow(client)
        sent = len(api.requests)
        with pytest.raises(RateLimitError) as caught:
            await me(client)
        assert caught.value.retry_after == pytest.approx(40)
        assert len(api.requests) == sent
        clock.now += 40
        await me(client)


async def test_views_share_the_limiter_and_other_clients_do_not(api: ScriptedServer) -> None:
    api.script([refusal(50)])
    async with client_on(api, FakeClock(), max_retries=0) as client, client_on(api, FakeClock()) as other:
        with pytest.raises(RateLimitError):
            await me(client)
        await me(other)
        with pytest.raises(RateLimitError):
            await me(client.with_options(max_retry_after=5))
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"max_retry_after": 49.0}, "retry_after_too_long"),
        ({"timeout": 49}, "deadline"),
    ],
)
async def test_wait_beyond_the_deadline_is_an_error_without_request(
    api: ScriptedServer, options: dict[str, Any], because: str
) -> None:
    clock = FakeClock()
    api.script([refusal(50)])
    async with client_on(api, clock, max_retries=0, max_retry_after=100, timeout=100) as client:
        with pytest.raises(RateLimitError):
            await me(client)
        with pytest.raises(RateLimitError, match=r"v2\.users admits no call for 50\.0 s") as caught:
            await me(client.with_options(**options))
    error = caught.value
    assert (error.retry_stop_reason, error.request_outcome, error.attempts) == (because, "not_sent", 0)
    assert (error.retry_after, error.rate_limit, error.operation) == (50, None, "v2.users.me")
    assert (len(api.requests), clock.slept) == (1, [])


@pytest.mark.parametrize(
    ("first", "request_outcome"),
    [(refusal(3), "rejected"), (reply(503), "unknown"), (drop(), "unknown")],
    ids=["429", "503", "drop"],
)
async def test_outcome_after_an_earlier_attempt(api: ScriptedServer, first: Response, request_outcome: str) -> None:
    api.script([first])
    async with client_on(api, FakeClock(), rate_limiter=RecordingLimiter(None, 70.0)) as client:
        with pytest.raises(RateLimitError) as caught:
            await me(client)
    assert (caught.value.request_outcome, caught.value.attempts, len(api.requests)) == (request_outcome, 1, 1)


async def test_short_deadline_is_independent_of_the_queue(api: ScriptedServer) -> None:
    """The pause grows during the wait: a queued call still fails at its own deadline."""
    clock = FakeClock(held=True)
    limiter = LocalRateLimiter(clock)
    caught: list[RateLimitError] = []

    async def hurry(client: AsyncCircleCI) -> None:
        with pytest.raises(RateLimitError) as error:
            await me(client)
        caught.append(error.value)
        tasks.cancel_scope.cancel()

    async with client_on(api, clock, rate_limiter=limiter) as client, anyio.create_task_group() as tasks:
        key = RateKey(client._session.credential.key, client.base_url, "v2.users")
        await limiter.observe(key, None, 0.1)
        tasks.start_soon(me, client.with_options(timeout=None))
        await run_until_idle()
        tasks.start_soon(hurry, client.with_options(timeout=0.25))
        await run_until_idle()
        await limiter.observe(key, None, 60)
    assert [(error.retry_stop_reason, error.request_outcome) for error in caught] == [("deadline", "not_sent")]
    assert api.requests == []


async def test_cancelled_in_the_queue(api: ScriptedServer) -> None:
    """95 of 100 calls are cancelled while they wait; the other five proceed at once, one by one."""
    clock = FakeClock(held=True)
    api.script([reply(json=USER, headers=NOTHING_LEFT | {"X-RateLimit-Reset": "10"})])
    async with client_on(api, clock) as client:
        await me(client)
        async with anyio.create_task_group() as patient:
            async with anyio.create_task_group() as impatient:
                for number in range(100):
                    (patient if number % 20 == 0 else impatient).start_soon(me, client)
                await run_until_idle()
                impatient.cancel_scope.cancel()
            await clock.advance(11)
            await api.seen(6)
    assert len(api.requests) == 6


async def test_client_rate_limit_is_a_snapshot(api: ScriptedServer) -> None:
    api.script(
        [
            reply(json=USER),
            reply(json=USER, headers=NOTHING_LEFT),
            reply(json=USER, headers={"RateLimit-Limit": "much", "X-RateLimit-Remaining": "-1"}),
            reply(json=USER, headers={"ratelimit-remaining": "9", "X-RATELIMIT-REMAINING-HOUR": "3"}),
        ]
    )
    async with client_on(api, FakeClock()) as client:
        seen: list[RateLimit | None] = [client.rate_limit]
        for _ in range(4):
            await me(client)
            seen.append(client.with_options(timeout=9).rate_limit)
        responded = await client.raw_response(client.v2.users.me)
    first = RateLimit(limit=4, remaining=0, reset=1.0, window=1.0)
    assert seen == [None, None, first, first, RateLimit(remaining=3, window=3600.0)]
    assert responded.rate_limit is None  # from its own response


async def test_plain_text_429(api: ScriptedServer) -> None:
    api.script([refusal(7, NOTHING_LEFT)])
    async with client_on(api, FakeClock(), max_retries=0) as client:
        with pytest.raises(RateLimitError, match=r"429 Too Many Requests: Rate limited\.") as caught:
            await me(client)
    assert caught.value.retry_after == 7
    assert caught.value.rate_limit == RateLimit(limit=4, remaining=0, reset=1.0, window=1.0)


@pytest.mark.parametrize("options", [{}, {"max_retries": 0}], ids=["patient", "max_retries=0"])
async def test_429_without_headers_pauses_the_group(api: ScriptedServer, options: dict[str, Any]) -> None:
    clock = FakeClock()
    api.script([reply(429)])
    async with client_on(api, clock, **options) as client:
        try:
            await me(client)
        except RateLimitError:
            await me(client)
    assert clock.slept == [0.25]


# A custom rate limiter.


class RecordingLimiter:
    """Records its calls, and admits or rejects requests."""

    def __init__(self, *responses: float | None) -> None:
        self.responses = list(responses)
        self.asked: list[tuple[RateKey, float, float]] = []
        self.told: list[tuple[RateLimit | None, float | None]] = []

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        self.asked.append((key, max_wait, max_total))
        return self.responses.pop(0) if self.responses else None

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        assert key == self.asked[-1][0]
        self.told.append((rate_limit, retry_after))


async def test_custom_limiter(api: ScriptedServer) -> None:
    limiter = RecordingLimiter()
    api.script([refusal(3), reply(503), reply(json=USER, headers=NOTHING_LEFT), reply(json=USER), refusal(500)])
    async with client_on(api, FakeClock(), rate_limiter=limiter, timeout=30) as client:
        await me(client)
        await me(client)
        with pytest.raises(RateLimitError):
            await me(client)
    keys = {key for key, _, _ in limiter.asked}
    assert {(key.origin, key.group) for key in keys} == {(api.url, "v2.users")}
    assert TOKEN not in repr(keys)
    assert [bounds for _, *bounds in limiter.asked] == [[30, 30], [30, 30], [29.5, 29.5], [30, 30], [30, 30]]
    assert limiter.told == [(None, 3), (RateLimit(4, 0, 1.0, 1.0), None), (None, 500)]


async def test_custom_limiter_rejects(api: ScriptedServer) -> None:
    async with client_on(api, FakeClock(), rate_limiter=RecordingLimiter(None, 70.0, 9.0), timeout=8) as client:
        await me(client)
        for because in ("retry_after_too_long", "deadline"):
            with pytest.raises(RateLimitError) as caught:
                await me(client)
            assert (caught.value.retry_stop_reason, caught.value.request_outcome) == (because, "not_sent")
    assert len(api.requests) == 1


async def test_blocking_custom_limiter_ends_at_the_deadline(api: ScriptedServer) -> None:
    class Stuck(RecordingLimiter):
        async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
            await anyio.sleep_forever()
            return None

    async with client_on(api, rate_limiter=Stuck(), timeout=0.1) as client:
        with pytest.raises(RateLimitError) as caught:
            await me(client)
    assert (caught.value.retry_stop_reason, caught.value.request_outcome, caught.value.attempts) == (
        "deadline",
        "not_sent",
        0,
    )


async def test_lost_connection_does_not_update_the_limiter(api: ScriptedServer) -> None:
    clock = FakeClock()
    api.script([drop()])
    async with client_on(api, clock, max_retries=0) as client:
        with pytest.raises(Exception, match="may have processed it"):
            await cancel_job(client)
        await cancel_job(client)
    assert clock.slept == []
