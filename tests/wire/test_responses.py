"""Responses are decoded to the annotated type, or raise `DecodeError` with the location of the difference."""

from __future__ import annotations

import inspect
import json
import logging
import warnings
from collections.abc import AsyncIterator
from dataclasses import astuple

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError, FieldUnavailableError, GoneError, Mismatch, UnknownStr
from circleci_sdk.v2.models import MessageResponse, PipelineCreation
from tests.support.clients import client_on
from tests.support.handmade import Notice, Thing, things
from tests.support.scripted_server import Framing, Response, ScriptedServer, reply

THING = "/api/v2/thing/a"
CREATED = {"id": "1", "number": 5, "state": "created", "created_at": "2026-01-02T03:04:05Z"}


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, max_retries=0) as client:
        yield client


# Accepted responses


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 226, 299])
async def test_any_2xx_is_a_success(client: AsyncCircleCI, server: ScriptedServer, status: int) -> None:
    server.on("GET", THING, reply(status, json={"id": "1"}))
    assert (await things(client).get("a")).id == "1"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_missing_body_without_a_result(
    client: AsyncCircleCI, server: ScriptedServer, status: int, framing: Framing
) -> None:
    server.on("PUT", THING, reply(status, framing=framing))
    server.on("DELETE", THING, reply(status, framing=framing))
    await things(client).touch("a")
    assert await things(client).delete("a") is None


@pytest.mark.parametrize("body", [b'""', b"{}", b"OK", b"\xff", b'{"message": "ok"}', b"x" * 100_000])
async def test_unused_body_is_ignored(client: AsyncCircleCI, server: ScriptedServer, body: bytes) -> None:
    server.on("PUT", THING, reply(body=body))
    await things(client).touch("a")


@pytest.mark.parametrize("body", [b"<html>", b"\xef\xbb\xbf\n<!DOCTYPE html><title>Sign in</title>"])
async def test_page_of_a_browser_in_place_of_an_unused_body(
    client: AsyncCircleCI, server: ScriptedServer, body: bytes
) -> None:
    server.on("PUT", THING, reply(body=body))
    with pytest.raises(
        DecodeError, match=r"v2\.things\.touch: the response \(200\): expected JSON, got an HTML page"
    ) as caught:
        await things(client).touch("a")
    assert (caught.value.request_outcome, len(server.requests)) == ("unknown", 1)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json;charset=utf-8",
        "text/plain",
        "text/html",
        "application/edn",
        "",
        "nonsense",
    ],
)
async def test_json_with_any_content_type(client: AsyncCircleCI, server: ScriptedServer, content_type: str) -> None:
    server.on("GET", THING, reply(json={"id": "1"}, content_type=content_type))
    assert (await things(client).get("a")).id == "1"


async def test_tolerant_reading(client: AsyncCircleCI, server: ScriptedServer) -> None:
    response = {"id": "1", "colour": "green", "created-at": "2026-01-02T03:04:05", "new": {"kept": True}, "parts": None}
    server.on("GET", THING, reply(json=response))
    thing = await things(client).get("a")
    assert isinstance(thing.colour, UnknownStr)
    assert thing.created_at is not None
    assert thing.created_at.tzinfo is not None
    assert (thing.model_extra, thing.labels) == ({"new": {"kept": True}}, None)


async def test_one_of_several_responses(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.script([reply(201, json={"id": "1"}), reply(200, json={"message": "nothing to do"})])
    assert isinstance(await things(client).create(), Thing)
    assert await things(client).create() == Notice(message="nothing to do")


async def test_trigger_without_a_pipeline(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.script([reply(201, json=CREATED), reply(200, json={"message": "No workflow matched."})])
    created = await client.v2.pipelines.trigger_run("gh/acme/web")
    assert isinstance(created, PipelineCreation)
    assert created.number == 5
    skipped = await client.v2.pipelines.trigger_run("gh/acme/web")
    assert isinstance(skipped, MessageResponse)
    assert skipped.message == "No workflow matched."


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"created_at": "soon"}, ["created_at"]),
        ({"number": "x"}, ["number"]),
        ({"state": None}, ["state"]),
        ({}, []),
    ],
)
async def test_message_beside_an_object(
    client: AsyncCircleCI, server: ScriptedServer, changes: dict[str, object], places: list[str]
) -> None:
    server.otherwise(reply(201, json={**CREATED, "message": "Created.", **changes}))
    created = await client.v2.pipelines.trigger_run("gh/acme/web")
    assert isinstance(created, PipelineCreation)
    assert (created.id, created.model_extra["message"]) == ("1", "Created.")  # type: ignore[index]  # there are extras
    assert [one.place for one in created.mismatches] == places


# Invalid responses


@pytest.mark.parametrize(
    ("body", "outcome", "words"),
    [
        (b'{"id": 5}', "processed", "(200): no field of Thing is in it."),
        (b'{"id": null, "colour": "red"}', "processed", "(200): no field of Thing is in it."),
        (b"{}", "processed", "(200): no field of Thing is in it."),
        (b'{"message": "No."}', "processed", "(200): no field of Thing is in it; it says 'No.'."),
        (b"[]", "processed", "(200): expected object (Thing), received array."),
        (b'""', "processed", "(200): expected object (Thing), received string."),
        (b"null", "processed", "(200): expected object (Thing), received null."),
        (b"", "unknown", "(200): expected JSON, got an empty body."),
        (b" \n", "unknown", "expected JSON, got an empty body."),
        (b"<html>Down</html>", "unknown", "expected JSON, got an HTML page. Check base_url, and proxies on the way."),
        (b"<HTML><title>Sign\n in</title>", "unknown", "expected JSON, got an HTML page titled 'Sign in'."),
        (b"Sign in", "unknown", "expected JSON, got application/json, 7 bytes."),
        (b'{"id": "1"', "unknown", "got 10 bytes of broken JSON ("),
        (b'{"id": \xff}', "unknown", "expected JSON"),
        (b"\x00\x01", "unknown", "expected JSON"),
        (b'{"id": "1"}{"id": "2"}', "unknown", "expected JSON"),
        (b'{"labels":' * 5_000, "unknown", "expected JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_unusable_responses(
    client: AsyncCircleCI, server: ScriptedServer, body: bytes, outcome: str, words: str
) -> None:
    server.on("GET", THING, reply(body=body))
    with pytest.raises(DecodeError) as caught:
        await things(client).get("a")
    error = caught.value
    assert str(error).startswith("v2.things.get: the response ")
    assert words in str(error)
    known = "processed" if outcome == "processed" else "may have processed"
    assert f"The server {known} the call; the response was not decoded" in str(error)
    assert (error.field, error.body, error.status) == ("", body, 200)
    assert (error.operation, error.method, error.path) == ("v2.things.get", "GET", THING)
    assert (error.request_outcome, error.attempts, error.retry_stop_reason) == (outcome, 1, "not_retryable")
    assert error.elapsed > 0
    assert (error.__cause__, error.__context__) == (None, None)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "mismatch"),
    [
        (b'{"parts": [], "colour": "red"}', Mismatch("id", "string", "missing")),
        (b'{"id": 5, "colour": "red"}', Mismatch("id", "string", "number")),
        (b'{"id": "1", "parts": [{"name": "a"}, {"name": []}]}', Mismatch("parts.1.name", "string", "array")),
        (b'{"id": "1", "parts": [{"name": "a"}, {}]}', Mismatch("parts.1.name", "string", "missing")),
        (b'{"id": "1", "parts": [{"name": "a"}, 5]}', Mismatch("parts.1", "object", "number")),
        (b'{"id": "1", "parts": {"name": "a"}}', Mismatch("parts", "array or null", "object")),
        (b'{"id": "1", "created_at": "tomorrow"}', Mismatch("created_at", "timestamp or null", "string")),
        (b'{"id": "1", "colour": 5}', Mismatch("colour", "string", "number")),
        (b'{"id": "1", "labels": {"a": 1}}', Mismatch("labels", "object or null", "object")),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_field_that_does_not_fit(
    client: AsyncCircleCI, server: ScriptedServer, body: bytes, mismatch: Mismatch
) -> None:
    server.on("POST", "/api/v2/thing", reply(201, body=body))
    thing = await things(client).create()
    assert isinstance(thing, Thing)
    assert thing.mismatches == (mismatch,)
    assert thing.model_dump(mode="json", by_alias=True, exclude_unset=True) == json.loads(body)
    holder, name = (thing, mismatch.place) if "." not in mismatch.place else (thing.parts[1], "name")  # type: ignore[index]  # there are parts
    with pytest.raises(FieldUnavailableError) as caught:
        getattr(holder, name)
    error = caught.value
    assert (error.operation, error.place, error.expected, error.received) == ("v2.things.create", *astuple(mismatch))
    assert str(error).startswith(f"v2.things.create: {mismatch.place}: expected {mismatch.expected}, received ")
    assert not hasattr(holder, name)
    assert getattr(holder, name, "default") == "default"

    strict = AsyncCircleCI("token", base_url=server.url, strict=True)
    async with strict:
        with pytest.raises(DecodeError, match=r"does not fit Thing or Notice: field [a-z0-9_.]+: expected ") as refused:
            await things(strict).create()
    assert (refused.value.field, refused.value.request_outcome) == (mismatch.place, "processed")


async def test_html_instead_of_json(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", THING, reply(text="<html>", content_type="text/html"))
    with pytest.raises(DecodeError, match="expected JSON, got an HTML page"):
        await things(client).get("a")


async def test_location_in_a_list(client: AsyncCircleCI, server: ScriptedServer) -> None:
    items = [{"path": "a", "node_index": 0, "url": "https://example.com"}, {"path": "a", "node_index": "x", "url": "b"}]
    server.on("GET", "/api/v2/project/gh/acme/web/1/artifacts", reply(json={"items": items}))
    page = await client.v2.jobs.list_artifacts("gh/acme/web", 1)
    assert page.mismatches == (Mismatch("items.1.node_index", "integer", "string"),)
    assert page.items[0].node_index == 0
    assert page.items[1].mismatches == page.mismatches
    with pytest.raises(
        FieldUnavailableError, match=r"v2\.jobs\.list_artifacts: items\.1\.node_index: expected integer"
    ):
        _ = page.items[1].node_index


async def test_invalid_compression(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", THING, reply(body=b"not compressed", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(DecodeError) as caught:
        await things(client).get("a")
    assert caught.value.request_outcome == "processed"


async def test_secrets_of_an_invalid_response_are_hidden(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", f"{THING}/password", reply(json={"id": 5, "password": "hunter2"}))
    with pytest.raises(DecodeError) as caught:
        await things(client).reveal("a")
    assert b"hunter2" in caught.value.body
    assert "hunter2" not in str(caught.value) + repr(caught.value)


# Raw requests


@pytest.mark.parametrize(
    ("response", "data"),
    [
        (reply(json={"a": [1, None]}), {"a": [1, None]}),
        (reply(json=[]), []),
        (reply(json="text"), "text"),
        (reply(json=None), None),
        (reply(json={"a": 1}, content_type="application/vnd.api+JSON"), {"a": 1}),
        (reply(204), None),
        (reply(200), None),
        (reply(text="plain"), "plain"),
        (reply(text="<html>", content_type="text/html"), "<html>"),
        (reply(text='{"a": 1}'), '{"a": 1}'),
        (reply(body=b"\xff\x00", content_type="application/zip"), b"\xff\x00"),
        (reply(body=b'{"a": 1}', content_type=""), {"a": 1}),
    ],
    ids=range(12),
)
async def test_request_returns_plain_data(
    client: AsyncCircleCI, server: ScriptedServer, response: Response, data: object
) -> None:
    server.on("GET", "/api/v3/x", response)
    found = await client.request("GET", "/api/v3/x")
    assert found.data == data
    assert type(found.data) is type(data)


@pytest.mark.parametrize("body", [b"<html>", b'{"a": ', b"\xff", b"[" * 100_000])
async def test_request_with_invalid_json(client: AsyncCircleCI, server: ScriptedServer, body: bytes) -> None:
    server.on("GET", "/api/v3/x", reply(body=body))
    with pytest.raises(DecodeError, match=r"client\.request: the response") as caught:
        await client.request("GET", "/api/v3/x")
    assert (caught.value.body, caught.value.request_outcome) == (body, "unknown")


# Deprecations in headers and in the table of operations


async def test_deprecation_headers_are_logged_once(
    client: AsyncCircleCI, server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "circleci_sdk")
    headers = {"Deprecation": "@1735689600", "Sunset": "Mon, 01 Feb 2027 00:00:00 GMT"}
    server.on("GET", THING, reply(json={"id": "1"}, headers=headers))
    server.on("PUT", THING, reply(headers={"sunset": "soon"}))
    for _ in range(3):
        await things(client).get("a")
        await things(client.with_options(timeout=5)).get("a")
        await things(client).touch("a")
    assert [record.getMessage() for record in caplog.records] == [
        "v2.things.get: the server announces its end (Deprecation: @1735689600, Sunset: Mon, 01 Feb 2027 00:00:00 GMT)",
        "v2.things.touch: the server announces its end (Deprecation: -, Sunset: soon)",
    ]


async def test_deprecation_header_raises_nothing_with_w_error(client: AsyncCircleCI, server: ScriptedServer) -> None:
    headers = [("Deprecation", "true"), ("Sunset", "nonsense"), ("Warning", '299 - "old"'), ("Retry-After", "x")]
    server.on("GET", THING, reply(json={"id": "1", "colour": "green", "new": 1}, headers=headers))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (await things(client).get("a")).id == "1"


async def test_deprecated_operations_warn_with_the_line_of_the_caller(
    client: AsyncCircleCI, server: ScriptedServer
) -> None:
    server.on("POST", "/api/v1.1/project/github/acme/web/1/retry", reply(410))

    async def called() -> None:
        await client.v1.builds.retry("gh/acme/web", 1)

    async def looked_at() -> None:
        await client.raw_response(client.v1.builds.retry, "gh/acme/web", 1)

    for call in (called, looked_at):
        with pytest.warns(DeprecationWarning, match=r"^v1\.builds\.retry") as caught, pytest.raises(GoneError):
            await call()
        [warning] = caught
        assert (warning.filename, warning.lineno) == (__file__, call.__code__.co_firstlineno + 1)
        assert str(warning.message) == (
            "v1.builds.retry is deprecated, and is refused by the API from 2027-02-01; use v2.workflows.rerun."
        )


async def test_deprecation_warning_as_error_is_raised_before_sending(
    client: AsyncCircleCI, server: ScriptedServer
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            await client.v1.builds.retry("gh/acme/web", 1)
    assert server.requests == []


def test_deprecated_methods_are_coroutine_functions() -> None:
    client = AsyncCircleCI("token")
    assert inspect.iscoroutinefunction(client.v1.builds.retry)
    assert "2027-02-01" in client.v1.builds.retry.__deprecated__  # type: ignore[attr-defined]  # set by the decorator at run time
    assert not inspect.iscoroutinefunction(client.v2.pipelines.list)
