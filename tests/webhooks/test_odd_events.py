"""Deliveries and polls of which one value is missing or odd: none is refused, none stops `follow`."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import FieldUnavailableError, InvalidArgumentError
from circleci_sdk._core.drift_log import DriftLog
from circleci_sdk.v1.models import Build
from circleci_sdk.webhooks import (
    Event,
    FollowedEvent,
    JobCompleted,
    Ping,
    Router,
    UnknownEvent,
    WebhookApp,
    WorkflowCompleted,
    branch_of,
    delivery_id,
    follow,
    parse,
    project_slug_of,
    reading,
    status_of,
    tag_of,
)
from tests.support import places
from tests.support.clients import SLUG
from tests.support.clock import FakeClock
from tests.support.mutations import Mutation, Place, encoded, mutations, sample
from tests.support.odd_site import Site
from tests.support.recordings import Recording, recordings
from tests.webhooks import deliveries

ALL: Final = "EXPLORE_MUTATIONS" in os.environ
SAMPLE: Final = 60
"""Mutations of each body; set the variable for all of them."""
RECORDED: Final = [
    recording for folder in places.payload_folders() for recording in recordings(folder) if recording.is_delivery
]
KINDS: Final = (WorkflowCompleted, JobCompleted, Ping, Build, UnknownEvent)


def chosen(body: Any, seed: str, count: int = SAMPLE) -> Sequence[Mutation]:
    return list(mutations(body)) if ALL else sample(body, count, seed)


def look_at(event: Event) -> None:
    """What consumers do with any event."""
    assert delivery_id(event)
    assert delivery_id(event) == delivery_id(pickle.loads(pickle.dumps(event)))
    for ask in (branch_of, tag_of, status_of, project_slug_of):
        assert isinstance(ask(event), str | None)


class Bot:
    """A receiver with a handler for each kind of event, and one of each kind for one project, branch or status."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.failures: list[Any] = []
        self.router = Router(on_error=self._fail)
        for kind in KINDS:
            self.router.on(kind)(self._see)
        for kind in (WorkflowCompleted, JobCompleted):
            self.router.on(kind, project=SLUG)(self._see_again)
            self.router.on(kind, branch="main", status="failed")(self._see_again)
        self.app = WebhookApp(self.router, secret=deliveries.SECRET)

    async def _see(self, event: Event) -> None:
        self.seen.append(event)
        look_at(event)

    async def _see_again(self, event: Event) -> None:
        assert isinstance(event, WorkflowCompleted | JobCompleted)

    async def _fail(self, failure: Any) -> None:
        self.failures.append(failure)


@pytest.mark.parametrize("recording", RECORDED, ids=lambda recording: recording.file)
async def test_no_signed_object_is_refused(recording: Recording) -> None:
    bot = Bot()
    seen: set[str] = set()
    async with bot.app:
        for mutation in chosen(recording.response, recording.file):
            content = encoded(mutation.apply(recording.response))
            response = await deliveries.post(bot.app, content)
            assert response.status == 200, f"{mutation}: {response.text}"
            event = parse(content, secret=None)
            is_new = delivery_id(event) not in seen
            seen.add(delivery_id(event))
            # The id, or what stands for it, is the same in a repeated delivery.
            assert response.text == ("Accepted.\n" if is_new else "Duplicate delivery.\n"), mutation
            assert (await deliveries.post(bot.app, content)).text == "Duplicate delivery.\n", mutation
            await anyio.wait_all_tasks_blocked()
            assert not bot.failures, f"{mutation}: {bot.failures[0]}"
            assert len(bot.seen) == len(seen), mutation


@pytest.mark.parametrize(
    "body", [deliveries.workflow(), deliveries.job(), deliveries.ping()], ids=lambda it: it["type"]
)
def test_one_odd_field_leaves_the_others(body: dict[str, Any]) -> None:
    read = parse(deliveries.raw(body), secret=None)
    assert not isinstance(read, UnknownEvent)
    whole = read.model_dump()
    for mutation in mutations(body):
        if mutation.place == ("type",):
            continue
        event = parse(encoded(mutation.apply(body)), secret=None)
        look_at(event)
        assert not isinstance(event, UnknownEvent), mutation
        top = mutation.place[0]
        for name in whole:
            if name != top:
                assert getattr(event, name) == getattr(parse(deliveries.raw(body), secret=None), name), mutation
        if isinstance(event, JobCompleted | WorkflowCompleted | Ping) and event.mismatches:
            with pytest.raises(FieldUnavailableError):
                value: Any = event
                for part in event.mismatches[0].place.split("."):
                    value = getattr(value, part)


@pytest.mark.parametrize(
    "body", [{"type": "ping"}, {"type": "job-completed", "id": 5, "job": []}, {"payload": {"build_num": "many"}}]
)
def test_an_object_of_which_nothing_is_readable_is_an_unknown_event(body: dict[str, Any]) -> None:
    event = parse(deliveries.raw(body), secret=None)
    assert event == UnknownEvent(str(body.get("type", "")), None, body)
    look_at(event)


def test_each_kind_of_mismatch_is_logged_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_DRIFT", DriftLog())
    with caplog.at_level(logging.WARNING, logger="circleci_sdk.drift"):
        for number in range(3):
            parse(deliveries.raw(deliveries.ping(number) | {"happened_at": ["the value"]}), secret=None)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("ping: happened_at: ")
    assert line.endswith("expected timestamp, received array")


def test_drift_is_logged_of_an_object_of_which_nothing_is_readable(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_DRIFT", DriftLog())
    with caplog.at_level(logging.WARNING, logger="circleci_sdk.drift"):
        assert isinstance(parse(deliveries.raw({"type": "job-completed", "job": []}), secret=None), UnknownEvent)
    assert "job-completed: job: expected object, received array" in [one.getMessage() for one in caplog.records]


# ---- follow ----

PROJECT: Final[dict[str, Any]] = {
    "slug": SLUG,
    "name": "web",
    "id": deliveries.PROJECT_ID,
    "organization_name": "acme",
    "organization_slug": "gh/acme",
    "organization_id": deliveries.ORGANIZATION_ID,
    "vcs_info": {"vcs_url": "https://github.com/acme/web", "provider": "GitHub", "default_branch": "main"},
}
PIPELINES_AT: Final = f"/api/v2/project/{SLUG}/pipeline"
WORKFLOWS_AT: Final = f"/api/v2/pipeline/{deliveries.PIPELINE_ID}/workflow"
JOBS_AT: Final = f"/api/v2/workflow/{deliveries.WORKFLOW_ID}/job"


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next_page_token": None}


def workflow(number: int, name: str, status: str = "failed", stopped_at: str | None = "2026-06-01T12:03:00Z") -> Any:
    return {
        "pipeline_id": deliveries.PIPELINE_ID,
        "id": deliveries.WORKFLOW_ID if number == 1 else deliveries.uuid(number),
        "name": name,
        "project_slug": SLUG,
        "status": status,
        "started_by": deliveries.uuid(900),
        "pipeline_number": 7,
        "created_at": "2026-06-01T12:01:00Z",
        "stopped_at": stopped_at,
    }


def job(number: int, name: str) -> dict[str, Any]:
    return {
        "dependencies": [],
        "job_number": number,
        "id": deliveries.uuid(100 + number),
        "name": name,
        "project_slug": SLUG,
        "status": "success",
        "type": "build",
        "started_at": "2026-06-01T12:02:00Z",
        "stopped_at": "2026-06-01T12:02:30Z",
    }


PIPELINE: Final[dict[str, Any]] = {
    "id": deliveries.PIPELINE_ID,
    "errors": [],
    "project_slug": SLUG,
    "number": 7,
    "state": "created",
    "created_at": "2026-06-01T12:00:00Z",
    "trigger": {"type": "webhook", "received_at": "2026-06-01T12:00:00Z"},
    "vcs": {
        "provider_name": "GitHub",
        "target_repository_url": "https://github.com/acme/web",
        "origin_repository_url": "https://github.com/acme/web",
        "branch": "main",
        "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
        "commit": {"subject": "A change", "body": ""},
    },
}
OTHER: Final = f"/api/v2/workflow/{deliveries.uuid(2)}/job"
RUNNING: Final = Site(
    {
        f"/api/v2/project/{SLUG}": PROJECT,
        PIPELINES_AT: listed(PIPELINE),
        WORKFLOWS_AT: listed(workflow(1, "build", "running", None), workflow(2, "lint", "running", None)),
        JOBS_AT: listed(),
        OTHER: listed(),
    }
)
ENDED: Final = Site(
    {
        **RUNNING.bodies,
        WORKFLOWS_AT: listed(workflow(1, "build"), workflow(2, "lint")),
        JOBS_AT: listed(job(1, "test"), job(2, "compile")),
        OTHER: listed(job(3, "lint")),
    }
)
NEEDED: Final[dict[str, set[Place]]] = {
    PIPELINES_AT: {("items",), ("items", "*"), ("items", "*", "id"), ("next_page_token",)},
    WORKFLOWS_AT: {("items",), ("items", "*"), ("next_page_token",)},
    JOBS_AT: {("items",), ("items", "*"), ("next_page_token",)},
}
OF_ENDS: Final[dict[str, set[str | int]]] = {
    WORKFLOWS_AT: {"id", "status", "stopped_at"},
    JOBS_AT: {"id", "status", "stopped_at", "job_number"},
}


def changes() -> Iterator[tuple[str, Mutation, Site]]:
    for path in (f"/api/v2/project/{SLUG}", PIPELINES_AT, WORKFLOWS_AT, JOBS_AT):
        for mutation in chosen(ENDED.bodies[path], path, 30):
            yield path, mutation, ENDED.changed(path, mutation)


class Stop(FakeClock):
    """Goes to the next site at each sleep, and stops the test after some more."""

    def __init__(self, bodies: dict[str, Any], later: Sequence[Site], scope: anyio.CancelScope) -> None:
        super().__init__()
        self._bodies, self._later, self._scope = bodies, list(later), scope

    async def sleep(self, seconds: float) -> None:
        if self._later:
            self._bodies.update(self._later.pop(0).bodies)
            self.slept.clear()
        if len(self.slept) == 4:
            self._scope.cancel()
        await super().sleep(seconds)


async def events_of(*later: Site, start: Site = RUNNING) -> list[FollowedEvent]:
    """The events of `follow` of a project whose workflows run at first, and end later."""
    found: list[FollowedEvent] = []
    bodies = dict(start.bodies)
    # The project is read once, at the start.
    bodies[f"/api/v2/project/{SLUG}"] = later[0].bodies[f"/api/v2/project/{SLUG}"]
    with anyio.CancelScope() as scope:
        async with Site(bodies).client(Stop(bodies, later, scope)) as circleci:
            async for event in follow(circleci, SLUG, poll=60):
                look_at(event)
                found.append(event)
    return found


async def test_no_odd_response_stops_follow() -> None:
    assert [name_of(event) for event in await events_of(ENDED)] == ["test", "compile", "build", "lint", "lint"]
    for path, mutation, site in changes():
        place = tuple("*" if isinstance(part, int) else part for part in mutation.place)
        found = await events_of(site)
        if place in NEEDED.get(path, ()):
            continue
        lost = 1 if place[-1] in OF_ENDS.get(path, ()) else 0
        assert len(found) >= 5 - (lost and 3), f"{path}: {mutation}: {found}"


@pytest.mark.parametrize("path", [WORKFLOWS_AT, JOBS_AT], ids=["workflows", "jobs"])
@pytest.mark.parametrize("unusable", [{"message": "Maintenance."}, [], {"items": [], "next_page_token": 5}])
async def test_a_list_that_cannot_be_used_is_read_by_the_next_poll(path: str, unusable: Any) -> None:
    """It holds up no other list, and nothing is lost."""
    other = {**PIPELINE, "id": deliveries.uuid(50), "number": 6}
    of_other = {**workflow(60, "other"), "pipeline_id": deliveries.uuid(50)}
    more = {f"/api/v2/pipeline/{deliveries.uuid(50)}/workflow": listed(of_other)}
    more[f"/api/v2/workflow/{deliveries.uuid(60)}/job"] = listed(job(9, "of other"))
    more[PIPELINES_AT] = listed(PIPELINE, other)
    before = {**RUNNING.bodies, **more, f"/api/v2/pipeline/{deliveries.uuid(50)}/workflow": listed()}
    steps = [Site({**ENDED.bodies, **more, path: unusable}), Site({**ENDED.bodies, **more, path: unusable})]
    names = [name_of(event) for event in await events_of(*steps, Site({**ENDED.bodies, **more}), start=Site(before))]
    assert sorted(names) == ["build", "compile", "lint", "lint", "of other", "other", "test"]
    assert names.index("other") < names.index("test")


async def test_a_list_that_cannot_be_used_at_first_holds_up_no_other_one() -> None:
    other = {**PIPELINE, "id": deliveries.uuid(50), "number": 6}
    of_other = f"/api/v2/pipeline/{deliveries.uuid(50)}/workflow"
    jobs = {f"/api/v2/workflow/{deliveries.uuid(60)}/job": listed(job(9, "of other"))}
    start = {**RUNNING.bodies, **jobs, PIPELINES_AT: listed(other, PIPELINE), of_other: {"message": "Maintenance."}}
    broken = {**start, **{key: ENDED.bodies[key] for key in (WORKFLOWS_AT, JOBS_AT, OTHER)}}
    running = {**broken, of_other: listed(workflow(60, "other", "running", None), workflow(61, "past"))}
    ended = {**broken, of_other: listed(workflow(60, "other"), workflow(61, "past"))}
    found = await events_of(Site(broken), Site(running), Site(ended), start=Site(start))
    assert [name_of(event) for event in found] == ["test", "compile", "build", "lint", "lint", "of other", "other"]


@pytest.mark.parametrize("field", ["id", "status", "stopped_at", "job_number"])
async def test_an_ended_workflow_waits_for_its_jobs_to_be_readable(field: str) -> None:
    odd = Site({**ENDED.bodies, JOBS_AT: listed(job(1, "test") | {field: None}, job(2, "compile"))})
    found = await events_of(odd, ENDED)
    assert [name_of(event) for event in found] == ["compile", "lint", "lint", "test", "build"]
    # Not for ever.
    assert "build" in [name_of(event) for event in await events_of(odd, *[odd] * 5)]


async def test_an_id_that_no_request_can_hold_is_named() -> None:
    refused = {**workflow(1, "refused", "running", None), "id": ".."}
    bodies = {**RUNNING.bodies, WORKFLOWS_AT: listed(refused, workflow(2, "lint", "running", None))}
    ended = {**bodies, WORKFLOWS_AT: listed(refused, workflow(2, "lint")), OTHER: ENDED.bodies[OTHER]}
    names: list[str] = []
    scope = anyio.CancelScope()
    async with Site(bodies).client(Stop(bodies, [Site(ended)], scope)) as circleci:
        events = follow(circleci, SLUG, poll=60)
        with scope:
            async for event in events:
                names.append(name_of(event))  # noqa: PERF401  # kept when the scope is cancelled
    assert names == ["lint", "lint"]
    (skipped,) = events.skipped
    assert (skipped.operation, skipped.id) == ("v2.workflows.list_jobs", "..")
    assert isinstance(skipped.error, InvalidArgumentError)


async def test_a_delivery_about_an_id_that_no_request_can_hold_stops_no_other() -> None:
    body = deliveries.workflow()
    odd = {**body, "id": "odd", "workflow": {**body["workflow"], "id": ".."}}
    router = Router()
    async with ENDED.client() as circleci:
        events = follow(circleci, SLUG, webhooks=router, poll=None)
        for content in (odd, body):
            await router.dispatch(parse(deliveries.raw(content), secret=None))
        with anyio.fail_after(10):
            assert delivery_id(await anext(events)) == "odd"
            found = [await anext(events) for _ in range(3)]
    assert delivery_id(found[-1]) == body["id"]
    assert [one.id for one in events.skipped] == [".."]


def name_of(event: FollowedEvent) -> str:
    ended = event.job if isinstance(event, JobCompleted) else event.workflow
    return str(getattr(ended, "name", "unknown"))


async def test_what_is_unavailable_in_a_response_is_unavailable_in_its_event() -> None:
    project = {**PROJECT, "organization_name": None, "slug": 5}
    odd = {**PIPELINE, "vcs": {**PIPELINE["vcs"], "branch": ["main"]}, "trigger": 5}
    bodies = {**ENDED.bodies, f"/api/v2/project/{SLUG}": project, PIPELINES_AT: listed(odd)}
    bodies[WORKFLOWS_AT] = listed({**workflow(1, "build"), "stopped_at": "soon", "name": None})
    bodies[JOBS_AT] = listed({**job(1, "test"), "job_number": "one", "started_at": 5})
    bodies[OTHER] = listed()
    found = await events_of(Site(bodies))
    assert [type(event).__name__ for event in found] == ["JobCompleted", "WorkflowCompleted"]
    of_job, of_workflow = found
    assert isinstance(of_job, JobCompleted)
    assert isinstance(of_workflow, WorkflowCompleted)
    assert {one.place for one in of_job.mismatches} >= {
        "job.number",
        "job.started_at",
        "organization.name",
        "pipeline.trigger",
        "pipeline.vcs.branch",
        "project.slug",
        "workflow.name",
        "workflow.stopped_at",
        "workflow.url",
    }
    assert {one.place for one in of_workflow.mismatches} >= {"happened_at", "workflow.stopped_at", "workflow.name"}
    assert (of_job.job.name, of_job.job.status, of_workflow.workflow.status) == ("test", "success", "failed")
    assert (branch_of(of_job), project_slug_of(of_job), status_of(of_workflow)) == (None, None, "failed")


async def test_deliveries_with_an_odd_type_are_followed() -> None:
    router = Router()
    async with ENDED.client() as circleci:
        events = follow(circleci, SLUG, webhooks=router, poll=None)
        for body in (deliveries.job(), deliveries.workflow()):
            content = deliveries.raw(body | {"type": 5})
            await router.dispatch(parse(content, {"circleci-event-type": body["type"]}, secret=None))
        with anyio.fail_after(10):
            found = [await anext(events) for _ in range(2)]
    assert {type(event) for event in found} == {JobCompleted}


async def test_no_odd_delivery_stops_follow() -> None:
    good = parse(deliveries.raw(deliveries.workflow(2)), secret=None)
    for body in (deliveries.job(), deliveries.workflow()):
        for mutation in chosen(body, "follow"):
            router = Router()
            async with ENDED.client() as circleci:
                events = follow(circleci, SLUG, webhooks=router, poll=None)
                await router.dispatch(parse(encoded(mutation.apply(body)), secret=None))
                await router.dispatch(good)
                with anyio.fail_after(10):
                    while True:
                        event = await anext(events)
                        look_at(event)
                        if isinstance(event, WorkflowCompleted):
                            break
