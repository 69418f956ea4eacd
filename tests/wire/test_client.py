"""Features of a client besides its operations: views, raw responses, raw requests, hooks and logs."""

from __future__ import annotations

import functools
import logging
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    ClientClosedError,
    ConfigError,
    InvalidArgumentError,
    NotFoundError,
    Page,
    Reply,
    ServerError,
    Timeout,
)
from tests.support.clients import TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.handmade import Thing, things
from tests.support.scripted_server import ScriptedServer, redirect, reply

THING = "/api/v2/thing/a"
LIMITS = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99", "X-RateLimit-Reset": "60"}


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


# raw_response


async def test_raw_response_has_status_headers_and_attempts(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", THING, [reply(503, headers={"Retry-After": "1"}), reply(203, json={"id": "1"}, headers=LIMITS)])
    found = await client.raw_response(things(client).get, "a")
    assert isinstance(found, Reply)
    assert found.data == Thing(id="1")
    assert (found.status, found.attempts, found.content) == (203, 2, b'{"id": "1"}')
    assert (found.headers["X-RATELIMIT-LIMIT"], "nothing" in found.headers) == ("100", False)
    assert found.rate_limit is not None
    assert (found.rate_limit.limit, found.rate_limit.remaining) == (100, 99)
    assert found.elapsed >= 0.5  # includes the pause between the attempts
    assert client.rate_limit == found.rate_limit


async def test_repeated_headers(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", THING, reply(json={"id": "1"}, headers=[("X-A", "1"), ("x-a", "2")]))
    headers = (await client.raw_response(things(client).get, "a")).headers
    assert headers["x-a"] == headers["X-A"] == "1, 2"
    assert set(headers) == {"content-type", "content-length", "x-a"}
    assert len(headers) == 3


async def test_raw_response_of_a_list_is_the_first_page(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/by-offset", reply(json=[{"id": str(n)} for n in range(30)]))
    found = await client.raw_response(things(client).list_by_offset)
    assert isinstance(found.data, Page)
    assert (len(found.data), found.data.next, found.status) == (30, 30, 200)
    assert len(server.requests) == 1


async def test_raw_response_without_content(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("PUT", THING, reply(204))
    found = await client.raw_response(things(client).touch, "a")
    assert (found.data, found.status) == (None, 204)  # type: ignore[func-returns-value]  # None is the data


async def test_raw_response_accepts_all_forms_of_arguments(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}))
    get = things(client).get
    partial: Any = functools.partial(get, thing_id="b")
    for call in (
        client.raw_response(get, "a"),
        client.raw_response(get, thing_id="a"),
        client.raw_response(functools.partial(get, "a")),
        client.raw_response(functools.partial(functools.partial(get), "a")),
        client.raw_response(partial, thing_id="a"),
    ):
        await call
    assert {request.path for request in server.requests} == {THING}


async def test_raw_response_accepts_nested_partials(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}))
    inner = functools.partial(things(client).find, "gh/a/b", "owner", text_filter="inner", twice="kept")
    outer: Any = functools.partial(inner, "text", text_filter="outer", yes=False)
    await client.raw_response(outer, 5, yes=True)
    [request] = server.requests
    assert request.path == "/api/v2/gh/a/b/owner/text/5/gh/acme"
    query = dict(request.query)
    assert (query["text-filter"], query["twice"], query["yes"]) == ("outer", "kept", "true")


async def test_raw_response_uses_the_options_of_its_client(client: AsyncCircleCI, server: ScriptedServer) -> None:
    with ScriptedServer() as other:
        other.on("GET", THING, reply(json={"id": "other"}))
        async with AsyncCircleCI("token", base_url=other.url) as second:
            view = second.with_options(headers={"X-View": "1"})
            found = await view.raw_response(things(client).get, "a")
    assert found.data.id == "other"
    assert other.requests[0].headers["x-view"] == "1"
    assert server.requests == []


async def test_raw_response_raises_the_same_errors(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(404))
    with pytest.raises(NotFoundError):
        await client.raw_response(things(client).get, "a")
    with pytest.raises(InvalidArgumentError):
        await client.raw_response(things(client).get, "..")
    with pytest.raises(TypeError, match="positional argument"):
        await client.raw_response(things(client).get, "a", "b")  # type: ignore[call-arg]  # what is refused


async def test_concurrent_raw_responses(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(lambda request: reply(json={"id": request.path.rpartition("/")[2]}))
    found: dict[int, Reply[Thing]] = {}

    async def ask(number: int) -> None:
        found[number] = await client.raw_response(things(client).get, str(number))

    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(ask, number)
    assert {number: int(response.data.id) for number, response in found.items()} == {n: n for n in range(50)}


async def test_raw_response_without_an_operation_is_a_type_error(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}))
    wrong: list[Any] = [
        things(client).nothing_sent,
        things(client).two_calls,
        client.request,
        client.aclose,
        lambda: things(client).get("a"),
        type(things(client)).get,
        anyio.sleep,
        None,
        5,
    ]
    for method in wrong:
        with pytest.raises(TypeError, match="raw_response takes one"):
            await client.raw_response(method)


# request


async def test_request_with_all_arguments(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("POST", "/api/v3/things", reply(201, json={"data": {"id": "1"}}, headers=LIMITS))
    found = await client.request(
        "POST",
        "/api/v3/things",
        query={"page[limit]": 5, "deep": True, "ratio": 0.5, "names": ["a", "b"], "one": ("c",)},
        json={"data": {"name": None}},
        headers={"X-Extra": "1"},
    )
    assert (found.data, found.status, found.attempts) == ({"data": {"id": "1"}}, 201, 1)
    [request] = server.requests
    assert request.query == (
        ("page[limit]", "5"),
        ("deep", "true"),
        ("ratio", "0.5"),
        ("names", "a"),
        ("names", "b"),
        ("one", "c"),
    )
    assert request.json == {"data": {"name": None}}
    assert (request.headers["x-extra"], request.headers["content-type"]) == ("1", "application/json")
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


async def _token() -> str:
    return TOKEN


_BEARER = f"Bearer {TOKEN}"
_BASIC = "Basic " + b64encode(f"{TOKEN}:".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "elsewhere", "v3"),
    [
        ({"token": TOKEN}, (TOKEN, None), (None, _BEARER)),
        ({"token": TOKEN, "auth": "bearer"}, (None, _BEARER), (None, _BEARER)),
        ({"token": TOKEN, "auth": "basic"}, (None, _BASIC), (None, _BEARER)),
        ({"auth": _token}, (TOKEN, None), (None, _BEARER)),
        ({"auth": "none"}, (None, None), (None, None)),
    ],
    ids=["circle-token", "bearer", "basic", "callable", "none"],
)
async def test_the_path_decides_how_the_token_is_sent(
    server: ScriptedServer, auth: dict[str, Any], elsewhere: tuple[str | None, ...], v3: tuple[str | None, ...]
) -> None:
    server.otherwise(reply(204))
    server.on("GET", "/api/v2/moved", redirect("/api/v3/here"))
    server.on("GET", "/api/v3/moved", redirect("/api/v2/there"))
    other = ("/api/v2/me", "/api/v1.1/me", "/api/v3x/runs", "/api/v2/v3", "/api/v2/api/v3", "/api/v2/there")
    async with AsyncCircleCI(base_url=f"{server.url}/api/v3", **auth) as client:
        for path in (*other[:-1], "/api/v3", "/api/v3/", "/api/v3/runs", "/api/V3/runs", "/api/%763/runs"):
            await client.request("GET", path)
        await client.request("POST", "/api/v3/runs/search", json={})
        for path in ("/api/v2/moved", "/api/v3/moved"):
            await client.request("GET", path)
    for request in server.requests:
        sent = request.headers.get("circle-token"), request.headers.get("authorization")
        assert sent == (elsewhere if request.path in (*other, "/api/v2/moved") else v3), request.path
    assert len(server.requests) == 15


async def test_missing_body_differs_from_null(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(204))
    await client.request("PUT", "/api/v3/x")
    await client.request("PUT", "/api/v3/x", json=None)
    await client.request("PUT", "/api/v3/x", json={})
    assert [request.body for request in server.requests] == [b"", b"null", b"{}"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_retried_methods(client: AsyncCircleCI, server: ScriptedServer, method: Any) -> None:
    server.script([reply(502, headers={"Retry-After": "1"}), reply(204)])
    assert (await client.request(method, "/api/v3/x")).attempts == 2


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_methods_without_retries(client: AsyncCircleCI, server: ScriptedServer, method: Any) -> None:
    server.script([reply(502)])
    with pytest.raises(ServerError) as caught:
        await client.request(method, "/api/v3/x")
    assert (caught.value.attempts, caught.value.request_outcome) == (1, "unknown")
    assert caught.value.operation == "client.request"


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"method": "get"}, "client.request: method: expected one of GET, HEAD, POST, PUT, PATCH, DELETE, got 'get'."),
    ({"method": "TRACE"}, "client.request: method: expected one of"),
    ({"query": {"a": None}}, "client.request: query a: expected str, got None."),
    ({"query": {"a": object}}, "request: query a: expected str, got type."),
    ({"query": {5: "a"}}, "request: query: expected keys of type str, got int."),
    ({"query": {"a": ["b", {}]}}, "request: query a: expected str, got dict."),
    ({"query": {"a": float("nan")}}, "request: query a: expected a finite number, got nan."),
    ({"query": {"\ud800": "a"}}, "request: query: expected Unicode, got a lone surrogate"),
    ({"json": object}, "json: expected a JSON value, got type."),
    ({"json": {"a": {1: 2}}}, "json.a: expected keys of type str, got int."),
    ({"headers": {"Circle-Token": "x"}}, "headers: Circle-Token is set by the client itself"),
    ({"headers": {"X-A": "a\nb"}}, "headers: the value of X-A holds characters that no header may carry."),
    ({"headers": {"X-A": 5}}, "headers: X-A: expected str, got int."),
]


@pytest.mark.parametrize(("arguments", "sentence"), INVALID, ids=repr)
async def test_invalid_requests(
    client: AsyncCircleCI, server: ScriptedServer, arguments: dict[str, Any], sentence: str
) -> None:
    given: dict[str, Any] = {"method": "GET", "path": "/api/v3/x", **arguments}
    with pytest.raises(InvalidArgumentError) as caught:
        await client.request(**given)
    assert sentence in str(caught.value)
    assert server.requests == []


async def test_recursive_json_is_invalid(client: AsyncCircleCI, server: ScriptedServer) -> None:
    circle: list[object] = []
    circle.append(circle)
    for call in (
        client.request("POST", "/api/v3/x", json=circle),
        things(client).create(anything=circle),
        things(client).create(box={"anything": circle}),
    ):
        with pytest.raises(InvalidArgumentError, match="nested too deep, or holds itself"):
            await call
    assert server.requests == []


# with_options


async def test_view_adds_headers_and_query(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}))
    view = client.with_options(headers={"X-A": "1", "User-Agent": "mine"}, query={"a": "1"})
    second = view.with_options(headers={"x-a": "2"}, query={"b": "2"})
    await things(view).get("a")
    await things(second).get("a")
    await things(client).get("a")
    of_view, of_second, of_client = server.requests
    assert (of_view.query, of_view.headers["x-a"]) == ((("a", "1"),), "1")
    assert [value for name, value in of_view.raw_headers if name.lower() == "user-agent"] == ["mine"]
    assert (of_second.query, of_second.headers["x-a"]) == ((("a", "1"), ("b", "2")), "2")
    assert of_client.query == ()
    assert "x-a" not in of_client.headers
    assert of_client.headers["user-agent"].startswith("circleci-sdk/")


async def test_view_overrides_timeout_and_retries(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(503, headers={"Retry-After": "1"}))
    for view, attempts in (
        (client, 3),
        (client.with_options(max_retries=0), 1),
        (client.with_options(max_retries=4), 5),
    ):
        with pytest.raises(ServerError) as caught:
            await things(view).get("a")
        assert caught.value.attempts == attempts


async def test_view_shares_connections_and_does_not_close_them(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}, headers=LIMITS))
    async with client.with_options(timeout=5) as view:
        await things(view).get("a")
    await view.aclose()
    await things(client).get("a")
    assert server.connections == 1
    assert view.rate_limit == client.rate_limit
    assert view.rate_limit is not None
    assert (view.base_url, repr(view)) == (client.base_url, repr(client))
    await client.aclose()
    with pytest.raises(ClientClosedError):
        await things(view).get("a")


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": True},
        {"timeout": "5"},
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"max_retries": True},
        {"max_retries": None},
        {"max_retry_after": -1},
        {"max_retry_after": "60"},
        {"max_retry_after": None},
        {"headers": {"Authorization": "x"}},
        {"headers": {"circle-TOKEN": "x"}},
        {"headers": {"Host": "x"}},
        {"headers": {"Content-Length": "5"}},
        {"headers": {"a b": "x"}},
        {"headers": {"": "x"}},
        {"headers": {"X-Ü": "x"}},
        {"headers": {"X-A": "ü"}},
        {"headers": {"X-A": "a\r\nb: c"}},
        {"headers": {"X-A": None}},
        {"headers": {5: "x"}},
        {"query": {"a": 5}},
        {"query": {5: "a"}},
        {"query": {"a": "\ud800"}},
        {"query": {"a": None}},
    ],
    ids=repr,
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AsyncCircleCI("token").with_options(**options)
    for name in ("timeout", "max_retries", "max_retry_after"):
        if name in options:
            with pytest.raises(ConfigError):
                AsyncCircleCI("token", **options)


@pytest.mark.parametrize("part", ["total", "connect", "read", "write"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "1"], ids=repr)
def test_invalid_timeouts(part: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"timeout: {part}: expected seconds above 0"):
        Timeout(**{part: value})


def test_forms_of_timeouts() -> None:
    assert Timeout.of(5) == Timeout(total=5)
    assert Timeout.of(None) == Timeout(total=None, connect=None, read=None, write=None)
    assert Timeout.of(Timeout(read=1)) == Timeout(total=60, connect=5, read=1, write=30)


# Hooks


async def test_hooks_run_once_per_attempt(server: ScriptedServer) -> None:
    server.script([reply(503, headers={"Retry-After": "1"}), reply(json={"id": "1"})])
    seen: list[tuple[str, object]] = []

    async def before(request: httpx.Request) -> None:
        seen.append((request.method, request.url.path))

    async def after(response: httpx.Response) -> None:
        seen.append((str(response.status_code), response.content))

    async with client_on(server, FakeClock(), on_request=before, on_response=after) as client:
        await things(client).get("a")
    assert seen == [("GET", THING), ("503", b""), ("GET", THING), ("200", b'{"id": "1"}')]


@pytest.mark.parametrize("which", ["on_request", "on_response"])
@pytest.mark.parametrize(
    "error", [TypeError("mine"), ValueError("mine"), TimeoutError("mine"), httpx.ReadError("mine")]
)
async def test_exceptions_of_hooks_propagate(server: ScriptedServer, which: str, error: Exception) -> None:
    server.otherwise(reply(json={"id": "1"}))

    async def hook(message: object) -> None:
        raise error

    hooks: dict[str, Any] = {which: hook}
    async with AsyncCircleCI("token", base_url=server.url, **hooks) as client:
        with pytest.raises(type(error)) as caught:
            await things(client).get("a")
    assert caught.value is error
    assert len(server.requests) == (which == "on_response")


@pytest.mark.parametrize("which", ["auth", "on_request", "on_response"])
async def test_functions_that_return_awaitables(server: ScriptedServer, which: str) -> None:
    """Only a call can tell what a lambda returns; a plain function without such an annotation is refused at once."""
    server.otherwise(reply(json={"id": "1"}))

    async def given(*_: object) -> str:
        return TOKEN

    def annotated(*_: object) -> Awaitable[str]:
        return given()

    def plain(*_: object) -> str:
        return TOKEN

    token = {} if which == "auth" else {"token": TOKEN}
    rights: list[Callable[..., object]] = [lambda *_: given(), annotated, functools.partial(given)]
    for right in rights:
        options: dict[str, Any] = {which: right, **token}
        async with AsyncCircleCI(base_url=server.url, **options) as client:
            await things(client).get("a")
    with pytest.raises(ConfigError, match=rf"{which}: expected .*an async function.*, got a plain function"):
        AsyncCircleCI(base_url=server.url, **{which: plain, **token})  # type: ignore[arg-type]  # what is refused
    async with AsyncCircleCI(base_url=server.url, **{which: lambda *_: TOKEN, **token}) as client:  # type: ignore[arg-type]  # what is refused
        with pytest.raises(ConfigError, match=f"{which}: expected an async function, got one that returned str"):
            await things(client).get("a")


async def test_hook_changes_the_request(server: ScriptedServer) -> None:
    server.otherwise(reply(json={"id": "1"}))

    async def trace(request: httpx.Request) -> None:
        request.headers["Traceparent"] = "00-1"

    async with AsyncCircleCI("token", base_url=server.url, on_request=trace) as client:
        await things(client).get("a")
    assert server.requests[0].headers["traceparent"] == "00-1"


# Logs


async def test_logs(client: AsyncCircleCI, server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "circleci_sdk")
    server.script([reply(503, headers={"Retry-After": "1.1"}), reply(json={"id": "1"})])
    await things(client).get("a")
    levels = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert [(name, level) for name, level, _ in levels] == [
        ("circleci_sdk", "DEBUG"),
        ("circleci_sdk", "INFO"),
        ("circleci_sdk", "DEBUG"),
    ]
    first, wait, second = (text for *_, text in levels)
    assert first.startswith(f"v2.things.get GET {THING} -> 503 in 0.")
    assert first.endswith("(attempt 1)")
    assert wait == "v2.things.get waits 1.1 s before trying again: 503"
    assert second.endswith("(attempt 2)")


def test_repr_of_clients_and_their_attributes() -> None:
    client = AsyncCircleCI("token", base_url="circleci.example.com/api/v2/")
    assert (client.base_url, repr(client)) == (
        "https://circleci.example.com",
        "<AsyncCircleCI https://circleci.example.com>",
    )
    assert repr(client.v2.jobs) == "<v2 Jobs>"
    assert client.v2 is client.v2
    assert client.v2.jobs is client.v2.jobs
    assert client.rate_limit is None
