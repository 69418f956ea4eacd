"""Responses of tomorrow's API: what changes, where, and that it repeats."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, cast

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import AsyncCircleCI, CircleCIError, DecodeError, FieldUnavailableError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobTest, MisbehaviourKind, Workflow
from circleci_sdk.testing._protocol.misbehaviour import Misbehaviours, Place, change_at_random, change_places, steps_of
from circleci_sdk.testing._protocol.places import problem_of
from circleci_sdk.webhooks import verify
from tests.testing import test_every_operation as walk

SLUG = "gh/acme/web"

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


# ---- chosen places ----

BODY: dict[str, Any] = {
    "id": "1",
    "status": "failed",
    "items": [{"name": "a", "by": {"login": "x"}}, {"name": "b", "by": None}],
    "pipeline.number": 7,
}


@pytest.mark.parametrize(
    ("place", "kind", "value", "expected"),
    [
        ("id", "drop", None, {"id": ...}),
        ("id", "null", None, {"id": None}),
        ("status", "rename", "state", {"status": ..., "state": "failed"}),
        ("status", "rename", "id", {"status": ..., "id": "failed"}),
        ("status", "replace", {"phase": 3}, {"status": {"phase": 3}}),
        ("items.*.name", "drop", None, {"items": [{"by": {"login": "x"}}, {"by": None}]}),
        ("items.1.name", "null", None, {"items": [BODY["items"][0], {"name": None, "by": None}]}),
        ("items.*.by.login", "rename", "user", {"items": [{"name": "a", "by": {"user": "x"}}, BODY["items"][1]]}),
        ("items.0", "drop", None, {"items": [BODY["items"][1]]}),
        ("items.*", "null", None, {"items": [None, None]}),
        ("items", "drop", None, {"items": ...}),
        ("pipeline.number", "null", None, {"pipeline.number": None}),
        ("items.7.name", "drop", None, {}),
        ("id.more", "drop", None, {}),
        ("none", "drop", None, {}),
    ],
)
def test_a_chosen_place(place: str, kind: Any, value: Any, expected: dict[str, Any]) -> None:
    before = copy.deepcopy(BODY)
    body, changes = change_places(BODY, [Place(steps_of(place), kind, value)])
    assert before == BODY
    assert body == {name: each for name, each in {**BODY, **expected}.items() if each is not ...}
    assert bool(changes) == bool(expected)


@given(JSON_VALUES)
def test_without_places_nothing_changes(value: Any) -> None:
    assert change_places(value, []) == (value, ())
    assert change_at_random(value, random.Random(1), 0.0) == (value, ())


@given(JSON_VALUES, st.integers(), st.floats(0, 1))
def test_random_places_repeat_and_are_told(value: Any, seed: int, probability: float) -> None:
    before = copy.deepcopy(value)
    new, changes = change_at_random(value, random.Random(seed), probability)
    assert value == before
    assert (new, changes) == change_at_random(value, random.Random(seed), probability)
    assert (new != value) == bool(changes) or "null" in " ".join(changes)  # null for null
    json.dumps(new)


@given(JSON_VALUES, st.sampled_from(["drop", "null", "rename", "retype"]))
def test_with_probability_1_no_field_stays(value: Any, kind: MisbehaviourKind) -> None:
    new, changes = change_at_random([{"field": value, "other": 1}], random.Random(0), 1.0, [kind])
    assert changes == (f"{kind} 0.field", f"{kind} 0.other")
    match kind:
        case "drop":
            assert new == [{}]
        case "null":
            assert new == [{"field": None, "other": None}]
        case "rename":
            assert new == [{"field_v2": value, "other_v2": 1}]
        case "retype":
            assert type(new[0]["field"]) is not type(value) or isinstance(value, dict)
            assert new[0]["other"] == "1"


# ---- on the fake ----


async def test_chosen_places_of_one_operation(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    lenient = fake.client(strict=False)
    run = web.push(Workflow("build", Job("test", 5)), Workflow("docs", Job("docs", 5)))
    fake.clock.advance(60)
    fake.misbehave("v2.workflows.get", drop="stopped_at", rename={"status": "state"})
    fake.misbehave("pipelines.list_workflows", null=["items.*.name"], replace={"items.0.status": "paused"})
    async with lenient:
        workflow = await lenient.v2.workflows.get(run.workflows[0].id)
        assert workflow.name == "build"
        assert not hasattr(workflow, "status")
        assert workflow.model_extra == {"state": "success"}
        items = await lenient.v2.pipelines.list_workflows(run.id).collect()
        with pytest.raises(FieldUnavailableError):
            _ = items[1].name
        assert {item.status for item in items} == {"paused", "success"}
        assert (await lenient.v2.projects.get(SLUG)).name == "web"
    assert fake.requests[-3].changes == ("rename status to state", "drop stopped_at")
    assert fake.requests[-2].changes == ("null items.0.name", "replace items.0.status", "null items.1.name")
    assert fake.requests[-1].changes == ()
    fake.reset_faults()
    workflow = await circleci.v2.workflows.get(run.workflows[0].id)
    assert (workflow.status, fake.requests[-1].changes) == ("success", ())


@pytest.mark.parametrize("made_before", [True, False])
async def test_a_client_reads_as_in_production_meanwhile(
    fake: FakeCircleCI, web: FakeProject, made_before: bool, anyio_backend: str
) -> None:
    before = fake.client() if made_before else None
    strict, lenient = fake.client(strict=True), fake.client(strict=False)
    fake.misbehave("projects.get", null="name")
    client = before or fake.client()
    async with client, strict, lenient:
        assert (await client.v2.projects.get(SLUG)).slug == SLUG
        assert (await client.with_options(max_retries=0).v2.projects.get(SLUG)).slug == SLUG
        assert (await lenient.v2.projects.get(SLUG)).slug == SLUG
        with pytest.raises(DecodeError):
            await strict.v2.projects.get(SLUG)
        fake.reset_faults()
        fake.fail_next("projects.get", status=200, body={"slug": 1})
        with pytest.raises(DecodeError):
            await client.v2.projects.get(SLUG)


async def test_bodies_of_faults_errors_and_files_stay(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    web.push(Workflow("build", Job("test", 5, artifacts={"a.json": '{"name": 1}'}, output="all is well")))
    fake.clock.advance(60)
    async with httpx.AsyncClient(
        transport=fake.transport(), base_url="https://circleci.com", headers={"Circle-Token": fake.token}
    ) as http:
        [artifact] = (await http.get(f"/api/v2/project/{SLUG}/1/artifacts")).json()["items"]
        fake.misbehave(probability=1, kinds=["drop"])
        assert (await http.get(artifact["url"])).text == '{"name": 1}'
        assert (await http.get("/api/v2/project/gh/acme/none")).json() == {"message": "Project not found"}
        fake.fail_next("users.me", status=200, body={"id": "mine"})
        assert (await http.get("/api/v2/me")).json() == {"id": "mine"}
        assert (await http.get("/api/v2/me")).json() == {}


async def test_messages_of_webhooks_are_signed_after_the_change(fake: FakeCircleCI, anyio_backend: str) -> None:
    web = fake.add_project(SLUG)
    async with fake.client() as circleci:
        await circleci.v2.webhooks.create(
            name="bot",
            url="https://bot.example/",
            events=["workflow-completed"],
            signing_secret="s",
            verify_tls=True,
            scope={"id": web.id, "type": "project"},
        )
    fake.misbehave("webhook", drop="workflow.url", null=["pipeline.number"])
    web.push(Workflow("build", Job("test", 5)))
    fake.clock.advance(60)
    [delivery] = fake.webhooks.deliveries
    assert "url" not in delivery.json["workflow"]
    assert delivery.json["pipeline"]["number"] is None
    verify(delivery.body, delivery.headers, "s")


def targets_of(fake: FakeCircleCI) -> list[tuple[str, tuple[str, ...]]]:
    """The changed requests in an order that does not depend on concurrency."""
    return sorted((request.path, request.changes) for request in fake.requests if request.changes)


async def read_all(seed: int | None) -> list[tuple[str, tuple[str, ...]]]:
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    runs = [web.push(Workflow("build", Job("test", 5))) for _ in range(5)]
    fake.clock.advance(60)
    fake.misbehave(probability=0.2, seed=seed)
    async with fake.client() as circleci, anyio.create_task_group() as group:

        async def read(id: str) -> None:
            await circleci.v2.pipelines.get(id)
            await circleci.v2.pipelines.get(id)

        for run in runs:
            group.start_soon(read, run.id)
    return targets_of(fake)


def test_the_same_seed_gives_the_same_changes_on_both_backends() -> None:
    runs = [anyio.run(read_all, seed, backend=name) for seed in (7, 8, 0, None) for name in ("asyncio", "trio")]
    assert runs[0] == runs[1]
    assert runs[2] == runs[3] != runs[0]
    assert runs[4] == runs[5] == runs[6] == runs[7]  # the seed of the fake is 0
    paths = [path for path, _ in runs[0]]
    assert len(paths) > 5
    assert len({changes for _, changes in runs[0]}) > 5  # also when the same request is made again


# ---- misuse ----


@pytest.mark.parametrize(
    ("operation", "options", "message"),
    [
        ("*", {}, "expected a change: drop="),
        ("v2.workflow.get", {"drop": "name"}, "Did you mean 'v2.workflows.get'"),
        ("artifact", {"drop": "name"}, "'artifact' is a file without fields"),
        (
            "v2.workflows.get",
            {"drop": "stoped_at"},
            "drop: .* of v2.workflows.get .*Did you mean 'stopped_at'",
        ),
        ("v2.workflows.get", {"null": ["id", "items.*.name"]}, r"null: the response .*Names there: .*id"),
        ("v2.pipelines.list_workflows", {"null": "name"}, "Names there: items, next_page_token"),
        ("v2.pipelines.list_workflows", {"drop": "items.name"}, "has not the place 'items.name'"),
        ("v2.workflows.get", {"rename": {"id.more": "x"}}, "has not the place 'id.more'"),
        ("jobs.get", {"drop": "nowhere_to_be_found"}, "has not the place|none of the operations"),
        ("*", {"drop": "nowhere_to_be_found"}, "none of the operations has the place"),
        ("v2.workflows.get", {"drop": "items..name"}, "expected a place such as"),
        ("v2.workflows.get", {"drop": ""}, "expected a place such as"),
        ("v2.workflows.get", {"rename": {"status": ""}}, "expected a field and its new name"),
        ("v2.pipelines.list_workflows", {"rename": {"items.*": "x"}}, "expected a field and its new name"),
        ("v2.workflows.get", {"drop": "status", "null": "status"}, "'status' is in drop and null"),
        ("*", {"probability": 1.5}, "expected 0 to 1, got 1.5"),
        ("*", {"probability": 0.5, "kinds": []}, "expected some of drop, null"),
        ("*", {"probability": 0.5, "kinds": "drop"}, "expected some of drop, null"),
        ("*", {"probability": 0.5, "kinds": ["explode"]}, "expected some of drop, null"),
        ("*", {"seed": 3}, "give a probability above 0"),
        ("v2.workflows.get", {"drop": "status", "kinds": ["null"]}, "give a probability above 0"),
    ],
)
def test_misuse(fake: FakeCircleCI, operation: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        fake.misbehave(operation, **options)
    assert str(caught.value).startswith("misbehave: ")
    assert fake.client()._session.strict  # pyright: ignore[reportPrivateUsage]  # nothing misbehaves


@pytest.mark.parametrize(
    ("operation", "place"),
    [
        ("v2.pipelines.get_values", "pipeline.number"),
        ("pipelines.list_workflows", "items.0.status"),
        ("v1.builds.list_for_project", "*.status"),
        ("v2.pipelines", "vcs.revision"),
        ("*", "items.*.id"),
        ("webhook", "anything"),
        ("output", "*.message"),
    ],
)
def test_places_that_responses_have(fake: FakeCircleCI, operation: str, place: str) -> None:
    fake.misbehave(operation, drop=place)


# ---- every operation ----


def places_in(value: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children: list[tuple[str, Any]] = []
    match value:
        case dict():
            children = list(cast("dict[str, Any]", value).items())
        case list():
            children = [("*", each) for each in cast("list[Any]", value)]
        case _:
            pass
    for name, each in children:
        here = (*at, *name.split("."))
        yield here
        yield from places_in(each, here)


class Both(httpx.AsyncBaseTransport):
    """Reads each changed response, and gives the program the response as it was before the change.

    So the program reaches every operation although the fake misbehaves.
    """

    def __init__(self, fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inner = fake.transport()
        self.fake = fake
        self.changed: dict[str, int] = {}
        self.places: dict[str, set[tuple[str, ...]]] = {}
        self._before: Any = ...
        change = Misbehaviours.changed

        def remember(all_: Misbehaviours, label: str, body: Any, key: str) -> Any:
            self._before = copy.deepcopy(body)
            self.places.setdefault(label, set()).update(places_in(body))
            return change(all_, label, body, key)

        monkeypatch.setattr(Misbehaviours, "changed", remember)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._before = ...
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        recorded = self.fake.requests[-1]
        if self._before is ... or not recorded.changes:
            return response
        assert recorded.operation is not None
        self.changed[recorded.operation] = self.changed.get(recorded.operation, 0) + 1
        assert json.loads(content) != self._before or all(each.startswith("null") for each in recorded.changes)
        return httpx.Response(
            response.status_code, headers={"content-type": "application/json"}, json=self._before, request=request
        )


@pytest.mark.parametrize("kinds", [["drop"], ["null"], ["rename", "retype"]])
async def test_every_operation_misbehaves(
    fake: FakeCircleCI,
    web: FakeProject,
    kinds: list[MisbehaviourKind],
    monkeypatch: pytest.MonkeyPatch,
    anyio_backend: str,
) -> None:
    both = Both(fake, monkeypatch)
    fake.misbehave(probability=1, kinds=kinds)
    async with AsyncCircleCI(token=fake.token, transport=both, strict=True) as circleci:
        await walk.test_every_operation(circleci, fake, web)
    unknown = [
        (label, ".".join(steps))
        for label, places in both.places.items()
        if label in walk.ALL
        for steps in places
        if problem_of(steps, {label}) is not None
    ]
    assert unknown == []  # each place that a response has can be chosen
    empty = {label for label in walk.ALL if not both.places.get(label)}
    assert walk.ALL - set(both.changed) <= empty


# ---- programs ----


async def use(circleci: AsyncCircleCI) -> None:
    """What bots do, with all helpers that read."""
    run = await circleci.runs.start(SLUG, branch="main")
    result = await run.wait(timeout=600, on_hold="return")
    result.describe()
    await circleci.runs.explain(result)
    async for _ in circleci.history.records(SLUG, include={"workflows", "jobs", "tests"}):
        pass
    await circleci.artifacts.latest(SLUG)
    async for _ in circleci.secrets.audit("gh/acme"):
        pass


@pytest.mark.parametrize("probability", [0.02, 0.2])
@pytest.mark.parametrize("seed", range(5))
async def test_helpers_under_misbehaviour(seed: int, probability: float, anyio_backend: str) -> None:
    """Each ends with a result or an error of this package, never with one of Python."""
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    fake.add_context("docker", organization="gh/acme", env_vars={"TOKEN": "x"})
    web.set_env_var("KEY", "value")
    web.will_run(
        Workflow(
            "build",
            Job("lint", 5, artifacts={"report.txt": "fine"}),
            Job("test", 20, outcome="failed", output="1 failed", tests=[JobTest("login", "500")]),
            Approval("release?"),
        ),
        Workflow("docs", Job("docs", 5)),
    )
    web.push()
    fake.clock.run_until_idle()
    fake.misbehave(probability=probability, seed=seed)
    async with fake.client() as circleci:
        try:
            await use(circleci)
        except CircleCIError:
            return
