"""History: flat records, newest first, whole in spite of faults, in bounded memory; on asyncio and trio."""

from __future__ import annotations

import dataclasses
import gc
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
import httpx
import pytest
from pydantic_core import from_json

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    CallError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    RequestTimeoutError,
)
from circleci_sdk.helpers import Include, JobRecord, JobTestRecord, PipelineRecord, Skipped, WorkflowRecord
from circleci_sdk.helpers.history import content, history
from circleci_sdk.testing import Approval, FakeCircleCI, Job, JobTest, Workflow
from tests.helpers.long_work import COUNT, EACH_FAILURE, EACH_PLACE, Failure, assert_named
from tests.support.clients import MESSAGE, SLUG, TOKEN, client_on
from tests.support.clock import FakeClock, clock_of
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, reply

START = datetime(2026, 6, 1, tzinfo=UTC)


def name_of(number: int, place: int = 0) -> str:
    return f"00000000-0000-4000-{place:04}-{number:012}"


class Past:
    """A project with so many pipelines, each with one workflow of two jobs of three tests: any page, any time.

    `oldest` and newer are there; pages hold `size`. `added` pipelines came since the first page was read, so that pages
    which count from the newest one move on.
    """

    def __init__(self, count: int, *, size: int = 20, tests: int = 3) -> None:
        self.count = count
        self.size = size
        self.tests = tests
        self.added = 0
        self.expired: set[int] = set()
        self.calls: Counter[str] = Counter()

    def response(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        parts = path.removeprefix("/api/v2/").split("/")
        match parts:
            case ["project", _, _, _, "pipeline"]:
                self.calls["pipelines"] += 1
                at = int(query.get("page-token", "0"))
                newest = self.count + self.added - at
                numbers = range(newest, max(0, newest - self.size), -1)
                more = str(at + self.size) if newest > self.size else None
                return 200, {"items": [self.pipeline(number) for number in numbers], "next_page_token": more}
            case ["pipeline", identifier, "workflow"]:
                self.calls["workflows"] += 1
                number = int(identifier[-12:])
                if number in self.expired:
                    return 404, MESSAGE
                return 200, {"items": [self.workflow(number)], "next_page_token": None}
            case ["workflow", identifier, "job"]:
                self.calls["jobs"] += 1
                number = int(identifier[-12:])
                return 200, {"items": [self.job(number, place) for place in (2, 3)], "next_page_token": None}
            case ["project", _, _, _, number, "tests"]:
                self.calls["tests"] += 1
                return 200, {"items": [self.test(place) for place in range(self.tests)], "next_page_token": None}
            case _:
                raise AssertionError(path)

    def response_of(self, number: int) -> dict[str, Any]:
        return self.response(f"/api/v2/pipeline/{name_of(number)}/workflow", {})[1]

    def at(self, number: int) -> datetime:
        return START + timedelta(minutes=number)

    def pipeline(self, number: int) -> dict[str, Any]:
        when = self.at(number).isoformat()
        return {
            "id": name_of(number),
            "errors": [],
            "project_slug": SLUG,
            "number": number,
            "state": "created",
            "created_at": when,
            "trigger": {"type": "webhook", "received_at": when, "actor": {"login": "ada", "avatar_url": None}},
        }

    def workflow(self, number: int) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "id": name_of(number, 1),
            "pipeline_id": name_of(number),
            "name": "build",
            "project_slug": SLUG,
        }
        facts |= {"status": "success", "started_by": name_of(0), "pipeline_number": number}
        times = {"created_at": self.at(number), "stopped_at": self.at(number) + timedelta(seconds=90)}
        return facts | {key: when.isoformat() for key, when in times.items()}

    def job(self, number: int, place: int) -> dict[str, Any]:
        facts = {"id": name_of(number, place), "name": f"job {place}", "project_slug": SLUG, "status": "success"}
        return facts | {"type": "build", "dependencies": [], "job_number": number * 10 + place}

    def test(self, place: int) -> dict[str, Any]:
        facts = {"message": "", "source": "", "run_time": 0.5, "result": "success"}
        return facts | {"name": f"test {place}", "classname": "tests"}

    def on(self, server: ScriptedServer, failure: Callable[[], Response | None] = lambda: None) -> None:
        def handler(request: Request) -> Response:
            bad = failure()
            if bad is not None:
                return bad
            status, body = self.response(request.path, dict(request.query))
            return reply(status, json=body)

        server.otherwise(handler)


EVERYTHING: Final[Collection[Include]] = frozenset({"workflows", "jobs", "tests"})


async def test_records_are_flat_and_in_order(server: ScriptedServer) -> None:
    past = Past(3)
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = [record async for record in circleci.history.records(SLUG, include={"workflows", "jobs", "tests"})]
    kinds = ["pipeline", "workflow", "job", "test", "test", "test", "job", "test", "test", "test"]
    assert [record.kind for record in records] == kinds * 3
    assert [record.pipeline_number for record in records[::10]] == [3, 2, 1]
    pipeline, workflow, job, test = records[:4]
    assert isinstance(pipeline, PipelineRecord)
    assert (pipeline.actor, pipeline.trigger_type, pipeline.branch, pipeline.errors) == ("ada", "webhook", None, "")
    assert isinstance(workflow, WorkflowRecord)
    assert (workflow.workflow_name, workflow.seconds) == ("build", 90.0)
    assert isinstance(job, JobRecord)
    assert (job.job_number, job.workflow_id, job.pipeline_id) == (32, workflow.workflow_id, pipeline.pipeline_id)
    assert isinstance(test, JobTestRecord)
    assert (test.name, test.position, test.job_id, test.seconds) == ("test 0", 0, job.job_id, 0.5)
    for record in records:
        values = record.as_dict()
        assert list(values) == [field.name for field in dataclasses.fields(record)]
        assert all(value is None or type(value) in (str, int, float, datetime) for value in values.values())


@pytest.mark.parametrize(
    ("include", "calls"),
    [
        (set[str](), {"pipelines": 1}),
        ({"workflows"}, {"pipelines": 1, "workflows": 3}),
        ({"jobs"}, {"pipelines": 1, "workflows": 3, "jobs": 3}),
        ({"tests"}, {"pipelines": 1, "workflows": 3, "jobs": 3, "tests": 6}),
    ],
    ids=str,
)
async def test_only_what_is_asked_for_is_read(server: ScriptedServer, include: Any, calls: dict[str, int]) -> None:
    past = Past(3)
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = [record async for record in circleci.history.records(SLUG, include=include)]
    assert past.calls == calls
    assert {record.kind + "s" for record in records} == {"pipelines", *include}


@pytest.mark.parametrize(("hours", "count", "pages"), [(0, 100, 5), (1, 41, 3), (100, 0, 1)])
async def test_it_stops_at_since(server: ScriptedServer, hours: int, count: int, pages: int) -> None:
    past = Past(100)
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, since=START + timedelta(hours=hours), include=())
        assert [one.pipeline_number async for one in records] == list(range(100, 100 - count, -1))
    assert past.calls == {"pipelines": pages}


async def test_what_has_expired_is_skipped_and_counted(server: ScriptedServer) -> None:
    past = Past(30)
    past.expired = {3, 7, 21}
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        seen = Counter([record.kind async for record in records])
    assert seen == {"pipeline": 30, "workflow": 27, "job": 54}
    assert (len(records.skipped), records.expired) == (3, {"workflows": 3})


@pytest.mark.parametrize("stop", [4, 7, 8, 79, 80, 81, 199, 200])
async def test_it_resumes_from_a_cursor(server: ScriptedServer, stop: int) -> None:
    past = Past(50, tests=0)
    past.on(server)
    first: list[Any] = []
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        async for record in records:
            first.append(record)
            if len(first) == stop:
                break
        past.added = 25  # pipelines were started meanwhile: the old pages begin with newer ones now
        rest = [record async for record in circleci.history.records(SLUG, cursor=records.cursor)]
        past.added = 0
        whole = [record async for record in circleci.history.records(SLUG)]
    # What was not complete comes again, nothing is left out, nothing else comes twice.
    complete = stop - stop % 4
    assert first[:complete] + rest == whole


async def test_pipelines_that_are_started_meanwhile_bring_nothing_twice(server: ScriptedServer) -> None:
    past = Past(100)
    past.on(server)
    numbers: list[int] = []
    async with client_on(server, FakeClock()) as circleci:
        async for record in circleci.history.records(SLUG, include=()):
            numbers.append(record.pipeline_number)
            if len(numbers) in (10, 30, 55):
                past.added += 13
    assert numbers == list(range(100, 0, -1))


async def test_the_page_of_an_old_cursor_may_be_gone(server: ScriptedServer) -> None:
    past = Past(100)

    def failure(request: Request) -> Response:
        if dict(request.query).get("page-token") == "40":
            return reply(400, json={"message": "Invalid page token"})
        status, body = past.response(request.path, dict(request.query))
        return reply(status, json=body)

    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include=(), concurrency=5)
        async for record in records:
            if record.pipeline_number == 55:
                break
        assert '"40"' in records.cursor
        server.otherwise(failure)
        past.size = 25
        rest = circleci.history.records(SLUG, include=(), cursor=records.cursor)
        assert [record.pipeline_number async for record in rest] == list(range(54, 0, -1))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"project_slug": "acme/web"}, r"project_slug: .*ProjectSlug\.parse"),
        ({"project_slug": None}, "project_slug: expected str or ProjectSlug, got None"),
        ({"branch": None}, "branch: expected a non-empty str, got None. Leave it out, or pass UNSET, for no filter"),
        ({"since": None}, "since: expected a datetime with a time zone, got None"),
        ({"since": START.replace(tzinfo=None)}, "since: expected a datetime with a time zone, got one without"),
        ({"since": "2026-06-01"}, "since: expected a datetime with a time zone, got str"),
        ({"include": {"steps"}}, "include: expected a collection of workflows, jobs, tests, got 'steps'"),
        ({"include": "jobs"}, "include: expected a collection of workflows, jobs, tests, got str"),
        ({"include": None}, "include: expected a collection of workflows, jobs, tests, got None"),
        ({"concurrency": 0}, "concurrency: expected an int of at least 1, got 0"),
        ({"timeout": -1}, "timeout: expected seconds above 0 or None, got -1"),
        ({"cursor": 7}, "cursor: expected a non-empty str, got 7"),
        ({"cursor": "nonsense"}, r"cursor: expected a value of Records\.cursor"),
        ({"cursor": "[]"}, r"cursor: expected a value of Records\.cursor"),
        ({"cursor": '{"page": 3, "below": "x"}'}, r"cursor: expected a value of Records\.cursor"),
    ],
    ids=str,
)
async def test_invalid_arguments(server: ScriptedServer, arguments: dict[str, Any], says: str) -> None:
    async with client_on(server) as circleci:
        with pytest.raises(InvalidArgumentError, match=rf"^history\.records: {says}"):
            given: dict[str, Any] = {"project_slug": SLUG, **arguments}
            circleci.history.records(**given)
    assert server.requests == []


async def test_a_missing_project_is_an_error(server: ScriptedServer) -> None:
    server.otherwise(reply(404, json=MESSAGE))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(NotFoundError):
            await anext(circleci.history.records(SLUG))


@pytest.mark.parametrize("concurrency", [1, 5])
async def test_no_more_calls_at_once_than_allowed(server: ScriptedServer, concurrency: int) -> None:
    past = Past(20)
    server.otherwise(lambda request: reply(json=past.response(request.path, dict(request.query))[1]).after(0.005))
    async with client_on(server) as circleci:
        records = circleci.history.records(SLUG, include={"tests"}, concurrency=concurrency)
        assert len([record async for record in records]) == 20 * 7
    assert server.max_concurrent == concurrency


async def test_faults_lose_nothing(server: ScriptedServer) -> None:
    """Every call may be refused, fail or be dropped; the records are the same."""
    past, rng = Past(60), random.Random(11)

    def failure() -> Response | None:
        return rng.choice([reply(502), drop(), reply(429, text="Rate limited.")]) if rng.random() < 0.3 else None

    async with client_on(server, FakeClock()) as circleci:
        past.on(server)
        whole = [record async for record in circleci.history.records(SLUG, include={"workflows", "jobs", "tests"})]
        past.on(server, failure)
        records = circleci.history.records(SLUG, include={"workflows", "jobs", "tests"})
        assert [record async for record in records] == whole
    assert records.skipped == ()


async def test_an_error_can_be_gone_on_from(server: ScriptedServer) -> None:
    past = Past(60)
    down = True
    past.on(server)
    path = f"/api/v2/project/{SLUG}/pipeline"

    def pipelines(request: Request) -> Response:
        if down and past.calls["pipelines"] >= 2:
            return reply(503)
        status, body = past.response(path, dict(request.query))
        return reply(status, json=body)

    server.on("GET", path, pipelines)
    seen: list[Any] = []
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        with pytest.raises(CallError) as caught:
            async for record in records:
                seen.append(record)  # noqa: PERF401  # what came before the error counts
        assert caught.value.next == records.cursor
        down = False
        here = [*seen, *[record async for record in records]]
        elsewhere = [*seen, *[one async for one in circleci.history.records(SLUG, cursor=str(caught.value.next))]]
        whole = [record async for record in circleci.history.records(SLUG)]
    assert here == whole
    assert elsewhere == whole


async def test_the_time_runs_out_and_the_loop_is_entered_again(server: ScriptedServer) -> None:
    Past(40).on(server)
    clock = FakeClock()
    seen: list[Any] = []
    async with client_on(server, clock) as circleci:
        records = circleci.history.records(SLUG, timeout=60)
        seen.append(await anext(records))
        clock.now += 61
        with pytest.raises(RequestTimeoutError, match="60 s") as caught:
            async for record in records:
                seen.append(record)  # noqa: PERF401  # what came before the end counts
        assert (caught.value.next, caught.value.retry_stop_reason) == (records.cursor, "deadline")
        seen += [record async for record in records]
        assert seen == [record async for record in circleci.history.records(SLUG)]


async def test_a_call_does_not_outlast_the_time(server: ScriptedServer) -> None:
    server.otherwise(hang())
    async with client_on(server) as circleci:
        with pytest.raises(RequestTimeoutError, match="history"):
            await anext(circleci.history.records(SLUG, timeout=0.1))


async def test_leaving_early_leaves_nothing_behind(server: ScriptedServer) -> None:
    Past(100).on(server)
    async with client_on(server, FakeClock()) as circleci:
        async for _ in circleci.history.records(SLUG):
            break
        calls = len(server.requests)
    await server.disconnected(server.connections)  # whatever was still asked for has arrived
    assert len(server.requests) == calls


async def test_cancellation_can_be_gone_on_from(server: ScriptedServer) -> None:
    past = Past(40)
    latch = server.latch()
    held = True

    def handler(request: Request) -> Response:
        status, body = past.response(request.path, dict(request.query))
        response = reply(status, json=body)
        return response.held_by(latch) if held and past.calls["workflows"] > 20 else response

    server.otherwise(handler)
    seen: list[Any] = []
    async with client_on(server) as circleci:
        records = circleci.history.records(SLUG)
        with anyio.move_on_after(0.2) as scope:
            async for record in records:
                seen.append(record)  # noqa: PERF401  # what came before the end counts
        assert scope.cancelled_caught
        held = False
        latch.open()
        seen += [record async for record in records]
        assert seen == [record async for record in circleci.history.records(SLUG)]


class PastTransport(httpx.AsyncBaseTransport):
    """A past without a socket: 10,000 pipelines are 50,000 calls."""

    def __init__(self, past: Past) -> None:
        self.past = past

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        status, body = self.past.response(request.url.path, dict(request.url.params))
        content = json.dumps(body).encode()
        return httpx.Response(status, headers={"content-type": "application/json"}, content=content)


@pytest.mark.load
@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_ten_thousand_pipelines_in_bounded_memory(anyio_backend: str) -> None:
    """Live blocks of memory, counted by the interpreter after each 500 pipelines, do not grow with what was read."""
    past = Past(10_000)
    # The JSON parser keeps up to 16,384 strings that it has met. Filled before, they are no growth.
    from_json(json.dumps([name_of(number, 9) for number in range(200_000)]))
    with clock_of(FakeClock()):
        circleci = AsyncCircleCI(TOKEN, transport=PastTransport(past), base_url="https://circleci.com")
    blocks: list[int] = []
    count = 0
    async with circleci:
        async for record in circleci.history.records(SLUG, include={"workflows"}):
            count += 1
            if record.kind == "pipeline" and record.pipeline_number % 500 == 0:
                gc.collect()
                blocks.append(sys.getallocatedblocks())
    assert count == 20_000
    assert past.calls == {"pipelines": 500, "workflows": 10_000}
    warm = blocks[3:]  # by then all is imported, and the last 1,000 ids are remembered
    assert max(warm) - min(warm) < 2_000


# ---- on the fake ----


async def test_on_the_fake() -> None:
    fake = FakeCircleCI(page_size=2)
    web = fake.add_project(SLUG)
    web.will_run(
        Workflow("build", Job("test", 60, tests=[JobTest("a"), JobTest("b", failure="no")]), Job("deploy", 5)),
        Workflow("release", Approval("go?")),
    )
    async with fake.client() as circleci:
        for _ in range(5):
            await circleci.runs.start(SLUG, branch="main")
            fake.clock.advance(3600)
        fake.chaos({"503": 0.1, "drop": 0.1, "429": 0.1})
        records = circleci.history.records(
            SLUG, since=fake.clock.now - timedelta(hours=3.5), include={"workflows", "jobs", "tests"}, branch="main"
        )
        seen = [record async for record in records]
    assert Counter(record.kind for record in seen) == {"pipeline": 3, "workflow": 6, "job": 9, "test": 6}
    assert [record.pipeline_number for record in seen if record.kind == "pipeline"] == [5, 4, 3]
    waiting = [record for record in seen if isinstance(record, JobRecord) and record.type == "approval"]
    assert {(record.status, record.job_number) for record in waiting} == {
        ("on_hold", 15),
        ("on_hold", 12),
        ("on_hold", 9),
    }
    assert records.expired == {}  # the tests of an approval are 404, and nothing asks for them


class OddPast(Past):
    """A past whose pipeline 2 lacks some fields."""

    def __init__(self, **odd: Any) -> None:
        super().__init__(3, size=2)
        self.odd = odd

    def pipeline(self, number: int) -> dict[str, Any]:
        whole = super().pipeline(number)
        return {**whole, **self.odd} if number == 2 else whole


async def test_a_pipeline_without_a_number_is_not_lost_by_its_cursor(server: ScriptedServer) -> None:
    past = OddPast(number=None)
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include=set())
        first = [await anext(records), await anext(records)]
        assert [getattr(record, "pipeline_number", "unavailable") for record in first] == [3, "unavailable"]
        # It resumes after the last pipeline whose number is available, so this one comes again.
        again = [record async for record in circleci.history.records(SLUG, include=set(), cursor=records.cursor)]
    assert [record.as_dict()["pipeline_number"] for record in again] == [None, 1]
    assert again[0].pipeline_id == first[1].pipeline_id


async def test_the_content_of_a_pipeline_without_an_id_is_counted(server: ScriptedServer) -> None:
    past = OddPast(id=5, created_at="soon")
    past.on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, since=START, include={"workflows"})
        found = [record async for record in records]
    assert [record.kind for record in found] == ["pipeline", "workflow", "pipeline", "pipeline", "workflow"]
    assert records.expired == {}
    assert [(one.operation, one.id, one.parent) for one in records.skipped] == [
        ("v2.pipelines.list_workflows", "2", None)
    ]
    odd = found[2]
    assert isinstance(odd, PipelineRecord)
    assert (odd.pipeline_number, odd.as_dict()["pipeline_id"], odd.is_complete) == (2, None, False)
    with pytest.raises(FieldUnavailableError, match=r"^v2\.pipelines\.list_for_project: items\.1\.id: expected string"):
        print(odd.pipeline_id)


async def test_a_project_slug_that_is_unavailable_is_that_of_the_history(server: ScriptedServer) -> None:
    class Slugless(Past):
        def job(self, number: int, place: int) -> dict[str, Any]:
            return {**super().job(number, place), "project_slug": None}

    Slugless(1).on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = [record async for record in circleci.history.records(SLUG, include=EVERYTHING)]
    assert [record.kind for record in records].count("test") == 6


@pytest.mark.parametrize(
    "odd",
    [{"message": "Maintenance."}, [], {"items": None}, {"items": [], "next_page_token": 5}],
    ids=["message", "list", "null", "token"],
)
async def test_one_list_that_cannot_be_used_is_counted(server: ScriptedServer, odd: Any) -> None:
    past = Past(2)
    past.on(server)
    server.on("GET", f"/api/v2/workflow/{name_of(2, 1)}/job", reply(json=odd))
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        found = [record async for record in records]
    assert [record.kind for record in found] == ["pipeline", "workflow", "pipeline", "workflow", "job", "job"]
    assert [one.operation for one in records.skipped] == ["v2.workflows.list_jobs"]


async def test_the_items_before_an_unreadable_token_are_kept(server: ScriptedServer) -> None:
    past = Past(1)
    past.on(server)
    status, body = past.response(f"/api/v2/workflow/{name_of(1, 1)}/job", {})
    server.on("GET", f"/api/v2/workflow/{name_of(1, 1)}/job", reply(status, json={**body, "next_page_token": {}}))
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        assert [record.kind async for record in records] == ["pipeline", "workflow", "job", "job"]
    assert [one.operation for one in records.skipped] == ["v2.workflows.list_jobs"]


async def test_the_records_of_a_page_with_an_unreadable_token_are_kept(server: ScriptedServer) -> None:
    past = Past(4, size=2)
    past.on(server)
    path = f"/api/v2/project/{SLUG}/pipeline"
    _, body = past.response(path, {})
    server.script([reply(json={**body, "next_page_token": 5})])
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include=set())
        found = [await anext(records), await anext(records)]
        with pytest.raises(PaginationError) as caught:
            await anext(records)
        assert caught.value.next == records.cursor
        found += [record async for record in records]
    assert [record.pipeline_number for record in found] == [4, 3, 2, 1]


# ---- a list that cannot be read ----


class Scattered(Past):
    """As many pipelines as the work has places, newest first, and one approval with a number in each."""

    def __init__(self) -> None:
        super().__init__(COUNT, size=2)

    def job(self, number: int, place: int) -> dict[str, Any]:
        more = {"type": "approval", "approval_request_id": name_of(number, 9)} if place == 3 else {}
        return {**super().job(number, place), "started_at": None, "stopped_at": None, **more}

    def test(self, place: int) -> dict[str, Any]:
        return {**super().test(place), "file": None}


async def read_all(records: Any) -> list[tuple[str, int]]:
    return [(record.kind, record.pipeline_number) async for record in records]


@ON_ASYNCIO
@EACH_FAILURE
@EACH_PLACE
@pytest.mark.parametrize("kind", ["workflows", "jobs", "tests"])
async def test_a_list_that_cannot_be_read_is_named(
    server: ScriptedServer, kind: str, failure: Failure, place: int
) -> None:
    past = Scattered()
    past.on(server)
    number = COUNT - place
    operation, path, item = {
        "workflows": ("v2.pipelines.list_workflows", f"pipeline/{name_of(number)}/workflow", name_of(number)),
        "jobs": ("v2.workflows.list_jobs", f"workflow/{name_of(number, 1)}/job", name_of(number, 1)),
        "tests": ("v2.jobs.list_tests", f"project/{SLUG}/{number * 10 + 2}/tests", f"{SLUG}/{number * 10 + 2}"),
    }[kind]
    server.on("GET", f"/api/v2/{path}", failure.response)
    lost = {"workflows": ["workflow", "job", "job", *["test"] * 3], "jobs": ["job", "job", *["test"] * 3]}
    async with client_on(server, FakeClock(), strict=failure.strict) as circleci:
        records = circleci.history.records(SLUG, include=EVERYTHING)
        found = await read_all(records)
        left = Counter((kind, other) for other in range(1, COUNT + 1) for kind in WHOLE)
        left.subtract((one, number) for one in lost.get(kind, ["test"] * 3))
        assert Counter(found) == +left
        assert_named(records.skipped, operation, item, failure)
        assert records.expired == ({kind: 1} if failure.error is NotFoundError else {})
        assert json.loads(records.cursor)["below"] == 1
        # Asked again, while it cannot be read and afterwards.
        server.on("GET", f"/api/v2/pipeline/{name_of(number)}", reply(json=past.pipeline(number)))
        again = circleci.history.retry(SLUG, records.skipped, include=EVERYTHING)
        assert Counter(await read_all(again)) == Counter(one for one in found if one[1] == number)
        assert_named(again.skipped, operation, item, failure)
        status, body = past.response(f"/api/v2/{path}", {})
        server.on("GET", f"/api/v2/{path}", reply(status, json=body))
        again = circleci.history.retry(SLUG, again.skipped, include=EVERYTHING)
        assert await read_all(again) == [(kind, number) for kind in WHOLE]
        assert again.skipped == ()
    assert not any(request.path.endswith("3/tests") for request in server.requests)  # approvals ran nothing


WHOLE = ["pipeline", "workflow", "job", *["test"] * 3, "job"]
"""The kinds of the records of one pipeline."""


async def test_three_refusals_in_a_row_end_the_loop_and_a_new_one_resumes(server: ScriptedServer) -> None:
    past = Past(6)
    past.on(server)
    for number in (4, 3, 2):
        server.on("GET", f"/api/v2/pipeline/{name_of(number)}/workflow", reply(401, json=MESSAGE))
    seen: list[int] = []
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include={"workflows"}, concurrency=1)
        with pytest.raises(AuthenticationError) as caught:
            async for record in records:
                seen.append(record.pipeline_number)  # noqa: PERF401  # what came before the error counts
        assert seen == [6, 6, 5, 5, 4, 3]
        assert caught.value.next == records.cursor
        past.on(server)
        server.on("GET", f"/api/v2/pipeline/{name_of(2)}/workflow", reply(json=past.response_of(2)))
        seen += [record.pipeline_number async for record in records]
    assert seen == [6, 6, 5, 5, 4, 3, 2, 2, 1, 1]
    assert [one.id for one in records.skipped] == [name_of(4), name_of(3)]


async def test_what_has_no_pipeline_cannot_be_asked_again(server: ScriptedServer) -> None:
    OddPast(id=None).on(server)
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG)
        await read_all(records)
        again = circleci.history.retry(SLUG, records.skipped)
        assert await read_all(again) == []
        assert again.skipped == records.skipped != ()
        server.on("GET", f"/api/v2/pipeline/{name_of(9)}", reply(404, json=MESSAGE))
        gone = Skipped("v2.pipelines.list_workflows", name_of(9), NotFoundError.__new__(NotFoundError), name_of(9))
        again = circleci.history.retry(SLUG, [gone])
        assert await read_all(again) == []
        assert [(one.operation, one.id, one.parent) for one in again.skipped] == [
            ("v2.pipelines.get", name_of(9), name_of(9))
        ]
        with pytest.raises(InvalidArgumentError, match=r"^history\.retry: skipped: expected Records\.skipped, got "):
            circleci.history.retry(SLUG, ["x"])  # type: ignore[list-item]  # meant to be wrong


async def test_thousands_of_expired_lists_are_counted_and_the_first_ones_named(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside them what can be asked again is still named."""
    monkeypatch.setattr(history, "MAX_EXPIRED", 4)
    past = Past(30)
    past.expired = set(range(4, 31))
    past.on(server)
    server.on("GET", f"/api/v2/pipeline/{name_of(3)}/workflow", reply(403, json=MESSAGE))
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include={"workflows"}, concurrency=1)
        found = await read_all(records)
    assert records.expired == {"workflows": 27}
    assert sorted(one.id for one in records.skipped) == [name_of(number) for number in (3, 27, 28, 29, 30)]
    assert sum(kind == "workflow" for kind, _ in found) == 2


async def test_a_page_of_pipelines_between_refusals(server: ScriptedServer) -> None:
    """The token is good: it is no third refusal in a row."""
    past = Past(30, size=2)
    past.on(server)
    refused = (24, 23, 22)  # of the second batch two, of the third one: before it pages are read ahead
    for number in refused:
        server.on("GET", f"/api/v2/pipeline/{name_of(number)}/workflow", reply(401, json=MESSAGE))
    async with client_on(server, FakeClock()) as circleci:
        records = circleci.history.records(SLUG, include={"workflows"}, concurrency=1)
        await read_all(records)
    assert [one.id for one in records.skipped] == [name_of(number) for number in refused]


async def test_lists_that_fail_for_hours_do_not_take_hours_each(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes less than half a minute; after some minutes of failures in a row, none is read again and again."""
    monkeypatch.setattr(content, "ROUNDS", 1)  # one pipeline at a time, so that each time is that of one list
    past = Past(200)
    past.on(server)
    failing = [number for number in range(1, 201) if number not in (60, 61)]
    for number in failing:
        server.on("GET", f"/api/v2/pipeline/{name_of(number)}/workflow", reply(500, json=MESSAGE))
    clock = FakeClock(chance=1.0)
    seconds: list[float] = []
    async with client_on(server, clock) as circleci:
        records = circleci.history.records(SLUG, include={"workflows"}, concurrency=1)
        before = clock.now
        async for record in records:
            if record.kind == "pipeline":
                seconds.append(clock.now - before)
                before = clock.now
    assert len(records.skipped) == len(failing)
    assert max(seconds) < 30
    assert sum(seconds[:50]) < 300 + 50 * 2  # then only the retries of a single call
    assert seconds[100] < 2 < 10 < seconds[145]  # repeated again after a list that was read
