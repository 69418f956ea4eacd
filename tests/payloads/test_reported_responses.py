"""Responses known from public reports and from measurements of the vendor's staff fit their types.

None of them is recorded; names and values are made up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, UnknownStr
from circleci_sdk.v2.models import (
    ContextEnvVar,
    JobCompleted,
    MessageResponse,
    OrbAllowListChange,
    WorkflowRerun,
)
from tests.support.scripted_server import ScriptedServer, reply

ID: Final = "11111111-2222-4333-8444-555555555555"
NOON: Final = "2026-03-04T12:00:00Z"
ACCEPTED: Final = {"message": "Accepted."}


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
async def client(api: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", base_url=api.url, max_retries=0, strict=True) as client:
        yield client


def pipeline(**changes: Any) -> dict[str, Any]:
    whole = {
        "id": ID,
        "errors": [],
        "project_slug": "gh/acme/web",
        "number": 7,
        "state": "created",
        "created_at": NOON,
        "trigger": {"type": "webhook", "received_at": NOON, "actor": {"login": "ada", "avatar_url": None}},
    }
    return {**whole, **changes}


def workflow(**changes: Any) -> dict[str, Any]:
    whole = {
        "pipeline_id": ID,
        "id": ID,
        "name": "build",
        "project_slug": "gh/acme/web",
        "status": "running",
        "started_by": ID,
        "pipeline_number": 7,
        "created_at": NOON,
        "stopped_at": None,
    }
    return {**whole, **changes}


def job(**changes: Any) -> dict[str, Any]:
    whole = {
        "dependencies": [],
        "id": ID,
        "name": "hold",
        "project_slug": "gh/acme/web",
        "status": "on_hold",
        "type": "approval",
    }
    return {**whole, **changes}


def schedule(**changes: Any) -> dict[str, Any]:
    whole = {
        "description": None,
        "parameters": {"branch": "main"},
        "id": ID,
        "timetable": {"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON"]},
        "name": "nightly",
        "created-at": NOON,
        "project-slug": "gh/acme/web",
    }
    return {**whole, **changes}


def webhook(**changes: Any) -> dict[str, Any]:
    whole = {
        "url": "https://bot.example.com/",
        "verify_tls": True,
        "id": ID,
        "updated_at": NOON,
        "name": "bot",
        "created_at": NOON,
        "scope": {"id": ID, "type": "project"},
        "events": ["workflow-completed"],
    }
    return {**whole, **changes}


def build(**changes: Any) -> dict[str, Any]:
    whole = {
        "build_num": 7,
        "build_url": "https://circleci.com/gh/acme/web/7",
        "lifecycle": "finished",
        "reponame": "web",
        "status": "success",
        "username": "acme",
        "vcs_revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
        "vcs_url": "https://github.com/acme/web",
        "why": "github",
        "steps": [],
    }
    return {**whole, **changes}


@dataclass(frozen=True, slots=True)
class Case:
    """A call, its response, and a value of the result with its expected value."""

    call: Callable[[AsyncCircleCI], Awaitable[Any]]
    response: Any
    value: Callable[[Any], object]
    expected: object
    status: int = field(default=200)


def get_pipeline(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v2.pipelines.get(ID)


def get_build(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v1.builds.get("gh/acme/web", 7)


def get_webhook(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v2.webhooks.get(ID)


def get_schedule(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v2.schedules.get(ID)


def list_jobs(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v2.workflows.list_jobs(ID).collect()


def create_webhook(client: AsyncCircleCI) -> Awaitable[Any]:
    return client.v2.webhooks.create(
        name="bot",
        events=["workflow-completed"],
        url="https://bot.example.com/",
        verify_tls=True,
        signing_secret="",
        scope={"id": ID, "type": "project"},
    )


VCS: Final = {
    "target_repository_url": "https://github.com/acme/web",
    "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
    "origin_repository_url": "https://github.com/acme/web",
}

ACTION: Final = {"index": 0, "name": "test", "status": "success", "type": "test"}
COMMIT: Final = {
    "author_login": None,
    "commit": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
    "committer_date": "",
    "committer_email": None,
    "committer_login": None,
    "committer_name": None,
}

CASES: Final = {
    "pipeline without a code host": Case(
        get_pipeline, pipeline(vcs={**VCS, "provider_name": None}), lambda found: found.vcs.provider_name, None
    ),
    "pipeline rejected by a rule of its trigger": Case(
        get_pipeline,
        pipeline(errors=[{"type": "trigger-rule", "message": "No rule matches."}]),
        lambda found: (found.errors[0].type, isinstance(found.errors[0].type, UnknownStr)),
        ("trigger-rule", False),
    ),
    "queued workflow": Case(
        lambda client: client.v2.workflows.get(ID),
        workflow(status="queued"),
        lambda found: (found.status, isinstance(found.status, UnknownStr)),
        ("queued", False),
    ),
    "approval with a job number": Case(
        list_jobs, {"items": [job(job_number=12)]}, lambda found: (found[0].type, found[0].job_number), ("approval", 12)
    ),
    "skipped job": Case(
        list_jobs,
        {"items": [job(status="skipped")]},
        lambda found: (found[0].status, isinstance(found[0].status, UnknownStr)),
        ("skipped", False),
    ),
    "schedule without an actor": Case(get_schedule, schedule(), lambda found: found.actor, None),
    "schedule with null as actor": Case(get_schedule, schedule(actor=None), lambda found: found.actor, None),
    "action without the number of its step": Case(
        get_build,
        build(steps=[{"name": "test", "actions": [{**ACTION, "step": None}]}]),
        lambda found: found.steps[0].actions[0].step,
        None,
    ),
    "build with an empty date of its committer": Case(
        get_build,
        build(committer_date="", all_commit_details=[COMMIT]),
        lambda found: (found.committer_date, found.all_commit_details[0].committer_date),
        ("", ""),
    ),
    "build with the date of its committer": Case(
        get_build,
        build(committer_date=NOON),
        lambda found: found.committer_date,
        datetime(2026, 3, 4, 12, tzinfo=UTC),
    ),
    "commit on Bitbucket": Case(
        get_build,
        build(all_commit_details=[COMMIT]),
        lambda found: (found.all_commit_details[0].author_login, found.all_commit_details[0].committer_name),
        (None, None),
    ),
    "webhook without a signing secret": Case(get_webhook, webhook(), lambda found: found.signing_secret, None),
    "webhook with an empty signing secret": Case(
        get_webhook, webhook(signing_secret=""), lambda found: found.signing_secret, ""
    ),
    "webhook created without a signing secret": Case(
        create_webhook, webhook(), lambda found: found.signing_secret, None, 201
    ),
    "context variable": Case(
        lambda client: client.v2.contexts.set_env_var(ID, "A", value="b"),
        {"variable": "A", "created_at": NOON, "context_id": ID},
        lambda found: (type(found), found.variable),
        (ContextEnvVar, "A"),
    ),
    "context variable, acknowledged": Case(
        lambda client: client.v2.contexts.set_env_var(ID, "A", value="b"),
        ACCEPTED,
        lambda found: (type(found), found.message),
        (MessageResponse, "Accepted."),
    ),
    "deleted allow-list entry": Case(
        lambda client: client.v2.organizations.delete_orb_allow_list_entry("gh/acme", ID),
        {"id": ID, "message": "Deleted."},
        lambda found: (type(found), found.id),
        (OrbAllowListChange, ID),
    ),
    "deleted allow-list entry, acknowledged": Case(
        lambda client: client.v2.organizations.delete_orb_allow_list_entry("gh/acme", ID),
        ACCEPTED,
        type,
        MessageResponse,
    ),
    "rerun": Case(
        lambda client: client.v2.workflows.rerun(ID),
        {"workflow_id": ID},
        lambda found: (type(found), found.workflow_id),
        (WorkflowRerun, ID),
        202,
    ),
    "rerun, acknowledged": Case(lambda client: client.v2.workflows.rerun(ID), ACCEPTED, type, MessageResponse, 202),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_response_fits(client: AsyncCircleCI, api: ScriptedServer, case: Case) -> None:
    api.clear()
    api.script([reply(case.status, json=case.response)])

    assert case.value(await case.call(client)) == case.expected


def test_delivery_of_an_older_server_fits() -> None:
    delivery = {
        "id": ID,
        "type": "job-completed",
        "happened_at": NOON,
        "webhook": {"id": ID, "name": "bot"},
        "project": {"id": ID, "name": "web", "slug": "github/acme/web"},
        "organization": {"id": ID, "name": "acme"},
        "pipeline": {"id": ID, "number": 7, "created_at": NOON, "trigger": {"type": "webhook"}},
        "job": {"id": ID, "name": "test", "status": "success", "stopped_at": NOON},
    }

    job = JobCompleted.model_validate(delivery).job

    assert (job.number, job.started_at, job.status) == (None, None, "success")


async def test_list_with_a_token_that_leads_nowhere(
    client: AsyncCircleCI, api: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The variables of a large context: what came is returned, and the pager ends."""
    variable = {"variable": "A", "created_at": NOON, "updated_at": NOON, "context_id": ID}
    api.clear()
    api.script([reply(json={"items": [variable], "next_page_token": token}) for token in ("a", "b")])

    page = await client.v2.contexts.list_env_vars(ID)
    variables = await client.v2.contexts.list_env_vars(ID).collect()

    assert [each.variable for each in page] == [each.variable for each in variables] == ["A"]
    assert (page.next, page.is_truncated) == (None, True)
    assert [request.query for request in api.requests] == [(), ()]
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warnings
    assert all("v2.contexts.list_env_vars" in record.getMessage() for record in warnings)


async def test_empty_advanced_settings_are_sent(client: AsyncCircleCI, api: ScriptedServer) -> None:
    """The API accepts them; only a body without `advanced` is an error."""
    api.clear()
    api.script([reply(json={"advanced": {"oss": False}})])

    settings = await client.v2.projects.update_settings("gh/acme/web", advanced={})

    assert settings.advanced is not None
    assert settings.advanced.oss is False
    assert api.requests[0].json == {"advanced": {}}
