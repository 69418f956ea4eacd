"""Redundant runs: one that cannot be read or canceled leaves none of the others running; on asyncio and trio."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Final

import pytest

from circleci_sdk import AuthenticationError, CircleCIError, FieldUnavailableError, PermissionDeniedError
from circleci_sdk.helpers import CancelReport
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.helpers.long_work import COUNT, EACH_FAILURE, EACH_PLACE, EACH_REFUSAL, Failure, assert_named
from tests.support.clients import ID, MESSAGE, SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import ScriptedServer, reply

TIME: Final = "2026-06-01T12:00:00Z"


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def pipeline_id(place: int) -> str:
    """Of the older pipelines, newest first."""
    return uuid(100 + place)


def workflows_at(place: int) -> str:
    return f"/api/v2/pipeline/{pipeline_id(place)}/workflow"


def cancel_at(place: int) -> str:
    return f"/api/v2/workflow/{uuid(200 + place)}/cancel"


def pipeline(number: int, identity: str, **more: Any) -> dict[str, Any]:
    actor = {"login": "ada", "avatar_url": None}
    trigger = {"type": "api", "received_at": TIME, "actor": actor}
    facts: dict[str, Any] = {"id": identity, "errors": [], "project_slug": SLUG, "number": number, "state": "created"}
    return {**facts, "created_at": TIME, "trigger": trigger, **more}


def workflow(place: int, status: str = "running", **more: Any) -> dict[str, Any]:
    about = {"id": uuid(200 + place), "pipeline_id": pipeline_id(place), "pipeline_number": 0, "project_slug": SLUG}
    return {
        **about,
        "name": "build",
        "status": status,
        "started_by": ID,
        "created_at": TIME,
        "stopped_at": None,
        **more,
    }


def script(server: ScriptedServer, place: int = 0, *, older: dict[str, Any] | None = None, **odd: Any) -> None:
    """The newest pipeline, and older ones with a workflow each; the fields in `older` and `odd` are of one place."""
    pipelines = [pipeline(1000, uuid(1))]
    for at in range(COUNT):
        pipelines.append(pipeline(100 - at, pipeline_id(at)) | ((older or {}) if at == place else {}))
        server.on("GET", workflows_at(at), listed(workflow(at, **(odd if at == place else {}))))
        server.on("POST", cancel_at(at), reply(202, json=MESSAGE))
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", listed(*pipelines))


def listed(*items: dict[str, Any]) -> Any:
    return reply(json={"items": items, "next_page_token": None})


def canceled(report: CancelReport) -> list[str]:
    assert {one.outcome for one in report.results} == {"canceled"}
    return [one.workflow_id for one in report.results]


def others(place: int) -> list[str]:
    return [uuid(200 + at) for at in range(COUNT) if at != place]


@ON_ASYNCIO
@EACH_FAILURE
@EACH_PLACE
async def test_a_pipeline_that_cannot_be_read_is_named(server: ScriptedServer, failure: Failure, place: int) -> None:
    script(server)
    server.on("GET", workflows_at(place), failure.response)
    async with client_on(server, FakeClock(), strict=failure.strict) as circleci:
        report = await circleci.runs.cancel_redundant(SLUG, "main")
        assert canceled(report) == others(place)
        assert_named(report.skipped, "v2.pipelines.list_workflows", pipeline_id(place), failure)
        # It is asked again by a repeated call.
        script(server)
        again = await circleci.runs.cancel_redundant(SLUG, "main")
    assert uuid(200 + place) in canceled(again)
    assert again.raise_for_failure() is again


@EACH_REFUSAL
@EACH_PLACE
async def test_a_workflow_that_cannot_be_canceled_is_named(
    server: ScriptedServer, failure: Failure, place: int
) -> None:
    script(server)
    server.on("POST", cancel_at(place), failure.response)
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.runs.cancel_redundant(SLUG, "main")
    assert canceled(report) == others(place)
    assert_named(report.skipped, "v2.workflows.cancel", uuid(200 + place), failure)


@EACH_PLACE
@pytest.mark.parametrize(
    ("odd", "named"), [({"status": None}, 200), ({"id": None}, 100), ({"id": ""}, 100)], ids=["status", "id", "empty"]
)
async def test_a_workflow_of_which_too_little_is_known_is_named(
    server: ScriptedServer, place: int, odd: dict[str, Any], named: int
) -> None:
    script(server, place, **odd)
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.runs.cancel_redundant(SLUG, "main")
    assert canceled(report) == others(place)
    assert_named(
        report.skipped,
        "v2.pipelines.list_workflows",
        uuid(named + place),
        Failure(reply(), FieldUnavailableError),
    )


@EACH_PLACE
@pytest.mark.parametrize("field", ["number", "id"])
async def test_a_pipeline_that_cannot_be_compared_is_left_alone_and_named(
    server: ScriptedServer, place: int, field: str
) -> None:
    script(server, place, older={field: None})
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.runs.cancel_redundant(SLUG, "main")
    assert canceled(report) == others(place)
    named = pipeline_id(place) if field == "number" else str(100 - place)
    assert_named(report.skipped, "v2.pipelines.list_for_project", named, Failure(reply(), FieldUnavailableError))


async def test_what_concerns_all_ends_the_work(server: ScriptedServer) -> None:
    script(server)
    for place in range(COUNT):
        server.on("GET", workflows_at(place), reply(401, json={"message": "You must log in first."}))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(AuthenticationError):
            await circleci.runs.cancel_redundant(SLUG, "main")
    assert sum("/workflow" in request.path for request in server.requests) == 3


async def test_a_report_is_a_value_and_raises_on_request(server: ScriptedServer) -> None:
    script(server)
    server.on("GET", workflows_at(1), reply(403, json={"message": "Permission denied"}))
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.runs.cancel_redundant(SLUG, "main", dry_run=True)
    assert [one.outcome for one in report.results] == ["would_cancel"] * (COUNT - 1)
    assert not report.ok
    assert copy.deepcopy(report) == report == pickle.loads(pickle.dumps(report))  # made here
    with pytest.raises(CircleCIError, match=r"^runs\.cancel_redundant: 1 passed over:\n  v2\.pipelines") as caught:
        report.raise_for_failure()
    cause: Any = caught.value.__cause__
    assert [type(error) for error in cause.exceptions] == [PermissionDeniedError]


async def test_on_the_fake() -> None:
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    web.will_run(Workflow("build", Job("test", 600)))
    async with fake.client() as circleci:
        runs = [await circleci.runs.start(SLUG, branch="main") for _ in range(4)]
        fake.clock.advance(60)
        fake.fail_next("v2.pipelines.list_workflows", status=403)
        report = await circleci.runs.cancel_redundant(SLUG, "main")
        assert [one.pipeline_id for one in report.results] == [runs[1].id, runs[0].id]
        assert [one.id for one in report.skipped] == [runs[2].id]
