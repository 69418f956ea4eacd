"""Error responses: the class, the message of the server, and never a JSON error."""

from __future__ import annotations

import json
import pickle
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StatusError,
    UnprocessableEntityError,
)
from tests.support.clients import client_on
from tests.support.handmade import things
from tests.support.scripted_server import Response, ScriptedServer, redirect, reply

THING = "/api/v2/thing/a"
PAGE = "<!DOCTYPE html><html><head><title>404</title></head><body>" + "x" * 8_000 + "</body></html>"
GITHUB = json.dumps({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, max_retries=0) as client:
        yield client


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, StatusError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, StatusError),
        (409, ConflictError),
        (410, GoneError),
        (413, StatusError),
        (418, StatusError),
        (422, UnprocessableEntityError),
        (429, RateLimitError),
        (451, StatusError),
        (499, StatusError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (504, ServerError),
        (520, ServerError),
        (599, ServerError),
        (300, StatusError),
        (304, StatusError),
    ],
)
@pytest.mark.parametrize("what", ["get", "delete", "touch", "list", "request"])
async def test_class_by_status(
    client: AsyncCircleCI, server: ScriptedServer, status: int, expected: type[StatusError], what: str
) -> None:
    server.otherwise(reply(status, json={"message": "No."}))
    calls = things(client)
    with pytest.raises(StatusError) as caught:
        match what:
            case "get":
                await calls.get("a")
            case "delete":
                await calls.delete("a")
            case "touch":
                await calls.touch("a")
            case "list":
                await calls.list_by_offset()
            case _:
                await client.request("GET", "/api/v3/x")
    error = caught.value
    assert type(error) is expected
    assert (error.status, error.message) == (status, "" if status == 304 else "No.")
    assert len(server.requests) == error.attempts == 1


SHAPES: list[tuple[str, Response, str]] = [
    ("message", reply(404, json={"message": "Project not found"}), "Project not found"),
    ("error", reply(404, json={"error": "No such policy", "context": {}}), "No such policy"),
    ("object inside error", reply(404, json={"error": {"type": "x", "title": "t", "detail": "No run."}}), "t: No run."),
    ("JSON inside message", reply(404, json={"message": GITHUB}), "Not Found"),
    ("a list", reply(404, json=[{"message": "a"}, {"message": "b"}]), "a; b"),
    ("a string", reply(404, json="gone"), "gone"),
    ("an empty object", reply(404, json={}), ""),
    ("null", reply(404, json=None), ""),
    ("HTML", reply(404, text=PAGE, content_type="text/html"), ""),
    ("HTML labelled as JSON", reply(404, text=PAGE, content_type="application/json"), ""),
    ("plain text", reply(404, text="Rate limited."), "Rate limited."),
    ("text labelled as JSON", reply(404, text="Not here.", content_type="application/json"), "Not here."),
    ("nothing", reply(404), ""),
    ("nothing, no length", reply(404, framing="close"), ""),
    ("not UTF-8", reply(404, body=b'{"message": "caf\xe9"}'), "caf\ufffd"),
    ("half a document", reply(404, body=b'{"message": "ha'), '{"message": "ha'),
    ("a body cut short", reply(404, json={"message": "never"}).cut(), ""),
    ("a body cut short by a reset", reply(404, json={"message": "never"}).cut(reset=True), ""),
    ("broken compression", reply(404, body=b"no gzip", headers={"Content-Encoding": "gzip"}), ""),
    ("chunked", reply(404, json={"message": "in chunks"}, framing="chunked"), "in chunks"),
    ("deep", reply(404, body=b"[" * 50_000), "[" * 497 + "..."),
]


@pytest.mark.parametrize(("response", "message"), [shape[1:] for shape in SHAPES], ids=[shape[0] for shape in SHAPES])
async def test_error_bodies(client: AsyncCircleCI, server: ScriptedServer, response: Response, message: str) -> None:
    server.script([response, reply(json={"id": "1"})])
    with pytest.raises(NotFoundError) as caught:
        await things(client).get("a")
    error = caught.value
    assert error.message == message
    assert str(error).startswith(
        f"v2.things.get: 404 Not Found{': ' if message else ''}{message} (GET {THING}, 1 attempt"
    )
    assert len(str(error)) < 900
    assert (error.__cause__, error.__context__) == (None, None)
    assert (await things(client).get("a")).id == "1"


async def test_attributes_of_an_error(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", THING, reply(400, json={"message": "Bad id"}, headers={"X-Request-Id": "r-1", "x-Other": "o"}))
    with pytest.raises(BadRequestError) as caught:
        await things(client).get("a")
    error = caught.value
    assert (error.operation, error.method, error.path) == ("v2.things.get", "GET", THING)
    assert (error.attempts, error.retry_stop_reason, error.request_outcome) == (1, "not_retryable", "rejected")
    assert error.elapsed > 0
    assert (error.request_id, error.headers["x-other"]) == ("r-1", "o")
    assert error.body == b'{"message": "Bad id"}'
    assert str(error) == (
        f"v2.things.get: 400 Bad Request: Bad id (GET {THING}, 1 attempt, {error.elapsed:.2f} s, request id r-1)"
    )
    again = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)


async def test_request_id_of_v1(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", "/api/v1.1/me", reply(403, headers={"X-Circleci-Request-Id": "old"}))
    with pytest.raises(PermissionDeniedError) as caught:
        await client.v1.users.me()
    assert caught.value.request_id == "old"


@pytest.mark.parametrize(
    ("status", "path", "words"),
    [
        (404, "/api/v2/me", "The API also returns 404 for resources that this token cannot access."),
        (401, "/api/v2/me", "API v2 accepts personal tokens only, no project tokens."),
        (403, "/api/v2/me", "Some parts of the API also return 403 for missing resources."),
        (410, "/api/v1.1/me", "The API no longer supports this operation."),
    ],
)
async def test_hints_by_status(
    client: AsyncCircleCI, server: ScriptedServer, status: int, path: str, words: str
) -> None:
    server.on("GET", path, reply(status))
    with pytest.raises(StatusError) as caught:
        await (client.v2.users.me() if "v2" in path else client.v1.users.me())
    assert str(caught.value).endswith(words)


async def test_v1_accepts_project_tokens(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", "/api/v1.1/me", reply(401))
    with pytest.raises(AuthenticationError) as caught:
        await client.v1.users.me()
    assert "project tokens" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://example.com/api/v2/thing/a", "//example.com/", "http://[", ""])
async def test_redirects_not_followed(
    client: AsyncCircleCI, server: ScriptedServer, status: int, location: str
) -> None:
    server.on("GET", THING, redirect(location, status))
    with pytest.raises(StatusError) as caught:
        await things(client).get("a")
    assert type(caught.value) is StatusError
    assert (caught.value.status, len(server.requests)) == (status, 1)


async def test_message_about_a_secret_is_not_repeated(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", f"{THING}/password", reply(400, json={"message": "hunter2 is too short"}))
    with pytest.raises(BadRequestError) as caught:
        await things(client).reveal("a")
    error = caught.value
    assert b"hunter2" in error.body
    assert "hunter2" not in str(error) + repr(error) + error.message
    assert b"hunter2" not in pickle.dumps(error)


async def test_exception_in_user_code_propagates(client: AsyncCircleCI, server: ScriptedServer) -> None:
    class Broken(dict[str, str]):
        def items(self) -> NoReturn:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await things(client).create(parameters=Broken())
    assert server.requests == []
