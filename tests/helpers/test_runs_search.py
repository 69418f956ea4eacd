"""Searches for runs: the same runs by v3 and by v2, newest first; on asyncio and trio."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import InvalidArgumentError, NotFoundError
from circleci_sdk.helpers import FoundRun, RunSearch
from circleci_sdk.helpers.runs.search_query import RunQuery
from circleci_sdk.helpers.runs.search_v3 import status_of
from circleci_sdk.testing import FakeCircleCI, Job, Workflow

PROJECTS = ["gh/acme/web", "gh/acme/api"]
EACH_API = pytest.mark.parametrize("server", [False, True], ids=["cloud", "server"])


def two_projects(*, server: bool = False, count: int = 30) -> FakeCircleCI:
    """Runs of two projects, alternating, a minute apart; every third is on the branch `fix` and fails."""
    fake = FakeCircleCI(server=server)
    projects = [fake.add_project(slug) for slug in PROJECTS]
    for number in range(count):
        is_fix = number % 3 == 0
        job = Job("test", 10, outcome="failed" if is_fix else "success")
        projects[number % 2].push(Workflow("build", job), branch="fix" if is_fix else "main")
        fake.clock.advance(60)
    return fake


async def found(search: RunSearch) -> list[FoundRun]:
    return [run async for run in search]


@EACH_API
async def test_runs_of_several_projects_newest_first(server: bool) -> None:
    fake = two_projects(server=server, count=50)
    async with fake.client() as circleci:
        search = circleci.runs.search(PROJECTS)
        runs = await found(search)
        assert search.api == ("v2" if server else "v3")
        assert len(runs) == 50
        assert [run.project_slug for run in runs[:2]] == ["gh/acme/api", "gh/acme/web"]
        assert [run.created_at for run in runs] == sorted((run.created_at for run in runs), reverse=True)
        assert {run.api for run in runs} == {search.api}
        assert bool(fake.requests.of("v3.runs.search")) == (not server)
        fix = await found(circleci.runs.search(PROJECTS, branch="fix"))
        assert [run.id for run in fix] == [run.id for run in runs if run.branch == "fix"]
        one = runs[7]
        assert one.revision is not None
        assert [run.id for run in await found(circleci.runs.search(PROJECTS, revision=one.revision))] == [one.id]
        since, until = runs[20].created_at, runs[10].created_at
        some = await found(circleci.runs.search(PROJECTS, since=since, until=until))
        assert [run.id for run in some] == [run.id for run in runs[10:21]]
        result = await circleci.runs.attach(one.id).result()
        assert result.is_success == (one.branch == "main")


async def test_a_status_is_searched_by_v3_alone() -> None:
    async with two_projects().client() as circleci:
        failed = await found(circleci.runs.search(PROJECTS, status="failed"))
        assert len(failed) == 10
        assert {(run.status, run.branch) for run in failed} == {("failed", "fix")}
    async with two_projects(server=True).client() as circleci:
        search = circleci.runs.search(PROJECTS, status="failed")
        with pytest.raises(InvalidArgumentError, match=r"runs\.search: status: only API v3 .*a Server has no v3"):
            await found(search)


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("operation", ["v3.projects.list", "v3.runs.search"])
async def test_where_v3_refuses_v2_searches(operation: str, status: int) -> None:
    fake = two_projects()
    async with fake.client() as circleci:
        expected = [run.id for run in await found(circleci.runs.search(PROJECTS))]
        fake.fail_next(operation, status=status)
        search = circleci.runs.search(PROJECTS)
        assert [run.id for run in await found(search)] == expected
        assert search.api == "v2"


async def test_transient_errors_repeat_no_run() -> None:
    fake = two_projects(count=60)
    async with fake.client(max_retries=0) as circleci:
        search = circleci.runs.search(PROJECTS)
        runs = [await anext(search)]
        for _ in range(2):
            fake.fail_next("v3.runs.search", status=503)
        runs += await found(search)
    assert len({run.id for run in runs}) == len(runs) == 60


@EACH_API
async def test_a_project_that_does_not_exist(server: bool) -> None:
    async with two_projects(server=server).client() as circleci:
        with pytest.raises(NotFoundError):
            await found(circleci.runs.search(["gh/acme/missing"]))


@pytest.mark.parametrize(
    ("projects", "arguments", "place"),
    [
        ([], {}, "project_slugs: expected at least one project"),
        ("gh/acme/web", {}, "project_slugs: expected a list"),
        (["web"], {}, "project_slugs"),
        (PROJECTS, {"branch": ""}, "branch"),
        (PROJECTS, {"branch": None}, "branch"),
        (PROJECTS, {"revision": "1234567"}, "revision: expected the 40 digits"),
        (PROJECTS, {"status": "succeeded"}, "status"),
        (PROJECTS, {"since": datetime.fromisoformat("2026-01-01")}, "since"),
        (PROJECTS, {"until": "now"}, "until"),
    ],
)
async def test_wrong_arguments_are_refused_at_once(projects: Any, arguments: dict[str, Any], place: str) -> None:
    async with FakeCircleCI().client() as circleci:
        with pytest.raises(InvalidArgumentError, match=rf"^runs\.search: {place}"):
            circleci.runs.search(projects, **arguments)


@EACH_API
async def test_the_run_of_a_commit(server: bool) -> None:
    fake = two_projects(server=server)
    async with fake.client() as circleci:
        wanted = (await found(circleci.runs.search(PROJECTS[:1])))[3]
        assert wanted.revision is not None
        before = len(fake.requests)
        run = await circleci.runs.find("gh/acme/web", revision=wanted.revision.upper())
        assert run is not None
        assert (run.id, run.project_slug) == (wanted.id, "gh/acme/web")
        made = [request.operation for request in fake.requests[before:]]
        assert made == (["v2.pipelines.list_for_project"] if server else ["v3.projects.list", "v3.runs.search"])
        short = await circleci.runs.find("gh/acme/web", revision=wanted.revision[:7])
        assert short is not None
        assert short.id == wanted.id
        assert await circleci.runs.find("gh/acme/web", revision="0" * 40) is None
        other = "fix" if wanted.branch == "main" else "main"
        assert await circleci.runs.find("gh/acme/web", revision=wanted.revision, branch=other) is None


async def test_a_commit_that_a_search_does_not_know_yet_is_found_by_the_list() -> None:
    fake = two_projects()
    async with fake.client() as circleci:
        wanted = (await found(circleci.runs.search(PROJECTS[:1])))[0]
        assert wanted.revision is not None
        fake.fail_next("v3.runs.search", body={"data": None, "page": {}}, status=200)
        run = await circleci.runs.find("gh/acme/web", revision=wanted.revision)
        assert run is not None
        assert run.id == wanted.id


@given(branch=st.text(min_size=1))
def test_text_in_a_filter_is_quoted(branch: str) -> None:
    expression = RunQuery(("gh/acme/web",), branch=branch, status="failed").expression
    name, _, rest = expression.partition(" == ")
    assert name == "pipeline.git.branch"
    read, at = "", 1
    while rest[at] != '"':
        at += rest[at] == "\\"
        read += rest[at]
        at += 1
    assert read == branch
    assert rest[0] == '"'
    assert rest[at + 1 :] == ' and pipeline.status == "failed"'


def test_an_empty_filter_is_everything() -> None:
    query = RunQuery(("gh/acme/web",))
    assert query.expression == ""
    assert query.window(0) == (datetime(1970, 1, 1, tzinfo=UTC) - timedelta(days=90), datetime(1970, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("phase", "outcome", "status"),
    [
        ("ended", "succeeded", "success"),
        ("ended", "failed", "failed"),
        ("ended", "canceled", "canceled"),
        ("ended", "errored", "error"),
        ("ended", "not_run", "not_run"),
        ("ended", "unauthorized", "unauthorized"),
        ("ended", "new", None),
        ("ended", None, None),
        ("started", "failed", "failing"),
        ("started", None, "running"),
        ("started", "succeeded", "running"),
        ("queued", None, "queued"),
        ("created", None, None),
        ("new", None, None),
    ],
)
def test_status_by_phase_and_outcome(phase: str, outcome: str | None, status: str | None) -> None:
    assert status_of(phase, outcome) == status
