"""A server that quotes the token or a sent secret, in any spelling and at any place, does not make the SDK say it.

All output is searched: errors with bodies, headers, causes and pickles, and the records of all loggers at DEBUG.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, CircleCIError, ConnectionFailedError, DecodeError, Reply, StatusError
from circleci_sdk._core.redaction import LEFT_OUT
from tests.support.clients import client_on
from tests.support.output import Said
from tests.support.scripted_server import Response, ScriptedServer, raw, reply
from tests.support.spellings import SPELLINGS

TOKEN: Final = "CCIPAT_a/b+c-0123456789_q?w&e=r\"t'y%z"
SENT: Final = "hunter2/was-sent & \u00e4\u00f6"
SLUG: Final = "gh/acme/web"
IN_HEADERS: Final = [name for name in SPELLINGS if "JSON in" not in name and name != "base64 in lines"]


async def me(client: AsyncCircleCI) -> Any:
    return await client.raw_response(client.v2.users.me)


async def strict_me(client: AsyncCircleCI) -> Any:
    return await client.v2.users.me()


async def set_env_var(client: AsyncCircleCI) -> Any:
    return await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(SENT))


async def create_exporter(client: AsyncCircleCI) -> Any:
    return await client.v2.otel_exporters.create(
        org_id="o", endpoint="x:1", protocol="grpc", headers={"key": SecretStr(SENT)}
    )


async def request(client: AsyncCircleCI) -> Any:
    return await client.request("POST", "/api/v3/x", json={"data": [{"value": SecretStr(SENT)}]})


async def pages(client: AsyncCircleCI) -> Any:
    return await client.v2.pipelines.list_for_project(SLUG).collect()


Call = Callable[[AsyncCircleCI], Awaitable[Any]]
Place = tuple[Call, Callable[[str], Response]]


def header(name: str, text: str) -> dict[str, str]:
    return {name: text.encode().decode("latin-1")}


PLACES: Final[dict[str, Place]] = {
    "message": (me, lambda text: reply(401, json={"message": text})),
    "plain text": (me, lambda text: reply(500, text=text)),
    "wide characters": (me, lambda text: reply(400, body=text.encode("utf-16"), content_type="application/json")),
    "no JSON": (me, lambda text: reply(200, text=f"{{{text}")),
    "a page": (me, lambda text: reply(200, text=f"<html><title>{text}</title></html>", content_type="text/html")),
    "another type": (me, lambda text: reply(200, json=[text])),
    "another object": (me, lambda text: reply(200, json={"message": text})),
    "a page token": (pages, lambda text: reply(200, json={"items": [], "next_page_token": text})),
    "request id": (me, lambda text: reply(404, json={"message": "No."}, headers=header("X-Request-Id", text))),
    "WWW-Authenticate": (me, lambda text: reply(401, headers=header("WWW-Authenticate", f'Basic realm="{text}"'))),
    "Content-Type": (me, lambda text: reply(200, body=b"x", content_type=text.encode().decode("latin-1"))),
    "Retry-After": (me, lambda text: reply(503, headers=header("Retry-After", text))),
    "Location": (me, lambda text: reply(302, headers=header("Location", f"/api/v2/x?{text}"))),
    "Location elsewhere": (me, lambda text: reply(302, headers=header("Location", f"https://example.com/{text}"))),
    "an announcement": (me, lambda text: reply(410, headers={**header("Sunset", text), **header("Deprecation", text)})),
    "a broken header": (me, lambda text: raw(b"HTTP/1.1 200 OK\r\n " + text.encode() + b"\r\nbad " + b"\r\n\r\n")),
    "a header without colon": (me, lambda text: raw(b"HTTP/1.1 200 OK\r\nx " + text.encode() + b"\r\n\r\n")),
    "a status line": (me, lambda text: raw(b"HTTP/9 " + text.encode() + b"\r\n\r\n")),
    "a chunk": (
        me,
        lambda text: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + text.encode() + b"\r\n\r\n"),
    ),
    "a sent secret": (set_env_var, lambda text: reply(400, json={"message": text})),
    "a sent secret in a response": (set_env_var, lambda text: reply(201, json=[text])),
    "a secret of a map": (create_exporter, lambda text: reply(400, text=text)),
    "a secret of a raw request": (request, lambda text: reply(422, json={"error": {"detail": text}})),
    "a sent secret in a header": (set_env_var, lambda text: reply(400, headers=header("X-Debug", text))),
    "a sent secret in a broken header": (
        set_env_var,
        lambda text: raw(b"HTTP/1.1 200 OK\r\n" + text.encode() + b"\r\n\r\n"),
    ),
}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    for name in ("circleci_sdk", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "anyio", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def spelled(text: str) -> list[str]:
    """A string as it is, and as a part of reprs."""
    return [text, repr(text)[1:-1], repr(text.encode())[2:-1], json.dumps(text)[1:-1], text.encode().decode("latin-1")]


@pytest.mark.parametrize("spelling", ["verbatim", "Basic", "percent", "JSON escapes", "base64 inside"])
@pytest.mark.parametrize("place", PLACES)
async def test_quoted_secret(
    server: ScriptedServer, logged: pytest.LogCaptureFixture, place: str, spelling: str
) -> None:
    call, response = PLACES[place]
    secret = SENT if "secret" in place else TOKEN
    text = SPELLINGS[spelling](secret)
    server.otherwise(response(text))
    said = Said([*spelled(text), *spelled(secret)], __file__, raw=True)
    async with client_on(server, token=TOKEN, max_retries=0) as client:
        with pytest.raises(CircleCIError) as caught:
            await call(client)
    said.error(caught.value)
    for record in logged.get_records("call"):
        said.add(f"log {record.name}", record.getMessage(), record.args)
    assert any(record.name.startswith("httpcore") for record in logged.get_records("call"))
    assert said.leaks() == []
    assert text not in "".join(request.target for request in server.requests)


@pytest.mark.parametrize("spelling", IN_HEADERS)
async def test_headers_of_a_success(server: ScriptedServer, spelling: str) -> None:
    text = SPELLINGS[spelling](TOKEN)
    server.otherwise(
        reply(json={"id": "1", "login": "ada", "name": "Ada"}, headers={"X-Echo": text, "X-Plain": "here"})
    )
    async with client_on(server, token=TOKEN) as client:
        got: Reply[Any] = await me(client)
    assert (got.headers["x-echo"], got.headers["x-plain"]) == (LEFT_OUT, "here")
    assert got.data.name == "Ada"


async def test_class_and_cause_of_a_protocol_error_are_kept(server: ScriptedServer) -> None:
    server.otherwise(raw(b"HTTP/1.1 200 OK\r\nx " + TOKEN.encode() + b"\r\n\r\n"))
    async with client_on(server, token=TOKEN, max_retries=0) as client:
        with pytest.raises(ConnectionFailedError, match=r"RemoteProtocolError: .*repeats a secret") as caught:
            await me(client)
    assert type(caught.value.__cause__).__name__ == "RemoteProtocolError"
    assert caught.value.request_outcome == "unknown"


async def test_mismatch_at_a_key_that_is_a_secret(server: ScriptedServer) -> None:
    """The place of a mismatch, and an unknown field, are text of the server."""
    drift: list[object] = []
    body = {"id": 5, "login": "ada", "name": "Ada", TOKEN: {"a": TOKEN}}
    server.otherwise(reply(json=body))
    said = Said(spelled(TOKEN), __file__)
    async with client_on(server, token=TOKEN, on_drift=drift.append) as client:
        user = await client.v2.users.me()
        said.add("user", user.mismatches, drift, client.drift)
    assert user.mismatches
    assert said.leaks() == []
    assert json.loads(user.model_dump_json())[TOKEN] == {"a": TOKEN}


@pytest.mark.parametrize("value", ["on", "prod", "staging", "1", "{}"])
async def test_short_value_hides_nothing(server: ScriptedServer, value: str) -> None:
    shown = "Invalid value 'prod': on, staging or 1 {}."
    server.otherwise(reply(400, json={"message": shown}, headers={"X-Request-Id": "prod-1"}))
    async with client_on(server, token=TOKEN) as client:
        with pytest.raises(StatusError) as caught:
            await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(value))
    assert (caught.value.message, caught.value.request_id) == (shown, "prod-1")
    assert json.loads(caught.value.body) == {"message": shown}


async def test_body_without_a_secret_is_kept(server: ScriptedServer) -> None:
    server.otherwise(reply(text="{broken"))
    async with client_on(server, token=TOKEN) as client:
        with pytest.raises(DecodeError) as caught:
            await me(client)
    assert caught.value.body == b"{broken"


async def test_token_of_a_callable(server: ScriptedServer) -> None:
    async def source() -> str:
        return TOKEN

    server.otherwise(reply(403, json={"message": f"{TOKEN} may not"}, headers={"X-Request-Id": TOKEN}))
    said = Said(spelled(TOKEN), __file__, raw=True)
    async with client_on(server, auth=source) as client:
        with pytest.raises(StatusError) as caught:
            await me(client)
    said.error(caught.value)
    assert said.leaks() == []


async def test_token_of_an_earlier_attempt(server: ScriptedServer) -> None:
    """A callable is asked for another token after a 401, and the server speaks of the first one."""
    tokens = iter([TOKEN, f"{TOKEN[::-1]}-second"])

    async def source() -> str:
        return next(tokens)

    server.script([reply(401), reply(403, json={"message": f"{TOKEN} was revoked"})])
    async with client_on(server, auth=source) as client:
        with pytest.raises(StatusError) as caught:
            await me(client)
    assert (caught.value.status, caught.value.message, caught.value.body) == (403, "", b"")
