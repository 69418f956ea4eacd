"""The table of statuses in the docs: each row by the pure functions, and by every helper at three ages."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import product
from pathlib import Path
from typing import Any, Final, cast

import httpx
import pytest

from circleci_sdk import AsyncCircleCI, FieldUnavailableError, RunFailedError, RunTimeoutError
from circleci_sdk.helpers import Run, RunJob, RunPipeline, RunResult, RunWorkflow
from circleci_sdk.helpers._shared.partial import try_field, try_known
from circleci_sdk.helpers.runs.assessment import WORKFLOW_DELAY, assess, idle_seconds
from circleci_sdk.helpers.runs.final_status import objections
from circleci_sdk.helpers.runs.state import (
    JOB_FAILED,
    JOB_STATUSES,
    JOBS_WINDOW,
    PIPELINE_STATES,
    WORKFLOW_ENDED,
    WORKFLOW_FAILED,
    WORKFLOW_STATUSES,
    RunState,
    mark_gone,
    see_jobs,
    see_pipeline,
    see_workflows,
)
from tests.support.clients import ID, SLUG, TOKEN, client_on
from tests.support.clock import START, FakeClock, clock_of
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAGE: Final = Path(__file__).parents[2] / "docs" / "guides" / "run-status.md"
SECONDS: Final = {"seconds": 5.0, "day": 86400.0, "year": 365 * 86400.0}
LASTED: Final = 60


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    pipeline: str
    workflows: tuple[str, ...]
    jobs: tuple[str, ...]
    meanwhile: str
    quiet: float | None
    final: str

    def __str__(self) -> str:
        return f"{self.pipeline}: {', '.join(self.workflows) or 'none'} ({', '.join(self.jobs)})"

    @property
    def bodies(self) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        """The responses: pipeline, workflows and the jobs of the first one. Times are seconds before the end."""
        state, _, errors = self.pipeline.partition(" ")
        of: dict[str, Any] = {"id": ID, "number": 7, "project_slug": SLUG, "state": state, "created_at": LASTED}
        of["errors"] = {"": [], "errors": [{"type": "config", "message": "Bad."}], "unread errors": "Bad."}[errors]
        of["trigger"] = {"type": "api", "received_at": LASTED, "actor": {"login": "ada", "avatar_url": None}}
        workflows = [_workflow(number, words) for number, words in enumerate(self.workflows, 1)]
        jobs = [_job(number, words) for number, words in enumerate(self.jobs, 1)]
        return of, workflows, jobs


def _workflow(number: int, words: str) -> dict[str, Any]:
    *about, status = words.split(" ")
    ended = status in WORKFLOW_ENDED
    made: dict[str, Any] = {
        "id": f"w{number}",
        "pipeline_id": ID,
        "pipeline_number": 7,
        "project_slug": SLUG,
        "started_by": ID,
        "name": "setup" if "setup" in about else f"build-{number}",
        "status": status,
        "created_at": 0 if "brief" in about else LASTED,
        "stopped_at": 0 if ended else None,
    }
    if "setup" in about:
        made["tag"] = "setup"
    if "tag" in about:
        made["tag"] = 5
    if "reruns" in about:
        made["max_auto_reruns"] = 1
    return made


def _job(number: int, words: str) -> dict[str, Any]:
    *about, status = words.split(" ")
    made: dict[str, Any] = {"id": f"j{number}", "name": f"job-{number}", "status": status, "project_slug": SLUG}
    made |= {"job_number": number, "dependencies": [], "type": "approval" if about else "build"}
    return made | ({"approval_request_id": f"j{number}"} if about else {})


def rows() -> list[Row]:
    """The rows of the table."""
    found: list[Row] = []
    for line in re.findall(r"^\| (.*)\|$", PAGE.read_text().partition("## Table")[2], re.MULTILINE)[1:]:
        pipeline, workflows, jobs, meanwhile, quiet, final = (cell.strip() for cell in line.split("|"))
        found.append(Row(pipeline, _parts(workflows), _parts(jobs), meanwhile, float(quiet) if quiet else None, final))
    return found


def _parts(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(",") if part.strip())


ROWS: Final = rows()
RUNNABLE: Final = [row for row in ROWS if not any("gone" in one for one in row.workflows)]
"""A workflow is gone only after several polls, so that no first look finds one."""


def dated(body: Any, end: datetime) -> Any:
    """The body with its times: seconds before the end."""
    if isinstance(body, list):
        return [dated(one, end) for one in cast("list[Any]", body)]
    if not isinstance(body, dict):
        return body
    return {
        name: (end - timedelta(seconds=value)).isoformat()
        if name.endswith("_at") and value is not None
        else dated(value, end)
        for name, value in cast("dict[str, Any]", body).items()
    }


def unavailable() -> Any:
    raise FieldUnavailableError("a gap")


def facts_of(row: Row, end: datetime = NOON) -> tuple[RunPipeline, list[RunWorkflow], list[RunJob]]:
    """The facts in the responses."""
    of, workflows, jobs = (dated(part, end) for part in row.bodies)
    errors = ["Bad."] if isinstance(of["errors"], list) and of["errors"] else []
    unread: Any = try_known(unavailable, ("unknown",))
    pipeline = RunPipeline(
        ID, 7, SLUG, of["state"], unread if of["errors"] == "Bad." else tuple(errors), "", _time(of["created_at"]), None
    )
    found = [
        RunWorkflow(
            one["id"],
            one["name"],
            one["status"],
            try_field(unavailable) if one.get("tag") == 5 else one.get("tag") == "setup",
            _time(one["created_at"]),
            one["stopped_at"] and _time(one["stopped_at"]),
            one.get("max_auto_reruns", 0),
            "",
        )
        for one in workflows
    ]
    made = [
        RunJob(
            one["id"],
            one["name"],
            one["status"],
            one["type"],
            None,
            "w1",
            "build-1",
            SLUG,
            one.get("approval_request_id"),
            None,
            None,
            "",
        )
        for one in jobs
    ]
    return pipeline, found, made


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def state_of(row: Row) -> RunState:
    """The state after everything was read."""
    pipeline, workflows, jobs = facts_of(row)
    state, _ = see_pipeline(RunState(), pipeline)
    state, _ = see_workflows(state, workflows)
    if jobs:
        state, _ = see_jobs(state, workflows[0], jobs)
    for words, one in zip(row.workflows, workflows, strict=True):
        if "gone" in words:
            state = mark_gone(state, one.id)
    return state


def test_the_table_is_read() -> None:
    assert len(ROWS) > 70
    assert len(set(map(str, ROWS))) == len(ROWS)
    assert {row.pipeline.split()[0] for row in ROWS} >= PIPELINE_STATES
    assert {words.split()[-1] for row in ROWS for words in row.workflows} >= WORKFLOW_STATUSES
    assert {words.split()[-1] for row in ROWS for words in row.jobs} >= JOB_FAILED


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_by_the_pure_functions(row: Row) -> None:
    state = state_of(row)
    for idle in (0.0, 4.9, 5.0, 29.0, 30.0, 599.0, 600.0, 3599.0, 3600.0, *SECONDS.values()):
        found = assess(state, idle=idle)
        over = row.quiet is not None and idle >= row.quiet
        assert (found.status, found.over) == (row.final if over else row.meanwhile, over), idle
        if found.status == "success":
            assert objections(state, is_over=True) == ()
        elif over and not any(one in WORKFLOW_FAILED for one in row.workflows):
            told = objections(state, is_over=True)
            assert told or row.jobs or row.final in ("not_run", "failed", "canceled")


@dataclass
class Api:
    """The API of one run that ended `age` seconds ago, by its `Date` header or by the clock of the client."""

    row: Row
    age: float
    has_date: bool
    calls: int = 0
    clock: FakeClock = field(default_factory=FakeClock)
    date: str | None = None
    """The header in place of the true one."""

    def respond(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        # The clock of the client is years behind that of the server.
        start = datetime.fromtimestamp(START, UTC) + timedelta(days=1500 if self.has_date else 0)
        pipeline, workflows, jobs = (dated(part, start - timedelta(seconds=self.age)) for part in self.row.bodies)
        repository = dict.fromkeys(("provider_name", "origin_repository_url", "target_repository_url"), "x")
        listed = [{**pipeline, "vcs": {**repository, "revision": "a" * 40}}]
        bodies: dict[str, Any] = {
            f"/api/v2/project/{SLUG}/pipeline": {"items": listed, "next_page_token": None},
            f"/api/v2/pipeline/{ID}": pipeline,
            f"/api/v2/pipeline/{ID}/workflow": {"items": workflows, "next_page_token": None},
            "/api/v2/workflow/w1/job": {"items": jobs, "next_page_token": None},
            "/api/v2/workflow/w2/job": {"items": [], "next_page_token": None},
        }
        now = start + timedelta(seconds=self.clock.now - 1000)
        headers = {"date": format_datetime(now, usegmt=True)} if self.has_date else {}
        if self.date is not None:
            headers = {"date": self.date}
        return httpx.Response(200, json=bodies[request.url.path], headers=headers)

    def client(self) -> AsyncCircleCI:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.respond))
        with clock_of(self.clock):
            return AsyncCircleCI(TOKEN, base_url="https://circleci.com", deployment="server", http_client=http)


async def by_watch(run: Run) -> RunResult:
    watch = run.watch(timeout=7200)
    async for _ in watch:
        pass
    return watch.result


HELPERS: Final[Mapping[str, Callable[[Run], Awaitable[RunResult]]]] = {
    "result": lambda run: run.result(),
    "wait": lambda run: run.wait(timeout=7200),
    "watch": by_watch,
}


@pytest.mark.parametrize("has_date", [True, False], ids=["date", "no date"])
@pytest.mark.parametrize("row", RUNNABLE, ids=str)
async def test_a_row_by_every_helper_at_the_first_look(row: Row, has_date: bool) -> None:
    # The jobs of a successful workflow are read by `watch` alone.
    hidden = row.workflows == ("success",) and row.pipeline == "created" and row.final == "failed"
    most = 2 + sum(words.split()[-1] != "success" for words in row.workflows)
    for age in SECONDS.values():
        over = row.quiet is not None and age >= row.quiet
        for name, use in HELPERS.items():
            if (not over and name != "result") or (name == "watch" and age < JOBS_WINDOW and "novel" in row.jobs):
                continue
            api = Api(row, age, has_date)
            async with api.client() as circleci:
                result = await use(circleci.runs.attach(ID))
            expected = "success" if hidden and name != "watch" else row.final if over else row.meanwhile
            if row.pipeline == "pending" and age < WORKFLOW_DELAY:
                expected = "pending"  # its workflows are read when it is late
            assert (result.status, result.is_over) == (expected, over), (name, age)
            assert api.clock.slept == []
            assert name == "watch" or api.calls <= most, (name, api.calls)
            if not over or expected == "success":
                assert result.is_success is over
                continue
            with pytest.raises(RunFailedError, match=expected):
                result.raise_for_failure()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("row", RUNNABLE, ids=str)
async def test_a_row_is_waited_for(row: Row) -> None:
    """From 3 seconds after the last change on, until its end or the timeout."""
    for name, use in HELPERS.items():
        if name == "result" or (name == "wait" and row.workflows == ("success",)):
            continue
        api = Api(row, 3, has_date=True)
        async with api.client() as circleci:
            if row.quiet is None:
                with pytest.raises(RunTimeoutError) as caught:
                    await use(circleci.runs.attach(ID))
                assert caught.value.result is not None
                assert (caught.value.result.status, caught.value.result.is_over) == (row.meanwhile, False)
                continue
            result = await use(circleci.runs.attach(ID))
        assert (result.status, result.is_over) == (row.final, True)
        # The workflows of a pending pipeline are seen late.
        most = row.quiet + 90 + (WORKFLOW_DELAY if row.pipeline == "pending" else 0)
        assert row.quiet - LASTED - 5 <= api.clock.now - 1000 <= most


@pytest.mark.parametrize("row", [row for row in RUNNABLE if row.final], ids=str)
async def test_a_row_over_a_socket(server: ScriptedServer, row: Row) -> None:
    """A day after its end, by each helper."""
    api = Api(row, SECONDS["day"], has_date=True)

    def respond(request: Request) -> Response:
        response = api.respond(httpx.Request(request.method, f"{server.url}{request.path}"))
        return reply(json=response.json(), headers={"date": response.headers["date"]})

    server.otherwise(respond)
    async with client_on(server, api.clock) as circleci:
        for name, use in HELPERS.items():
            result = await use(circleci.runs.attach(ID))
            hidden = row.workflows == ("success",) and row.pipeline == "created" and name != "watch"
            assert (result.status, result.is_over) == ("success" if hidden else row.final, True)
    assert api.clock.slept == []


@pytest.mark.parametrize("row", [row for row in RUNNABLE if row.final], ids=str)
async def test_a_row_by_latest_and_find(row: Row) -> None:
    api = Api(row, SECONDS["day"], has_date=True)
    async with api.client() as circleci:
        for run in (await circleci.runs.latest(SLUG), await circleci.runs.find(SLUG, revision="a" * 40)):
            assert run is not None
            assert (await by_watch(run)).status == row.final
    assert api.clock.slept == []


PIPELINES: Final = [*sorted(PIPELINE_STATES), "novel", "created errors", "created unread errors"]
WORKFLOWS: Final = [*sorted(WORKFLOW_STATUSES), "novel", "setup success", "tag unread success", "gone running"]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_combination_is_a_success_with_anything_against_it(pipeline: str) -> None:
    """All combinations with up to two workflows, and up to one job."""
    combinations: list[tuple[str, ...]] = [(), *((one,) for one in WORKFLOWS), *product(WORKFLOWS, WORKFLOWS)]
    for workflows in combinations:
        if workflows.count("setup success") > 1:
            continue
        for job in ("", *sorted(JOB_STATUSES), "novel")[: (0, 99, 4)[len(workflows)] or 1]:
            row = Row(pipeline, workflows, (job,) if job else (), "", None, "")
            state = state_of(row)
            fresh, old = assess(state, idle=0.0), assess(state, idle=SECONDS["year"])
            unfinished = any(words in ALIVE for words in workflows)
            assert old.over == (not unfinished and not is_open(row, old.status)), row
            assert old.over or not fresh.over, row
            if fresh.over:
                assert fresh == old, row
            for found in (fresh, old):
                if found.status == "success":
                    assert found.over, row
                    assert pipeline in ("created", "setup"), row
                    assert "success" in workflows, row
                    assert set(workflows) <= {"success", "setup success", "tag unread success", "not_run"}, row
                    assert job not in JOB_FAILED or workflows[0] not in ("success", "not_run"), row
                    assert objections(state, is_over=True) == (), row
            against = [words for words in workflows if words in WORKFLOW_FAILED or words.startswith("gone")]
            if against or pipeline in ("created errors", "errored"):
                assert old.status in ("failing", "failed", "errored", "canceled", "unauthorized"), row


ALIVE: Final = (WORKFLOW_STATUSES - WORKFLOW_ENDED) | {"novel"}


def is_open(row: Row, status: str) -> bool:
    """Whether an unknown state or unknown errors keep a run open that has not failed."""
    return row.pipeline in ("novel", "created unread errors") and status in ("running", "pending")


def test_times() -> None:
    """The newest time decides; the own clock counts without it, and delays what has just changed."""
    at, day = datetime.fromtimestamp(1000, UTC), 86400.0
    for latest, server, local, news, change, expected in (
        (at, 1500.0, 1500.0, 1.0, None, 500.0),
        (at, 1500.0, 1500.0, 1.0, 2.0, 2.0),
        (at, 1001.0, 1001.0, 1.0, 40.0, 1.0),
        (None, 1500.0, 1500.0, 7.0, None, 7.0),
        (None, 1500.0, 1500.0, 3.0, 3.0, 3.0),
        # The time of the server is before the latest one, or stands still.
        (at, 900.0, 1500.0, 7.0, None, 7.0),
        (at, 900.0, 1500.0, 3.0, 3.0, 3.0),
        (at, 1001.0, 1500.0, 40.0, None, 40.0),
        (at, 1001.0, 1500.0, 40.0, 50.0, 40.0),
        # The time of the server is far ahead of that of this machine, which may be right, or is not.
        (at, 1003 + 2 * day, 1003.0, 1.0, None, 3.0),
        (at, 1003 + 2 * day, 1003.0, 40.0, None, 40.0),
        (at, 1003 + 2 * day, 999.0, 1.0, None, 3 + 2 * day),
        (at, 1003 + day, 1003.0, 1.0, None, 3 + day),
    ):
        found = idle_seconds(latest, server_time=server, local_time=local, since_news=news, since_change=change)
        assert found == expected, (server, local, news, change)


FRESH: Final = [row for row in RUNNABLE if row.quiet and row.pipeline == "created"]


@pytest.mark.parametrize("row", FRESH, ids=str)
@pytest.mark.parametrize(
    "date",
    ["Fri, 01 Jan 2100 00:00:00 GMT", "frozen", "Thu, 01 Jan 1970 00:00:00 GMT", "garbage", ""],
    ids=["future", "frozen", "past", "garbage", "empty"],
)
async def test_a_wrong_date_neither_ends_a_fresh_run_nor_keeps_it(row: Row, date: str) -> None:
    """Its last change was 2 seconds ago."""
    assert row.quiet is not None
    api = Api(row, 2, has_date=False)
    api.date = format_datetime(datetime.fromtimestamp(START, UTC), usegmt=True) if date == "frozen" else date
    async with api.client() as circleci:
        run = circleci.runs.attach(ID)
        first = await run.result()
        assert (first.status, first.is_over) == (row.meanwhile, False)
        result = await run.wait(timeout=7200)
    assert (result.status, result.is_over) == (row.final, True)
    assert row.quiet - LASTED - 5 <= api.clock.now - 1000 <= row.quiet + 90


@pytest.mark.parametrize("date", ["Fri, 01 Jan 2100 00:00:00 GMT", "garbage"], ids=["future", "garbage"])
@pytest.mark.parametrize("row", FRESH, ids=str)
async def test_a_run_that_ended_long_ago_is_over_at_the_first_look_despite_a_wrong_date(row: Row, date: str) -> None:
    api = Api(row, SECONDS["day"], has_date=False, date=date)
    async with api.client() as circleci:
        result = await circleci.runs.attach(ID).result()
    assert (result.status, result.is_over) == (row.final, True)
