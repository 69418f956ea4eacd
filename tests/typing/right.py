"""What mypy and pyright, both strict, have to infer. Nothing here runs; the checkers read it with all other code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any, Literal, assert_never, assert_type
from uuid import UUID

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.applications import Starlette

from circleci_sdk import (
    UNSET,
    AsyncCircleCI,
    AsyncPager,
    ByteStream,
    ItemStream,
    Page,
    ProjectSlug,
    RateLimit,
    Reply,
    Timeout,
    UnknownStr,
)
from circleci_sdk.helpers import StepLog
from circleci_sdk.testing import FakeCircleCI, RecordedRequests
from circleci_sdk.v1.models import BuildDetails
from circleci_sdk.v2.models import (
    Context,
    JobDetails,
    JobStatus,
    MessageResponse,
    Pipeline,
    PipelineCreation,
    Schedule,
    Timetable,
    TimetableDict,
    TriggerWebhookInput,
    User,
    Weekday,
    Workflow,
    WorkflowRerun,
)
from circleci_sdk.v3 import models as v3_models
from circleci_sdk.webhooks import Event, JobCompleted, Router, Secret, WebhookApp, WorkflowCompleted


async def calls(circleci: AsyncCircleCI) -> None:
    assert_type(await circleci.v2.users.me(), User)
    assert_type(await circleci.v2.jobs.get("gh/acme/web", 42), JobDetails)
    assert_type(await circleci.v1.builds.get("gh/acme/web", 42), BuildDetails)
    assert_type(await circleci.logs.failed("gh/acme/web", 42, job_id="id"), list[StepLog])
    assert_type(await circleci.logs.failed(job_id="id"), list[StepLog])
    assert_type(circleci.logs.follow((await circleci.logs.steps(job_id="id"))[0]).api, Literal["v1.1", "v2", "v3"])
    assert_type(await circleci.v2.pipelines.trigger_run("gh/acme/web"), PipelineCreation | MessageResponse)
    assert_type((await circleci.v2.users.me()).id, str)
    rerun = assert_type(await circleci.v2.workflows.rerun("id"), WorkflowRerun | MessageResponse)
    if isinstance(rerun, WorkflowRerun):
        assert_type(rerun.workflow_id, str)


def dates(build: BuildDetails) -> None:
    if build.committer_date:  # empty on some builds
        assert_type(build.committer_date, datetime)


async def lists(circleci: AsyncCircleCI) -> None:
    pager = circleci.v2.pipelines.list_for_project("gh/acme/web", branch="main")
    _ = assert_type(pager, AsyncPager[Pipeline])
    assert_type(await pager, Page[Pipeline])
    assert_type((await pager).items, list[Pipeline])
    assert_type(pager.next, str | int | None)
    _ = assert_type(pager.resume((await pager).next), AsyncPager[Pipeline])
    _ = assert_type(pager.resume(pager.next), AsyncPager[Pipeline])
    _ = assert_type(pager.resume(None), AsyncPager[Pipeline])
    assert_type(await pager.take(5), list[Pipeline])
    assert_type(await pager.collect(), list[Pipeline])
    assert_type(pager.pages(), AsyncIterator[Page[Pipeline]])
    async for pipeline in pager:
        assert_type(pipeline, Pipeline)
    async for page in pager.pages():
        assert_type(page, Page[Pipeline])
        for item in page:
            assert_type(item, Pipeline)
    async with pager.prefetch(2) as items:
        assert_type(items, AsyncIterator[Pipeline])
        async for item in items:
            assert_type(item, Pipeline)


async def entities(circleci: AsyncCircleCI) -> None:
    run = assert_type(await circleci.v3.runs.get("id"), v3_models.Run)
    assert_type(run.project_id, str)
    assert_type(run.created_at, datetime)
    assert_type(run.user, v3_models.RunUser | None)
    assert_type(await circleci.v3.projects.list(slug="gh/acme/web"), Page[v3_models.Project])
    searched = circleci.v3.runs.search(project_ids=[run.project_id], from_=run.created_at, to=run.created_at)
    _ = assert_type(searched, AsyncPager[v3_models.Run])
    made = v3_models.Project(id="id", name="web", org_id="id")
    assert_type(made.org_id, str)
    reply = await circleci.raw_response(circleci.v3.projects.get, "id")
    assert_type(reply, Reply[v3_models.Project])
    assert_type(await circleci.v3.orb_versions.get_source("id"), str)


async def streams(circleci: AsyncCircleCI) -> None:
    stdout = assert_type(circleci.v3.jobs.stream_stdout("id", step_num=0), ByteStream)
    async with stdout as stream:
        async for piece in stream:
            assert_type(piece, bytes)
        async for line in stream.lines():
            assert_type(line, str)
    async with assert_type(circleci.v3.jobs.stream_tests("id"), ItemStream[v3_models.JobTest]) as tests:
        async for test in tests:
            assert_type(test, v3_models.JobTest)


async def replies(circleci: AsyncCircleCI) -> None:
    reply = await circleci.raw_response(circleci.v2.jobs.get, "gh/acme/web", 42)
    assert_type(reply, Reply[JobDetails])
    assert_type(reply.data, JobDetails)
    assert_type(reply.rate_limit, RateLimit | None)
    assert_type(reply.headers["x-request-id"], str)
    assert_type(await circleci.raw_response(circleci.v2.users.me), Reply[User])
    first = await circleci.raw_response(circleci.v2.pipelines.list_for_project, "gh/acme/web", branch="main")
    assert_type(first, Reply[Page[Pipeline]])
    assert_type(first.data.items, list[Pipeline])
    assert_type(await circleci.raw_response(partial(circleci.v2.jobs.get, "gh/acme/web"), 42), Reply[JobDetails])
    assert_type(await circleci.raw_response(circleci.v2.contexts.list, owner_slug="gh/acme"), Reply[Page[Context]])
    assert_type(await circleci.request("GET", "/api/v3/x", query={"a": [1, True]}), Reply[Any])


def known_and_new(job: JobDetails) -> str:
    match job.status:
        case "success" | "failed" | "canceled" | "infrastructure_fail" | "timedout" | "unauthorized":
            return "over"
        case "running" | "queued" | "on_hold" | "blocked" | "not_running" | "retried":
            return "not yet"
        case "not_run" | "skipped" | "terminated-unknown":
            return "never"
        case UnknownStr():
            return "new"


def nothing_left(status: JobStatus) -> str:
    match status:
        case "success" | "failed" | "canceled" | "infrastructure_fail" | "timedout" | "unauthorized":
            return "over"
        case "running" | "queued" | "on_hold" | "blocked" | "not_running" | "retried":
            return "not yet"
        case "not_run" | "skipped" | "terminated-unknown":
            return "never"
        case UnknownStr() as new:
            return assert_type(new, UnknownStr)
        case _:
            assert_never(status)


def values_are_strings(job: JobDetails, workflow: Workflow, schedule: Schedule) -> dict[str, int]:
    assert_type(schedule.created_at, datetime)
    assert_type(schedule.timetable.days_of_week, list[Weekday] | None)
    return {job.status: 1, workflow.status.upper(): 2} if job.status == "success" else {}


async def arguments(circleci: AsyncCircleCI, schedule_id: UUID, slug: ProjectSlug, given: bool) -> None:
    await circleci.v2.schedules.get(schedule_id)
    await circleci.v2.schedules.get("5034460f-c7c4-4c43-9457-de07e2029e7b")
    await circleci.v2.jobs.get(slug, 42)
    await circleci.v2.projects.set_env_var(slug, name="A", value="plain")
    await circleci.v2.projects.set_env_var(slug, name="A", value=SecretStr("hidden"))
    await circleci.v2.schedules.update(schedule_id, description=None)
    await circleci.v2.schedules.update(schedule_id, description="why" if given else UNSET)
    await circleci.v2.contexts.list(owner_id=schedule_id).take(1)


def views(circleci: AsyncCircleCI) -> None:
    assert_type(circleci.with_options(timeout=5), AsyncCircleCI)
    circleci.with_options(timeout=Timeout(total=None, read=5), max_retries=0, headers={"a": "b"}, query={"c": "d"})
    circleci.with_options(timeout=None)
    assert_type(ProjectSlug.parse("gh/acme/web"), ProjectSlug)


async def bodies(circleci: AsyncCircleCI, slug: ProjectSlug, mapping: dict[str, Any], made: datetime) -> None:
    nightly: TimetableDict = {"per_hour": 1, "hours_of_day": (1,), "days_of_week": ["MON"]}
    for timetable in (
        nightly,
        Timetable(per_hour=1, hours_of_day=[1], days_of_week=["MON"]),
        Timetable.model_validate(mapping),
    ):
        await circleci.v2.schedules.create(
            slug,
            name="nightly",
            timetable=timetable,
            attribution_actor="system",
            parameters={"branch": "main", "deep": {"a": [1, None]}},
        )
    await circleci.v2.schedules.update("id", timetable={"months": ["JAN"]}, parameters=mapping)
    await circleci.v2.contexts.create(name="secrets", owner={"slug": "gh/acme", "type": "organization"})
    await circleci.v2.triggers.create(
        "id", "id", event_source={"provider": UnknownStr("new"), "webhook": TriggerWebhookInput(sender="me")}
    )
    await circleci.v2.triggers.update("id", "id", event_source={"schedule": {"cron_expression": "0 1 * * *"}})


def fakes(fake: FakeCircleCI) -> None:
    _ = assert_type(fake.client("token", wait="real", timeout=None, max_retries=0), AsyncCircleCI)
    assert_type(fake.requests, RecordedRequests)


async def handlers(router: Router, event: WorkflowCompleted) -> None:
    @router.on(WorkflowCompleted, project=["gh/acme/web", "gh/acme/api"], branch="main", status="failed")
    async def finished(event: WorkflowCompleted, times: int = 1) -> int:
        return event.pipeline.number * times

    assert_type(await finished(event, times=2), int)

    async def anything(event: Event) -> None:
        print(event)

    router.on(WorkflowCompleted)(anything)
    router.on(JobCompleted, status=UnknownStr("new"))(anything)
    secret: Secret = [SecretStr("new"), b"old"]
    hooks = assert_type(WebhookApp(router, secret=secret), WebhookApp)
    Starlette(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)
    FastAPI(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)
