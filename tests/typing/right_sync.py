"""A program with the sync client: what every checker, strict, has to infer. Nothing here runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, assert_type

import httpx
from pydantic import SecretStr

from circleci_sdk import (
    CircleCI,
    Cursor,
    Drift,
    Page,
    Pager,
    PaginationError,
    RateLimit,
    Reply,
    RunTimeoutError,
    Timeout,
)
from circleci_sdk.helpers import (
    ApprovalEvent,
    CancelReport,
    DownloadedArtifact,
    DownloadReport,
    Explanation,
    FoundRun,
    HistoryRecord,
    JobEvent,
    RunEvent,
    RunJob,
    RunResult,
    SecretResult,
    Step,
    StepLog,
    UsageRow,
    WorkflowEvent,
)
from circleci_sdk.sync import Output, Records, Run, RunSearch, RunWatch, UsageRows, register, unregister
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.v1.models import BuildDetails
from circleci_sdk.v2.models import JobDetails, MessageResponse, Pipeline, PipelineCreation, User, Webhook
from circleci_sdk.v3 import models as v3_models

PROJECT = "gh/acme/web"


# ---- the client: hooks and sources of tokens are plain functions ----


def log_request(request: httpx.Request) -> None:
    print(request.method, request.url)


def log_drift(drift: Drift) -> None:
    print(drift.operation, drift.place)


async def log_response(response: httpx.Response) -> None:
    print(response.status_code)


def client_for(read_token: Callable[[], str]) -> CircleCI:
    return CircleCI(
        auth=read_token,
        timeout=Timeout(total=60, read=5),
        on_request=log_request,
        on_response=log_response,
        on_drift=log_drift,
    )


def copies(circleci: CircleCI) -> CircleCI:
    assert_type(circleci.rate_limit, RateLimit | None)
    with circleci as same:
        assert_type(same, CircleCI)
    return assert_type(circleci.with_options(timeout=5, max_retries=0, headers={"a": "b"}), CircleCI)


# ---- operations of v1, v2 and v3 ----


def operations(circleci: CircleCI) -> None:
    assert_type(circleci.v2.users.me(), User)
    assert_type(circleci.v2.jobs.get(PROJECT, 42), JobDetails)
    assert_type(circleci.v1.builds.get(PROJECT, 42), BuildDetails)
    assert_type(circleci.v2.pipelines.trigger_run(PROJECT), PipelineCreation | MessageResponse)
    run = assert_type(circleci.v3.runs.get("id"), v3_models.Run)
    searched = circleci.v3.runs.search(project_ids=[run.project_id], from_=run.created_at, to=run.created_at)
    assert_type(searched, Pager[v3_models.Run])
    assert_type(circleci.v3.projects.list(slug=PROJECT).page(), Page[v3_models.Project])
    assert_type(circleci.v3.orb_versions.get_source("id"), str)


def replies(circleci: CircleCI) -> None:
    reply = assert_type(circleci.raw_response(circleci.v2.jobs.get, PROJECT, 42), Reply[JobDetails])
    assert_type(reply.data, JobDetails)
    assert_type(reply.headers["x-request-id"], str)
    first = circleci.raw_response(circleci.v2.pipelines.list_for_project, PROJECT, branch="main")
    assert_type(first, Reply[Page[Pipeline]])
    assert_type(circleci.raw_response(partial(circleci.v2.jobs.get, PROJECT), 42), Reply[JobDetails])
    assert_type(circleci.raw_response(circleci.v3.projects.get, "id"), Reply[v3_models.Project])
    assert_type(circleci.request("GET", "/api/v3/x", query={"a": [1, True]}), Reply[Any])


# ---- lists and streams ----


def lists(circleci: CircleCI, saved: Cursor | None) -> Cursor | None:
    pager = assert_type(circleci.v2.pipelines.list_for_project(PROJECT, branch="main"), Pager[Pipeline])
    try:
        for pipeline in assert_type(pager.resume(saved), Pager[Pipeline]):
            assert_type(pipeline, Pipeline)
    except PaginationError as error:
        return error.next
    assert_type(pager.page(), Page[Pipeline])
    assert_type(pager.page().items, list[Pipeline])
    assert_type(pager.pages(), Iterator[Page[Pipeline]])
    assert_type([item.number for page in pager.pages() for item in page], list[int])
    assert_type(pager.take(5), list[Pipeline])
    assert_type(pager.collect(), list[Pipeline])
    with pager.prefetch(2) as items:
        assert_type(items, Iterator[Pipeline])
        assert_type(next(items), Pipeline)
    return assert_type(pager.next, str | int | None)


def streams(circleci: CircleCI, offset: int) -> None:
    with circleci.v3.jobs.stream_stdout("id", step_num=0).resume(offset) as stream:
        assert_type(list(stream), list[bytes])
        assert_type(list(stream.lines()), list[str])
        assert_type(stream.offset, int)
    with circleci.v3.jobs.stream_tests("id") as tests:
        assert_type(next(tests), v3_models.JobTest)


# ---- runs ----


def release(circleci: CircleCI, version: str) -> int:
    run = assert_type(circleci.runs.start(PROJECT, branch="main", parameters={"version": version}), Run)
    try:
        result = assert_type(run.wait(timeout=3600, on_hold="return"), RunResult)
    except RunTimeoutError as error:
        assert_type(error.result, RunResult | None)
        return 2
    if result.approvals:
        assert_type(run.approve(job="release?"), RunJob)
    if not result.is_success:
        assert_type(run.explain(result), Explanation)
        assert_type(run.rerun(from_failed=True), str | None)
    assert_type(run.cancel(), tuple[str, ...])
    assert_type((run.id, run.number), tuple[str, int | None])
    assert_type(circleci.runs.latest(PROJECT, branch="main"), Run | None)
    assert_type(circleci.runs.cancel_redundant(PROJECT, "main", dry_run=True), CancelReport)
    return 0 if result.is_success else 1


def watch(run: Run) -> RunResult:
    watched = assert_type(run.watch(timeout=None), RunWatch)
    for event in watched:
        assert_type(event, RunEvent)
        match event:
            case JobEvent():
                print(event.job.status)
            case WorkflowEvent():
                print(event.workflow.status)
            case ApprovalEvent(job=approval):
                print(approval.name)
            case _:
                print(event)
    return watched.result


def search(circleci: CircleCI) -> Iterator[FoundRun]:
    found = circleci.runs.search([PROJECT], since=datetime.now(UTC) - timedelta(days=1))
    return assert_type(found, RunSearch)


# ---- logs, files, secrets, usage, history, webhooks ----


def logs(circleci: CircleCI) -> None:
    assert_type(circleci.logs.failed(PROJECT, 42, tail=100), list[StepLog])
    steps = assert_type(circleci.logs.steps(job_id="id"), list[Step])
    with circleci.logs.follow(steps[0]) as output:
        assert_type(output, Output)
        assert_type("".join(output), str)
        assert_type(output.api, Literal["v1.1", "v2", "v3"])


def downloads(circleci: CircleCI, folder: Path) -> None:
    def show(file: DownloadedArtifact) -> None:
        print(file.path, file.size)

    report = circleci.artifacts.download_latest(PROJECT, folder, branch="main", match="*.whl", on_file=show)
    assert_type(report, DownloadReport | None)


def secrets(circleci: CircleCI, values: dict[str, SecretStr]) -> None:
    def changed(change: SecretResult) -> None:
        print(change)

    circleci.secrets.set_many(values, org="gh/acme", contexts=["deploy"], on_result=changed).raise_for_failure()
    circleci.v2.projects.set_env_var(PROJECT, name="A", value=SecretStr("hidden"))


def usage(circleci: CircleCI) -> None:
    with circleci.usage.rows("gh/acme", date(2026, 1, 1), date(2026, 2, 1)) as rows:
        assert_type(rows, UsageRows)
        for row in rows:
            assert_type(row, UsageRow)
        assert_type(rows.close(), None)


def history(circleci: CircleCI, cursor: str | None) -> str:
    records = assert_type(circleci.history.records(PROJECT, since=datetime(2026, 1, 1, tzinfo=UTC)), Records)
    for record in records:
        assert_type(record, HistoryRecord)
    return records.cursor


def webhooks(circleci: CircleCI) -> None:
    assert_type(register(circleci, PROJECT, url="https://example.org", secret="s", events=["job-completed"]), Webhook)
    unregister(circleci, PROJECT, url="https://example.org")


def fakes(fake: FakeCircleCI) -> None:
    assert_type(fake.sync_client("token", wait="real", timeout=None, on_request=log_request), CircleCI)
