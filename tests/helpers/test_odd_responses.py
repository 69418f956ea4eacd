"""Helpers with a response of which one value is missing or odd: none ends for a field that it does not use."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import pytest

from circleci_sdk import (
    AsyncCircleCI,
    CircleCIError,
    DecodeError,
    FieldUnavailableError,
    PaginationError,
    RunTimeoutError,
)
from circleci_sdk.helpers import JobExplanation, LatestArtifacts, PipelineRecord, RunEvent, RunResult, StepLog
from tests.support.clients import ID, SLUG
from tests.support.mutations import Mutation, Place, mutations, sample
from tests.support.odd_site import Site

ALL: Final = "EXPLORE_MUTATIONS" in os.environ
T = TypeVar("T")
SAMPLE: Final = 24
"""Mutations of each response; set the variable for all of them."""


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def at(minute: int, second: int = 0) -> str:
    return f"2026-06-01T12:{minute:02}:{second:02}Z"


PIPELINE: Final[dict[str, Any]] = {
    "id": ID,
    "errors": [{"type": "config", "message": "A warning."}],
    "project_slug": SLUG,
    "updated_at": at(1),
    "number": 7,
    "trigger_parameters": None,
    "state": "created",
    "created_at": at(0),
    "trigger": {"type": "webhook", "received_at": at(0), "actor": {"login": "ada", "avatar_url": None}},
    "vcs": {
        "provider_name": "GitHub",
        "target_repository_url": "https://github.com/acme/web",
        "origin_repository_url": "https://github.com/acme/web",
        "branch": "main",
        "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
        "commit": {"subject": "A change", "body": ""},
    },
}


def workflow(number: int, status: str, name: str) -> dict[str, Any]:
    return {
        "pipeline_id": ID,
        "canceled_by": uuid(900),
        "id": uuid(number),
        "name": name,
        "project_slug": SLUG,
        "tag": None,
        "status": status,
        "started_by": uuid(900),
        "pipeline_number": 7,
        "created_at": at(number),
        "stopped_at": at(number, 59),
        "max_auto_reruns": 0,
        "auto_rerun_number": None,
    }


def job(number: int, status: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "dependencies": [uuid(100)],
        "job_number": number,
        "id": uuid(100 + number),
        "started_at": at(2),
        "stopped_at": at(2, 30),
        "name": name,
        "project_slug": SLUG,
        "status": status,
        "type": "build",
        **more,
    }


def test_result(name: str, result: str) -> dict[str, Any]:
    about = {"message": "boom", "source": "pytest", "run_time": 0.5, "file": "t.py"}
    return {**about, "result": result, "name": name, "classname": "tests"}


test_result.__test__ = False  # type: ignore[attr-defined]  # no test


def step(number: int, status: str) -> dict[str, Any]:
    action = {
        "index": 0,
        "step": number,
        "name": f"step {number}",
        "status": status,
        "type": "test",
        "failed": status == "failed" or None,
        "exit_code": 1,
        "bash_command": "make",
        "start_time": at(2),
        "run_time_millis": 1500,
        "output_url": f"https://circleci.com/output/{number}",
        "timedout": None,
        "infrastructure_fail": None,
        "background": False,
    }
    return {"name": f"step {number}", "actions": [action]}


BUILD: Final[dict[str, Any]] = {
    "build_num": 1,
    "build_url": "https://circleci.com/gh/acme/web/1",
    "lifecycle": "finished",
    "reponame": "web",
    "status": "failed",
    "username": "acme",
    "vcs_revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
    "vcs_url": "https://github.com/acme/web",
    "why": "github",
    "steps": [
        step(0, "success") | {"actions": [step(0, "success")["actions"][0] | {"exit_code": 0}]},
        step(1, "failed"),
    ],
}
FLAKY: Final[dict[str, Any]] = {
    "flaky_tests": [
        {
            "time_wasted": 1,
            "workflow_created_at": at(0),
            "workflow_id": uuid(1),
            "classname": "tests",
            "pipeline_number": 7,
            "workflow_name": "build",
            "test_name": "one",
            "job_name": "test",
            "job_number": 1,
            "times_flaked": 2,
            "source": "pytest",
            "file": "t.py",
        }
    ],
    "total_flaky_tests": 1,
}


def listed(*items: dict[str, Any]) -> dict[str, Any]:
    return {"items": list(items), "next_page_token": None}


PIPELINES_AT: Final = f"/api/v2/project/{SLUG}/pipeline"
PIPELINE_AT: Final = f"/api/v2/pipeline/{ID}"
WORKFLOWS_AT: Final = f"{PIPELINE_AT}/workflow"
BUILD_AT: Final = "/api/v1.1/project/github/acme/web/1"
TESTS_AT: Final = f"/api/v2/project/{SLUG}/1/tests"
FLAKY_AT: Final = f"/api/v2/insights/{SLUG}/flaky-tests"


def jobs_at(number: int) -> str:
    return f"/api/v2/workflow/{uuid(number)}/job"


def artifacts_at(number: int) -> str:
    return f"/api/v2/project/{SLUG}/{number}/artifacts"


APPROVAL: Final = {"type": "approval", "job_number": None, "approval_request_id": uuid(300)}
FAILED: Final = Site(
    {
        PIPELINES_AT: listed(PIPELINE),
        PIPELINE_AT: PIPELINE,
        WORKFLOWS_AT: listed(workflow(1, "success", "lint"), workflow(2, "failed", "build")),
        jobs_at(1): listed(job(3, "success", "lint")),
        jobs_at(2): listed(
            job(1, "failed", "test"), job(2, "success", "compile"), job(4, "success", "go?", **APPROVAL)
        ),
        artifacts_at(3): listed({"path": "a.txt", "node_index": 0, "url": "https://circleci.com/a.txt"}),
        TESTS_AT: listed(test_result("one", "failure"), test_result("two", "success")),
        f"/api/v2/project/{SLUG}/2/tests": listed(),
        f"/api/v2/project/{SLUG}/3/tests": listed(),
        FLAKY_AT: FLAKY,
        BUILD_AT: BUILD,
        "/output/0": [{"message": "fine\n", "type": "out"}],
        "/output/1": [{"message": "boom\n", "type": "out"}],
    }
)
SUCCEEDED: Final = Site(
    {
        **FAILED.bodies,
        PIPELINE_AT: {**PIPELINE, "errors": []},
        WORKFLOWS_AT: listed(workflow(1, "success", "lint"), workflow(2, "success", "build")),
    }
)
IDENTITY: Final = ("items", "*", "id")
LIST: Final = {("items",), ("next_page_token",)}
"""What any list needs: its items, and the way to the next page."""


def general(place: Place) -> Place:
    return tuple("*" if isinstance(part, int) else part for part in place)


def changes(site: Site, *paths: str) -> Iterator[tuple[str, Mutation, Site]]:
    """Mutations of the responses of these paths, each with the site that has it."""
    for path in paths:
        body = site.bodies[path]
        for mutation in mutations(body) if ALL else sample(body, SAMPLE, path):
            yield path, mutation, site.changed(path, mutation)


def is_used(mutation: Mutation, *places: Place) -> bool:
    """Whether the mutation is one of a list's own, of one of these places, or of an item with all its fields."""
    place = general(mutation.place)
    return place in LIST or place == ("items", "*") or place in places


def look_at(value: Any) -> None:
    """What users and tools do with results."""
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.copy(value) == value
    assert hash(value) == hash(copy.copy(value))
    assert repr(value)


async def attempt(work: Awaitable[T]) -> tuple[T | None, CircleCIError | None]:
    """The result, or the error. Any error of another kind fails the test."""
    try:
        return await work, None
    except CircleCIError as error:
        return None, error


ENDING: Final = (DecodeError, FieldUnavailableError, PaginationError)
"""What ends a helper for a field that it needs, and no other."""

# ---- runs ----


async def wait(site: Site) -> RunResult:
    async with site.client() as circleci:
        return await circleci.runs.attach(ID).wait()


async def test_wait_ends_with_the_same_status() -> None:
    base = await wait(FAILED)
    assert (base.status, len(base.failed_jobs)) == ("failed", 1)
    for path, mutation, site in changes(FAILED, PIPELINE_AT, WORKFLOWS_AT, jobs_at(2)):
        place, what = general(mutation.place), f"{path}: {mutation}"
        of_status = path == WORKFLOWS_AT and place == ("items", "*", "status")
        result, error = await attempt(wait(site))
        if isinstance(error, RunTimeoutError):
            assert of_status, what
            result = error.result
        elif error is not None:
            assert isinstance(error, ENDING), what
            assert path != PIPELINE_AT, what
            assert is_used(mutation, *([IDENTITY] if path == WORKFLOWS_AT else [])), what
            continue
        assert result is not None
        assert result.is_over or of_status, what
        assert not result.is_success, what
        assert result.status == "failed" or of_status or (path, place) == (WORKFLOWS_AT, ("items",)), what
        assert result.describe()
        for part in (*result.workflows, *result.jobs):
            look_at(part)


async def test_nothing_unavailable_makes_a_success() -> None:
    assert (await wait(SUCCEEDED)).is_success
    for path, mutation, site in changes(SUCCEEDED, PIPELINE_AT, WORKFLOWS_AT):
        place, what = general(mutation.place), f"{path}: {mutation}"
        of_status = place == ("items", "*", "status") or (path == PIPELINE_AT and place in {("state",), ("errors",)})
        result, error = await attempt(wait(site))
        if isinstance(error, RunTimeoutError):
            assert of_status, what
            assert error.result is not None
            assert not error.result.is_success, what
        elif error is not None:
            assert isinstance(error, ENDING), what
            assert path == WORKFLOWS_AT, what
            assert is_used(mutation, IDENTITY), what
        else:
            assert result is not None
            # A pipeline without the field has no errors.
            assert not of_status or place == ("errors",), what
            # A list may be empty, and its items have other ids.
            assert result.is_success or is_used(mutation), f"{what}: {result.describe()}"


async def test_watch_reports_every_part() -> None:
    async def watch(site: Site) -> list[RunEvent]:
        async with site.client() as circleci:
            return [event async for event in circleci.runs.attach(ID).watch()]

    base = await watch(FAILED)
    assert len(base) == 7
    for path, mutation, site in changes(FAILED, PIPELINE_AT, WORKFLOWS_AT, jobs_at(2)):
        place, what = general(mutation.place), f"{path}: {mutation}"
        events, error = await attempt(watch(site))
        if isinstance(error, RunTimeoutError):
            assert path == WORKFLOWS_AT, what
            assert place == ("items", "*", "status"), what
        elif error is not None:
            assert isinstance(error, ENDING), what
            assert path != PIPELINE_AT, what
            assert is_used(mutation, IDENTITY), what
        else:
            assert events is not None
            other = is_used(mutation, IDENTITY, ("items", "*", "type"), ("items", "*", "created_at"))
            assert other or [type(event) for event in events] == [type(event) for event in base], what
            for event in events:
                assert isinstance(event.status, str)
                look_at(event)


async def test_a_failed_run_is_explained() -> None:
    async def markdown(site: Site) -> str:
        async with site.client() as circleci:
            explanation = await circleci.runs.explain(await circleci.runs.attach(ID).result())
            look_at(explanation.jobs)
            return explanation.markdown()

    base = await markdown(FAILED)
    assert "boom" in base
    assert "known to be flaky" in base
    for path, mutation, site in changes(FAILED, jobs_at(2), TESTS_AT, FLAKY_AT, BUILD_AT):
        text, error = await attempt(markdown(site))
        if error is not None:
            assert path == jobs_at(2), f"{path}: {mutation}"
            assert is_used(mutation), f"{path}: {mutation}"
        else:
            assert str(text).startswith("## [Run 7 of gh/acme/web]"), f"{path}: {mutation}"


async def explained(**bodies: Any) -> JobExplanation:
    """The explanation of the one failed job, with other bodies for some paths."""
    paths = {"jobs": jobs_at(2), "tests": TESTS_AT, "flaky": FLAKY_AT}
    site = Site({**FAILED.bodies, **{paths[name]: body for name, body in bodies.items()}})
    async with site.client() as circleci:
        explanation = await circleci.runs.explain(await circleci.runs.attach(ID).result())
        assert explanation.markdown()
        (only,) = explanation.jobs
        return only


async def test_a_test_without_a_result_is_not_known_to_have_passed() -> None:
    job_explanation = await explained(tests=listed({**test_result("one", "failure"), "result": None, "name": 5}))
    (test,) = job_explanation.tests
    assert (hasattr(test, "name"), test.classname, test.times_flaked) == (False, "tests", None)


@pytest.mark.parametrize("status", [None, "a-word-of-2027"])
async def test_a_job_with_an_odd_status_may_have_failed(status: str | None) -> None:
    tests, one = listed(test_result("one", "failure")), job(1, "failed", "test")
    for other, flaky_only in (
        (job(2, "success", "compile"), True),
        ({**job(2, "", "compile"), "status": status}, False),
    ):
        site = Site({**FAILED.bodies, TESTS_AT: tests, jobs_at(2): listed(one, other)})
        async with site.client() as circleci:
            explanation = await circleci.runs.explain(await circleci.runs.attach(ID).result())
        assert explanation.flaky_only is flaky_only
        assert any("build/compile" in problem for problem in explanation.problems) is not flaky_only


async def test_an_unnamed_flaky_test_may_be_any() -> None:
    tests = listed(test_result("one", "failure"), test_result("three", "failure"))
    assert [test.times_flaked for test in (await explained(tests=tests)).tests] == [2, 0]
    flaky = {**FLAKY, "flaky_tests": [*FLAKY["flaky_tests"], {"test_name": None}]}
    assert [test.times_flaked for test in (await explained(tests=tests, flaky=flaky)).tests] == [2, None]


async def test_a_failed_job_without_a_number_says_so() -> None:
    only = await explained(jobs=listed({**job(1, "failed", "test"), "job_number": "one"}))
    assert only.problems == ("no logs and no test results: the number of the job is unavailable",)
    assert not only.logs


async def test_a_job_without_a_project_is_read_in_that_of_the_run() -> None:
    only = await explained(jobs=listed({**job(1, "failed", "test"), "project_slug": None, "id": None}))
    assert [log.text for log in only.logs] == ["boom\n"]
    assert len(only.tests) == 1


# ---- the other helpers ----


async def test_history_loses_no_record() -> None:
    async def read(site: Site) -> tuple[list[dict[str, Any]], int]:
        async with site.client() as circleci:
            records = circleci.history.records(
                SLUG, since=datetime(2026, 1, 1, tzinfo=UTC), include={"workflows", "jobs", "tests"}
            )
            found = [record async for record in records]
            for record in found:
                look_at(record)
            return [{"kind": record.kind, **record.as_dict()} for record in found], len(records.skipped)

    base, skipped = await read(FAILED)
    assert (len(base), skipped) == (9, 0)
    for path, mutation, site in changes(FAILED, PIPELINES_AT, WORKFLOWS_AT, jobs_at(2), TESTS_AT):
        found, error = await attempt(read(site))
        if error is not None:
            assert path == PIPELINES_AT, f"{path}: {mutation}"
            assert general(mutation.place) in LIST, f"{path}: {mutation}"
            continue
        assert found is not None
        records, skipped = found
        # An empty object is a job without a number, so one that never ran; another time may be before `since`.
        fewer = general(mutation.place)[-1] in {"job_number", "created_at", "*"}
        assert len(records) == len(base) or skipped or fewer, f"{path}: {mutation}"
        if len(records) == len(base) and not fewer:
            changed = {
                name for one, other in zip(records, base, strict=True) for name in one if one[name] != other[name]
            }
            # `vcs` is four fields of a record, and a time is a part of `seconds` too.
            assert len(changed) <= 4, f"{path}: {mutation}: {changed}"


@pytest.mark.parametrize(
    ("actor", "is_known"),
    [({}, True), ({"actor": None}, True), ({"actor": 5}, False), ({"actor": {"login": 5}}, False)],
    ids=repr,
)
async def test_an_actor_is_none_only_if_there_is_none(actor: dict[str, Any], is_known: bool) -> None:
    trigger = {"type": "webhook", "received_at": at(0), **actor}
    site = Site({**FAILED.bodies, PIPELINES_AT: listed({**PIPELINE, "trigger": trigger})})
    async with site.client() as circleci:
        records = circleci.history.records(SLUG, since=datetime(2026, 1, 1, tzinfo=UTC), include=())
        (record,) = [one async for one in records]
    assert isinstance(record, PipelineRecord)
    assert (getattr(record, "actor", "unreadable"), record.is_complete) == (
        None if is_known else "unreadable",
        is_known,
    )
    assert record.as_dict()["actor"] is None


CONTEXTS_AT: Final = "/api/v2/context"
VARIABLES_AT: Final = f"{CONTEXTS_AT}/{uuid(400)}/environment-variable"
FOLLOWED_AT: Final = "/api/v1.1/projects"
ENVVARS_AT: Final = f"/api/v2/project/{SLUG}/envvar"
VARIABLE: Final = {"variable": "KEY", "created_at": at(0), "updated_at": at(1), "context_id": uuid(400)}
FOLLOWED: Final = {
    "reponame": "web",
    "username": "acme",
    "vcs_type": "github",
    "vcs_url": "https://github.com/acme/web",
    "branches": {"main": {"pusher_logins": ["ada"], "recent_builds": [{"build_num": 1, "added_at": at(0)}]}},
    "following": True,
}
ORGANIZATION: Final = Site(
    {
        **FAILED.bodies,
        PIPELINES_AT: listed(PIPELINE, {**PIPELINE, "id": uuid(500), "number": 6}),
        f"/api/v2/pipeline/{uuid(500)}/workflow": listed(workflow(1, "running", "lint")),
        CONTEXTS_AT: listed({"id": uuid(400), "name": "deploy", "created_at": at(0)}),
        VARIABLES_AT: listed(VARIABLE),
        FOLLOWED_AT: [FOLLOWED],
        ENVVARS_AT: listed({"name": "KEY", "value": "xxxx1234", "created_at": at(0)}),
    }
)
REVISION: Final = PIPELINE["vcs"]["revision"]
READS: Final[dict[str, tuple[Callable[[AsyncCircleCI], Awaitable[Any]], tuple[str, ...], set[Place]]]] = {
    "runs.latest": (lambda one: one.runs.latest(SLUG), (PIPELINES_AT,), {IDENTITY}),
    "runs.find": (lambda one: one.runs.find(SLUG, revision=REVISION), (PIPELINES_AT,), {IDENTITY}),
    "run.result": (lambda one: one.runs.attach(ID).result(), (PIPELINE_AT, WORKFLOWS_AT), {IDENTITY}),
    "run.jobs": (lambda one: one.runs.attach(ID).jobs(), (PIPELINE_AT, WORKFLOWS_AT, jobs_at(2)), {IDENTITY}),
    "runs.cancel_redundant": (
        lambda one: one.runs.cancel_redundant(SLUG, "main", dry_run=True),
        (PIPELINES_AT, f"/api/v2/pipeline/{uuid(500)}/workflow"),
        {("items", "*", "number"), ("items", "*", "state")},
    ),
    "secrets.audit": (
        lambda one: collected(one.secrets.audit("gh/acme")),
        (CONTEXTS_AT, VARIABLES_AT, FOLLOWED_AT, ENVVARS_AT),
        set(),
    ),
    "secrets.rotate": (
        lambda one: one.secrets.rotate("KEY", "value", org="gh/acme", contexts=["deploy"], dry_run=True),
        (CONTEXTS_AT, VARIABLES_AT),
        {IDENTITY, ("items", "*", "name"), ("items", "*", "variable")},
    ),
}


async def collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


@pytest.mark.parametrize("name", READS)
async def test_reads_end_only_for_what_they_need(name: str) -> None:
    read, paths, needed = READS[name]

    async def work(site: Site) -> Any:
        async with site.client() as circleci:
            return await read(circleci)

    assert await work(ORGANIZATION)
    for path, mutation, site in changes(ORGANIZATION, *paths):
        result, error = await attempt(work(site))
        assert error is None or is_used(mutation, *needed), f"{path}: {mutation}: {error}"
        if isinstance(result, list | tuple):
            look_at(tuple(cast("list[Any]", result)))


async def test_the_latest_artifacts_are_found() -> None:
    async def latest(site: Site) -> LatestArtifacts | None:
        async with site.client() as circleci:
            return await circleci.artifacts.latest(SLUG, workflow="lint", job="lint")

    base = await latest(FAILED)
    assert base is not None
    assert len(base.artifacts) == 1
    chosen = {("items", "*", "name"), ("items", "*", "status"), ("items", "*", "job_number"), IDENTITY}
    for path, mutation, site in changes(FAILED, PIPELINES_AT, WORKFLOWS_AT, jobs_at(1), artifacts_at(3)):
        found, _ = await attempt(latest(site))
        used = is_used(mutation, *(chosen if path != artifacts_at(3) else ()))
        assert used or (found is not None and len(found.artifacts) == 1), f"{path}: {mutation}"


async def test_failed_steps_have_their_output() -> None:
    async def failed(site: Site) -> list[StepLog]:
        async with site.client() as circleci:
            return await circleci.logs.failed(SLUG, 1)

    assert [log.text for log in await failed(FAILED)] == ["boom\n"]
    for path, mutation, site in changes(FAILED, BUILD_AT):
        place = general(mutation.place)
        logs, error = await attempt(failed(site))
        if error is not None:
            assert place == ("steps",), f"{path}: {mutation}"
            continue
        assert logs is not None
        look_at(tuple(logs))
        lost = place == ("steps",) or (
            mutation.place[:2] == ("steps", 1) and place[-1] in {"*", "actions", "output_url", "status", "failed"}
        )
        assert lost or "boom\n" in [log.text for log in logs], f"{path}: {mutation}"
