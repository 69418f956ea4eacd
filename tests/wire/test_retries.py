"""Retries: which calls are retried, how often and after which delays; and the attributes of the final error.

The tests use a `FakeClock`, so waits are exact and take no time. Timeouts of network I/O are real and short.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    CallError,
    ConnectionFailedError,
    DecodeError,
    NotFoundError,
    PoolExhaustedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    Timeout,
)
from tests.support import places, v3_facts
from tests.support.calls import calls
from tests.support.clients import CREATED, ID, MESSAGE, SLUG, USER, client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.facts import Operation, operations
from tests.support.scripted_server import Response, ScriptedServer, closed_port, drop, hang, redirect, reply

Call: TypeAlias = Callable[[AsyncCircleCI], Awaitable[Any]]

HALF: Final = 0.25
"""The first delay with a random value of 0.5, of at most half a second; the second is twice as long."""
SHORT_TIMEOUT: Final = Timeout(read=0.5)


async def get(client: AsyncCircleCI) -> object:
    return await client.v2.users.me()


async def trigger(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.trigger(SLUG, branch="main")


async def cancel(client: AsyncCircleCI) -> object:
    return await client.v2.workflows.cancel(ID)


async def delete(client: AsyncCircleCI) -> object:
    return await client.v2.contexts.delete(ID)


async def update(client: AsyncCircleCI) -> object:
    return await client.v2.schedules.update(ID, description="nightly")


def free(method: Any) -> Call:
    async def call(client: AsyncCircleCI) -> object:
        return await client.request(method, "/api/v2/anything", json={})

    return call


GOOD: Final[Mapping[Call, Response]] = {
    get: reply(json=USER),
    trigger: reply(201, json=CREATED),
    cancel: reply(202, json=MESSAGE),
    delete: reply(json=MESSAGE),
}


@dataclass(frozen=True)
class Row:
    """Responses of the server and what comes of them. `error` None: the call succeeds in the end.

    `sent` is the number of requests that the server saw, `slept` what was waited between them.
    """

    name: str
    call: Call
    responses: Sequence[Response]
    sent: int
    error: type[CallError] | None = None
    because: str | None = None
    request_outcome: str = "unknown"
    slept: Sequence[float] | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def after(value: str, status: int = 503, date: str | None = None) -> Response:
    headers = {"Retry-After": value} | ({"Date": date} if date else {})
    return reply(status, headers=headers)


ROWS: Final = [
    # Statuses, and which calls are retried.
    *(
        Row(f"GET {status}, {status}, 200", get, [reply(status), reply(status), GOOD[get]], 3, slept=[HALF, 2 * HALF])
        for status in (408, 429, 500, 502, 503, 504)
    ),
    *(
        Row(f"GET {status}", get, [reply(status)], 1, error, "not_retryable", "rejected", [])
        for status, error in ((400, StatusError), (401, AuthenticationError), (404, NotFoundError), (418, StatusError))
    ),
    Row("GET 501", get, [reply(501)], 1, ServerError, "not_retryable", "unknown", []),
    Row("GET 503 for ever", get, [reply(503)] * 3, 3, ServerError, "attempts_exhausted", slept=[HALF, 2 * HALF]),
    Row("GET 429 for ever", get, [reply(429)] * 3, 3, RateLimitError, "attempts_exhausted", "rejected"),
    *(Row(f"{method} is replayed", free(method), [reply(503), reply()], 2) for method in ("GET", "HEAD", "PUT")),
    Row("DELETE is replayed", delete, [reply(503), drop(), GOOD[delete]], 3),
    Row("PATCH of an operation is replayed", update, [reply(503), reply(404)], 2, NotFoundError, "not_retryable"),
    Row("a cancel is replayed", cancel, [reply(502), drop(), GOOD[cancel]], 3),
    *(
        Row(f"any other {method} is not", free(method), [reply(503)], 1, ServerError, "unknown_outcome")
        for method in ("POST", "PATCH")
    ),
    # A trigger: exactly one request, unless the server rejected it.
    *(
        Row(f"POST {status}", trigger, [reply(status)], 1, error, "unknown_outcome")
        for status, error in ((408, StatusError), (500, ServerError), (502, ServerError), (503, ServerError))
    ),
    Row("POST hangs", trigger, [hang()], 1, RequestTimeoutError, "unknown_outcome", options={"timeout": SHORT_TIMEOUT}),
    Row("POST dropped", trigger, [drop()], 1, ConnectionFailedError, "unknown_outcome"),
    Row("POST reset", trigger, [drop(reset=True)], 1, ConnectionFailedError, "unknown_outcome"),
    Row("POST dropped in the body", trigger, [drop().reading(3)], 1, ConnectionFailedError, "unknown_outcome"),
    Row("POST 429, 201", trigger, [reply(429), GOOD[trigger]], 2, slept=[HALF]),
    Row("POST 429, 503", trigger, [reply(429), reply(503)], 2, ServerError, "unknown_outcome"),
    Row("POST 429, 429, 429", trigger, [reply(429)] * 3, 3, RateLimitError, "attempts_exhausted", "rejected"),
    # A truncated response. With a success status the call was processed.
    Row("POST 201 cut", trigger, [GOOD[trigger].cut()], 1, ConnectionFailedError, "not_retryable", "processed"),
    Row(
        "POST 201 reset",
        trigger,
        [GOOD[trigger].cut(reset=True)],
        1,
        ConnectionFailedError,
        "not_retryable",
        "processed",
    ),
    Row("GET 200 cut", get, [GOOD[get].cut(), GOOD[get]], 2, slept=[HALF]),
    Row(
        "GET 200 cut for ever", get, [GOOD[get].cut()] * 3, 3, ConnectionFailedError, "attempts_exhausted", "processed"
    ),
    Row("POST 503 cut", trigger, [reply(503, text="no" * 99).cut()], 1, ServerError, "unknown_outcome"),
    Row("GET 404 cut", get, [reply(404, text="no" * 99).cut()], 1, NotFoundError, "not_retryable", "rejected"),
    Row(
        "POST 201 with a broken compression",
        trigger,
        [reply(201, body=b"nonsense", headers={"Content-Encoding": "gzip"})],
        1,
        DecodeError,
        "not_retryable",
        "processed",
    ),
    Row(
        "GET 404 with a broken compression",
        get,
        [reply(404, body=b"nonsense", headers={"Content-Encoding": "gzip"})],
        1,
        NotFoundError,
        "not_retryable",
        "rejected",
    ),
    # The worst outcome of all attempts counts.
    Row("DELETE 503, 404", delete, [reply(503), reply(404)], 2, NotFoundError, "not_retryable", "unknown"),
    Row("DELETE 429, 404", delete, [reply(429), reply(404)], 2, NotFoundError, "not_retryable", "rejected"),
    Row("DELETE drop, 409", delete, [drop(), reply(409)], 2, StatusError, "not_retryable", "unknown"),
    Row(
        "DELETE 200 cut, 404", delete, [GOOD[delete].cut(), reply(404)], 2, NotFoundError, "not_retryable", "processed"
    ),
    # Closed connections.
    Row("GET drop, reset, 200", get, [drop(), drop(reset=True), GOOD[get]], 3, slept=[HALF, 2 * HALF]),
    Row("GET hangs, 200", get, [hang(), GOOD[get]], 2, options={"timeout": SHORT_TIMEOUT}),
    Row(
        "GET hangs",
        get,
        [hang()] * 2,
        2,
        RequestTimeoutError,
        "attempts_exhausted",
        options={"timeout": SHORT_TIMEOUT, "max_retries": 1},
    ),
    # Number of attempts.
    Row("max_retries=0", get, [reply(503)], 1, ServerError, "attempts_exhausted", options={"max_retries": 0}),
    Row("POST max_retries=0", trigger, [reply(503)], 1, ServerError, "unknown_outcome", options={"max_retries": 0}),
    Row(
        "POST 429 max_retries=0",
        trigger,
        [reply(429)],
        1,
        RateLimitError,
        "attempts_exhausted",
        "rejected",
        options={"max_retries": 0},
    ),
    Row("max_retries=4", get, [*[reply(503)] * 4, GOOD[get]], 5, slept=[0.25, 0.5, 1, 2], options={"max_retries": 4}),
    # Delays: from the headers, otherwise with jitter.
    Row("Retry-After: 2", get, [after("2"), GOOD[get]], 2, slept=[2]),
    Row("Retry-After: 2 on 429", get, [after("2", 429), GOOD[get]], 2, slept=[2]),
    Row("Retry-After: 2 on POST 429", trigger, [after("2", 429), GOOD[trigger]], 2, slept=[2]),
    Row("Retry-After: 2 on POST 503", trigger, [after("2")], 1, ServerError, "unknown_outcome", slept=[]),
    Row("Retry-After: 0", get, [after("0"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: 0.75", get, [after("0.75"), GOOD[get]], 2, slept=[0.75]),
    Row("Retry-After: -5", get, [after("-5"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: soon", get, [after("soon"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: inf", get, [after("inf"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: nan", get, [after("nan"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: a date", get, [after("Sun, 15 Jun 2025 15:06:43 GMT"), GOOD[get]], 2, slept=[3]),
    Row(
        "Retry-After: a date, counted from the server's clock",
        get,
        [after("Sat, 01 Jan 2000 00:00:07 GMT", date="Sat, 01 Jan 2000 00:00:00 GMT"), GOOD[get]],
        2,
        slept=[7],
    ),
    Row("Retry-After: a date in the past", get, [after("Sun, 15 Jun 2025 10:00:00 GMT"), GOOD[get]], 2, slept=[HALF]),
    Row("Retry-After: 3600", get, [after("3600")], 1, ServerError, "retry_after_too_long", slept=[]),
    Row("3600 on 429", get, [after("3600", 429)], 1, RateLimitError, "retry_after_too_long", "rejected", []),
    # No wait, but a point in time, for instance: ignored.
    *(
        Row(f"{status}, {value}", get, [after(value, status), GOOD[get]], 2, slept=[HALF])
        for value in ("3601", "1700000000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT")
        for status in (429, 503)
    ),
    Row(
        "429 with Reset",
        get,
        [reply(429, headers={"X-RateLimit-Reset": "2", "X-RateLimit-Remaining": "0"}), GOOD[get]],
        2,
        slept=[2],
    ),
    Row(
        "max_retry_after=3600",
        get,
        [after("3600", 429), GOOD[get]],
        2,
        slept=[3600],
        options={"max_retry_after": 3600, "timeout": None},
    ),
    # One deadline for all attempts.
    Row("the pause does not fit", get, [after("30")], 1, ServerError, "deadline", slept=[], options={"timeout": 20}),
    Row(
        "the second pause does not fit",
        get,
        [after("6"), after("6")],
        2,
        ServerError,
        "deadline",
        slept=[6],
        options={"timeout": 10},
    ),
    Row(
        "the pause of a 429 does not fit",
        trigger,
        [after("30", 429)],
        1,
        RateLimitError,
        "deadline",
        "rejected",
        [],
        {"timeout": 20},
    ),
    # Redirects: GET and HEAD to the same origin only.
    Row("GET 302", get, [redirect("/api/v2/me?x=1"), GOOD[get]], 2, slept=[]),
    Row("GET 302, 503, 200", get, [redirect("/elsewhere"), reply(503), GOOD[get]], 3, slept=[HALF]),
    Row("POST 307", trigger, [redirect("/elsewhere", 307)], 1, StatusError, "not_retryable", "rejected"),
    Row("POST 303", trigger, [redirect("/elsewhere", 303)], 1, StatusError, "not_retryable", "rejected"),
    Row("DELETE 308", delete, [redirect("/elsewhere", 308)], 1, StatusError, "not_retryable", "rejected"),
    Row("302 for ever", get, [redirect("/round")] * 6, 6, StatusError, "not_retryable", "rejected"),
    Row("302 to nowhere", get, [redirect("http://[")], 1, StatusError, "not_retryable", "rejected"),
    Row("302 to another server", get, [redirect("http://127.0.0.2:9/")], 1, StatusError, "not_retryable", "rejected"),
    Row("302 to another port", get, [redirect("//127.0.0.1:9/")], 1, StatusError, "not_retryable", "rejected"),
    Row("302 to another scheme", get, [redirect("https://127.0.0.1/")], 1, StatusError, "not_retryable", "rejected"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name[:60])
async def test_row(server: ScriptedServer, row: Row) -> None:
    clock = FakeClock()
    server.script(row.responses)
    async with client_on(server, clock, **row.options) as client:
        if row.error is None:
            await row.call(client)
        else:
            with pytest.raises(row.error) as caught:
                await row.call(client)
            error = caught.value
            # Followed redirects belong to the attempt of the original request.
            redirects = sum(response.head.startswith(b"HTTP/1.1 3") for response in row.responses[: row.sent - 1])
            assert (error.retry_stop_reason, error.request_outcome) == (row.because, row.request_outcome)
            assert error.attempts == row.sent - redirects
            assert error.elapsed == pytest.approx(sum(clock.slept))
        assert len(server.requests) == row.sent
        assert all(request.body == server.requests[0].body for request in server.requests)
        if row.slept is not None:
            assert clock.slept == pytest.approx(row.slept)


@pytest.mark.parametrize("call", [get, trigger], ids=["GET", "POST"])
async def test_unsent_requests_are_retried(call: Call) -> None:
    clock = FakeClock()
    with closed_port() as url:
        async with client_on(url, clock) as client:
            with pytest.raises(ConnectionFailedError) as caught:
                await call(client)
    error = caught.value
    assert (error.attempts, error.retry_stop_reason, error.request_outcome) == (3, "attempts_exhausted", "not_sent")
    assert clock.slept == pytest.approx([HALF, 2 * HALF])


async def test_refused_connection_then_success(server: ScriptedServer) -> None:
    """A POST with a refused first connection is sent on the second one."""
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline", GOOD[trigger])
    with closed_port() as url:
        attempts: list[httpx.URL] = []

        async def turn(request: httpx.Request) -> None:
            attempts.append(request.url)
            if len(attempts) > 1:
                request.url = request.url.copy_with(port=httpx.URL(server.url).port)

        async with client_on(url, FakeClock(), on_request=turn) as client:
            await trigger(client)
    assert (len(attempts), len(server.requests)) == (2, 1)


@pytest.mark.parametrize("call", [get, trigger], ids=["GET", "POST"])
async def test_pool_timeout_is_retried_and_names_the_defect(server: ScriptedServer, call: Call) -> None:
    clock = FakeClock()
    server.otherwise(GOOD[call])
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=1)) as borrowed:
        async with (
            borrowed.stream("GET", f"{server.url}/busy"),
            client_on(server, clock, http_client=borrowed, timeout=Timeout(connect=0.05)) as client,
        ):
            with pytest.raises(PoolExhaustedError, match="http_client") as caught:
                await call(client)
        error = caught.value
        assert (error.attempts, error.retry_stop_reason, error.request_outcome) == (3, "attempts_exhausted", "not_sent")
        async with client_on(server, clock, http_client=borrowed) as client:
            await call(client)
        assert not borrowed.is_closed


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
async def test_jitter_is_full_and_bounded(server: ScriptedServer, chance: float) -> None:
    clock = FakeClock(chance=chance)
    server.otherwise(reply(503))
    async with client_on(server, clock, max_retries=7) as client:
        with pytest.raises(ServerError):
            await get(client)
    assert clock.slept == pytest.approx([chance * most for most in (0.5, 1, 2, 4, 8, 8, 8)])


async def test_view_overrides_retries_without_changing_the_client(server: ScriptedServer) -> None:
    server.otherwise(reply(503))
    async with client_on(server, FakeClock(), max_retries=1) as client:
        for caller, sent in ((client, 2), (client.with_options(max_retries=0), 1), (client, 2)):
            server.clear()
            server.otherwise(reply(503))
            with pytest.raises(ServerError):
                await get(caller)
            assert len(server.requests) == sent
        server.clear()
        server.script([after("5", 429)])
        with pytest.raises(RateLimitError) as caught:
            await get(client.with_options(max_retry_after=4))
        assert caught.value.retry_stop_reason == "retry_after_too_long"


async def test_retry_reuses_the_connection(server: ScriptedServer) -> None:
    """Error bodies are read completely, for each framing."""
    body = "x" * 100_000
    server.script(
        [reply(503, text=body), reply(429, text=body, framing="chunked"), GOOD[get], reply(404, text=body), GOOD[get]]
    )
    async with client_on(server, FakeClock()) as client:
        await get(client)
        with pytest.raises(NotFoundError):
            await get(client)
        await get(client)
    assert server.connections == 1


async def test_closed_idle_connection_is_no_attempt(server: ScriptedServer) -> None:
    server.script([GOOD[get].then_close(), GOOD[trigger]])
    async with client_on(server, FakeClock(), max_retries=0) as client:
        await get(client)
        await server.disconnected(1)
        await trigger(client)
    assert server.connections == 2


async def test_attempts_of_a_successful_response(server: ScriptedServer) -> None:
    clock = FakeClock()
    server.script([reply(503), after("3", 429), GOOD[get]])
    async with client_on(server, clock) as client:
        responded = await client.raw_response(client.v2.users.me)
    assert responded.attempts == 3
    assert responded.elapsed == pytest.approx(HALF + 3)


async def test_message_explains_the_outcome(server: ScriptedServer) -> None:
    server.script([reply(503), reply(404, json={"message": "Context not found."}), drop(), GOOD[trigger].cut()])
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(NotFoundError, match="An earlier attempt of this call may have succeeded"):
            await delete(client)
        with pytest.raises(ConnectionFailedError, match="The server may have processed it"):
            await trigger(client)
        with pytest.raises(ConnectionFailedError, match="The server processed it; its response was lost"):
            await trigger(client)


# Tokens from a callable.


async def test_new_token_after_401_is_no_retry(server: ScriptedServer) -> None:
    """The callable is called once more, and no retry is used."""
    tokens = iter(f"token-{number}" for number in range(9))

    async def source() -> str:
        return next(tokens)

    server.script([reply(401), reply(503), reply(401), reply(401), reply(401)])
    async with client_on(server, FakeClock(), auth=source, max_retries=1) as client:
        with pytest.raises(AuthenticationError) as caught:
            await get(client)
        assert (caught.value.attempts, caught.value.request_outcome) == (3, "unknown")
        with pytest.raises(AuthenticationError) as caught:
            await get(client)
        assert (caught.value.attempts, caught.value.request_outcome) == (2, "rejected")
    assert [request.headers["circle-token"] for request in server.requests] == [f"token-{n}" for n in range(5)]


async def test_new_token_after_401_leaves_all_retries(server: ScriptedServer) -> None:
    async def source() -> str:
        return "token"

    server.script([reply(401), reply(503), GOOD[get]])
    async with client_on(server, FakeClock(), auth=source, max_retries=1) as client:
        await get(client)


async def test_fixed_token_is_not_retried_after_401(server: ScriptedServer) -> None:
    server.script([reply(401)])
    async with client_on(server) as client:
        with pytest.raises(AuthenticationError):
            await get(client)
    assert len(server.requests) == 1


# Exceptions of user code propagate.


class OwnError(Exception):
    pass


class Inside:
    """Raises `error` at `place`; the request is sent unless that place is before sending."""

    def __init__(self, place: str, error: Exception) -> None:
        self.error = error
        self.options: dict[str, Any] = {place: self}

    async def __call__(self, *_: object) -> str:
        raise self.error


@pytest.mark.parametrize(
    "error",
    [TypeError("mine"), OwnError("mine"), httpx.ConnectError("mine"), httpx.PoolTimeout("mine"), TimeoutError("mine")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize(("place", "sent"), [("on_request", 0), ("auth", 0), ("on_response", 1)])
async def test_errors_of_hooks_propagate(server: ScriptedServer, place: str, sent: int, error: Exception) -> None:
    """In particular those of a hook with its own HTTP request: its failure must not repeat our POST."""
    server.otherwise(GOOD[trigger])
    clock = FakeClock()
    async with client_on(server, clock, **Inside(place, error).options) as client:
        with pytest.raises(type(error)) as caught:
            await trigger(client)
    assert caught.value is error
    assert (len(server.requests), clock.slept) == (sent, [])


@pytest.mark.parametrize(
    ("error", "raised", "request_outcome", "attempts"),
    [
        (httpx.ConnectError("no"), ConnectionFailedError, "not_sent", 3),
        (httpx.ConnectTimeout("no"), RequestTimeoutError, "not_sent", 3),
        (httpx.ReadError("no"), ConnectionFailedError, "unknown", 1),
        (httpx.ReadTimeout("no"), RequestTimeoutError, "unknown", 1),
        (httpx.RemoteProtocolError("no"), ConnectionFailedError, "unknown", 1),
        (httpx.UnsupportedProtocol("no"), ConnectionFailedError, "unknown", 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_httpx_errors_of_a_custom_transport(
    error: httpx.TransportError, raised: type[CallError], request_outcome: str, attempts: int
) -> None:
    """It does not report sending, so only errors that prove it count as not sent."""

    class Foreign(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise error

    async with client_on("http://localhost", FakeClock(), transport=Foreign()) as client:
        with pytest.raises(raised) as caught:
            await trigger(client)
    assert (caught.value.request_outcome, caught.value.attempts) == (request_outcome, attempts)


async def test_hooks_run_once_per_attempt(server: ScriptedServer) -> None:
    seen: list[object] = []

    async def asked(request: httpx.Request) -> None:
        seen.append((request.method, "Circle-Token" in request.headers))

    async def responded(response: httpx.Response) -> None:
        seen.append((response.status_code, response.content))

    server.script([reply(503, text="later"), reply(500, text="no" * 99).cut(), GOOD[cancel]])
    async with client_on(server, FakeClock(), on_request=asked, on_response=responded) as client:
        await cancel(client)
    asking = ("POST", False)
    assert seen == [asking, (503, b"later"), asking, (500, b""), asking, (202, json.dumps(MESSAGE).encode())]


# Every operation of the API.

REPLAYED_POSTS: Final = {
    *("v2.workflows.cancel", "v2.jobs.cancel", "v2.jobs.cancel_by_id", "v2.projects.set_env_var"),
    *("v2.policies.set_bundle", "v1.builds.cancel", "v1.projects.set_env_var", "v1.users.set_heroku_key"),
    *("v1.projects.follow", "v1.projects.unfollow", "v1.projects.enable"),
    # Reads, by the notes of v3, and the cancellation.
    *("v3.configs.compile", "v3.orbs.validate", "v3.runs.search", "v3.charges.search", "v3.workflows.cancel"),
}

EVERY: Final = [*operations(places.facts()), *v3_facts.operations()]


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def _made(name: str, values: Mapping[str, Any]) -> object:
    return values


@ON_ASYNCIO
@pytest.mark.parametrize("operation", EVERY, ids=lambda operation: operation.label)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_every_operation(api: ScriptedServer, operation: Operation) -> None:
    """On 503 an idempotent call is sent three times, any other once; on 429 all are sent three times."""
    method_name = operation.label.split(".")
    call = calls(operation, _made)[-1]
    safe = operation.method in ("GET", "PUT", "PATCH", "DELETE") or operation.label in REPLAYED_POSTS
    async with client_on(api, FakeClock()) as client:
        method = client
        for name in method_name:
            method = getattr(method, name)
        for status, sent in ((503, 3 if safe else 1), (429, 3)):
            api.clear()
            api.otherwise(reply(status))
            with pytest.raises(StatusError):
                called: Any = method(*call.positional, **call.keywords)  # type: ignore[operator]  # found by its name
                if operation.name.startswith("stream_"):
                    async with called:
                        pass
                await called
            assert len(api.requests) == sent
