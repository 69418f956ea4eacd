"""Differences between responses and their documentation are counted, logged once, and passed to `on_drift`."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI, ConfigError, DecodeError, Drift, Mismatch
from circleci_sdk._core.mismatches import with_kinds
from tests.support.clients import client_on
from tests.support.handmade import things
from tests.support.scripted_server import ScriptedServer, reply

THING = "/api/v2/thing/a"
ARTIFACTS = "/api/v2/project/gh/acme/web/1/artifacts"
ARTIFACT = {"path": "a", "node_index": 0, "url": "https://example.com"}
UNKNOWN = {
    "id": "1",
    "colour": "green",
    "new": "hunter2",
    "parts": [{"name": "a", "added": 1}, {"name": "b", "added": {}}],
}


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "circleci_sdk.drift"]


async def test_mismatches_are_logged_once_per_operation_place_and_kind(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "circleci_sdk")
    odd = [
        {**ARTIFACT, "path": None},
        {**ARTIFACT, "path": None},
        {**ARTIFACT, "path": 5},
        {"path": "a", "url": "b"},
        7,
    ]
    server.on("GET", ARTIFACTS, reply(json={"items": odd}))
    server.on("GET", THING, reply(json={"id": "1", "created_at": "hunter2"}))
    async with client_on(server) as client:
        for _ in range(2):
            await client.v2.jobs.list_artifacts("gh/acme/web", 1)
            await things(client.with_options(timeout=5)).get("a")
        seen = client.drift
        assert client.with_options(timeout=5).drift == seen
    assert seen == (
        Drift("v2.jobs.list_artifacts", "items.*.path", "null", "string", "null", 4),
        Drift("v2.jobs.list_artifacts", "items.*.path", "type", "string", "number", 2),
        Drift("v2.jobs.list_artifacts", "items.*.node_index", "missing", "integer", "missing", 2),
        Drift("v2.jobs.list_artifacts", "items.*", "type", "object", "number", 2),
        Drift("v2.things.get", "created_at", "type", "timestamp or null", "string", 2),
    )
    assert logged(caplog) == [
        ("WARNING", f"{one.operation}: {one.place}: expected {one.expected}, received {one.received}") for one in seen
    ]


async def test_on_drift_is_called_at_the_first_sight_with_unknown_fields_and_values_too(server: ScriptedServer) -> None:
    calls: list[Drift] = []
    server.on("GET", THING, reply(json={**UNKNOWN, "created_at": 5}))
    async with client_on(server, on_drift=calls.append) as client:
        await things(client).get("a")
        await things(client).get("a")
        seen = client.drift
    assert calls == [
        Drift("v2.things.get", "created_at", "type", "timestamp or null", "number"),
        Drift("v2.things.get", "colour", "unknown_value", "a documented value", "string"),
        Drift("v2.things.get", "parts.*.added", "unknown_field", "no field", "number"),
        Drift("v2.things.get", "new", "unknown_field", "no field", "string"),
    ]
    assert [one.count for one in seen] == [2, 2, 4, 2]


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
async def test_unknown_fields_and_values_are_looked_for_with_debug_only(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    caplog.set_level(level, "circleci_sdk.drift")
    server.on("GET", THING, reply(json=UNKNOWN))
    async with client_on(server) as client:
        await things(client).get("a")
        await things(client).get("a")
        assert len(client.drift) == (3 if level == logging.DEBUG else 0)
    assert [name for name, _ in logged(caplog)] == ["DEBUG"] * len(client.drift)
    assert "hunter2" not in caplog.text + repr(client.drift)


async def test_an_interruption_in_on_drift_passes(server: ScriptedServer) -> None:
    def interrupt(_: Drift) -> None:
        raise KeyboardInterrupt

    server.on("GET", THING, reply(json={"id": "1", "created_at": 5}))
    async with client_on(server, on_drift=interrupt) as client:
        with pytest.raises(KeyboardInterrupt):
            await things(client).get("a")


async def test_what_on_drift_raises_is_logged(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    def fail(drift: Drift) -> None:
        raise RuntimeError(drift.place)

    server.on("GET", THING, reply(json={"id": "1", "created_at": 5}))
    async with client_on(server, on_drift=fail) as client:
        assert (await things(client).get("a")).id == "1"
    assert ("ERROR", "on_drift failed for v2.things.get: created_at") in logged(caplog)


@pytest.mark.parametrize("value", [5, "print", pytest.param(Any, id="async")])
def test_on_drift_is_a_plain_function(value: Any) -> None:
    async def wait(drift: Drift) -> None: ...

    class Waits:
        async def __call__(self, drift: Drift) -> None: ...

    with pytest.raises(ConfigError, match="on_drift: expected a plain function"):
        AsyncCircleCI("token", on_drift=Waits())
    with pytest.raises(ConfigError, match="on_drift: expected a plain function, which takes a Drift"):
        AsyncCircleCI("token", on_drift=wait if value is Any else value)


async def test_at_most_a_thousand_kinds_are_remembered(server: ScriptedServer) -> None:
    calls: list[Drift] = []
    server.on("GET", THING, reply(json={"id": "1", **{f"new_{number}": 1 for number in range(1_500)}}))
    async with client_on(server, on_drift=calls.append) as client:
        await things(client).get("a")
        await things(client).get("a")
        assert (len(client.drift), {one.count for one in client.drift}, len(calls)) == (500, {2}, 500)
        log = client._session.drift
        log.note("v2.things.get", with_kinds(Mismatch(f"field_{number}", "string", "null") for number in range(600)))
        assert (len(client.drift), len(calls)) == (1_000, 1_000)


async def test_keys_of_maps_are_one_place(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    branches = {f"feature/{number}.x": {"is_using_workflows": 5, "1": 2} for number in range(20)}
    server.otherwise(reply(json=[{"vcs_url": "u", "reponame": "r", "username": "n", "branches": branches}]))
    async with client_on(server, on_drift=lambda drift: None) as client:
        page = await client.v1.projects.list()
        seen = {one.place: (one.kind, one.count) for one in client.drift}
    assert len(page.mismatches) == 20
    assert page.mismatches[0].place == "0.branches.feature/0.x.is_using_workflows"
    assert seen["*.branches.*.is_using_workflows"] == ("type", 20)
    assert seen["*.branches.*.1"] == ("unknown_field", 20)
    assert "feature" not in caplog.text


async def test_unknown_fields_beside_an_item_that_is_no_object(server: ScriptedServer) -> None:
    server.on("GET", THING, reply(json={"id": "1", "parts": [{"name": "a", "new\n": 1}, 5], "2024": 1}))
    async with client_on(server, on_drift=lambda drift: None) as client:
        await things(client).get("a")
        assert [(one.place, one.kind) for one in client.drift] == [
            ("parts.*", "type"),
            ("parts.*.new\n", "unknown_field"),
            ("2024", "unknown_field"),
        ]


async def test_a_log_record_of_drift_is_one_line(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "circleci_sdk.drift")
    server.on("GET", THING, reply(json={"id": "1", "new\nWARNING forged": 1}))
    async with client_on(server) as client:
        await things(client).get("a")
    assert logged(caplog) == [("DEBUG", r"v2.things.get: new\nWARNING forged: expected no field, received number")]


async def test_a_strict_client_reads_unknown_fields_and_values(server: ScriptedServer) -> None:
    server.script([reply(json=UNKNOWN), reply(json={**UNKNOWN, "created_at": 5})])
    async with client_on(server, strict=True) as client:
        thing = await things(client).get("a")
        assert (thing.colour, thing.model_extra) == ("green", {"new": "hunter2"})
        with pytest.raises(
            DecodeError, match="field created_at: expected timestamp or null, received number"
        ) as caught:
            await things(client.with_options(timeout=5)).get("a")
    assert (caught.value.field, caught.value.request_outcome, len(server.requests)) == ("created_at", "processed", 2)


async def test_a_token_without_a_parameter_ends_the_list(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    variable = {"variable": "A", "context_id": "1", "created_at": "2026-01-02T03:04:05Z"}
    page = {"items": [variable] * 3, "next_page_token": "more"}
    server.otherwise(reply(json=page))
    async with client_on(server) as client:
        first = await client.v2.contexts.list_env_vars("1")
        assert (len(first), first.next, first.is_truncated, first.mismatches) == (3, None, True, ())
        assert len(await client.v2.contexts.list_env_vars("1").collect()) == 3
    assert len(server.requests) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "v2.contexts.list_env_vars: the API has more items than these 3, and takes no token for the next page"
    ] * 2


@pytest.mark.parametrize("token", [5, ["more"], True, False, [], {}])
async def test_a_token_without_a_parameter_may_be_of_any_type(server: ScriptedServer, token: object) -> None:
    server.otherwise(reply(json={"items": [], "next_page_token": token}))
    async with client_on(server) as client:
        page = await client.v2.contexts.list_env_vars("1")
        assert await client.v2.contexts.list_env_vars("1").collect() == []
    assert (page.next, page.is_truncated, len(page.mismatches)) == (None, True, 1)


@pytest.mark.parametrize("token", [None, ""])
async def test_a_list_that_is_complete_is_not_truncated(server: ScriptedServer, token: str | None) -> None:
    server.otherwise(reply(json={"items": [], "next_page_token": token}))
    async with client_on(server) as client:
        page = await client.v2.contexts.list_env_vars("1")
    assert (page.next, page.is_truncated) == (None, False)
