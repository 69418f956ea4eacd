"""Step output with API v3, and with v1.1 where v3 does not serve a client or does not know a job."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

import pytest

from circleci_sdk import (
    AuthenticationError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RequestTimeoutError,
    ServerError,
)
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from circleci_sdk.testing import Step as FakeStep
from tests.helpers.test_logs import BUILD, action, build, output
from tests.support.clients import ID, SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, hang, reply

JOB: Final = "0f1a3c5e-0000-4000-8000-000000000042"
WORKFLOW: Final = "0f1a3c5e-0000-4000-8000-000000000007"
BY_NUMBER: Final = f"/api/v2/project/{SLUG}/job/42"
JOBS: Final = "/api/v3/jobs"
DETAILS: Final = f"/api/v3/jobs/{JOB}"
STDOUT: Final = f"{DETAILS}/stdout"
STDERR: Final = f"{DETAILS}/stderr"
LISTED: Final = "the jobs of its workflow"


def step(num: int, outcome: str | None = "succeeded", **more: Any) -> dict[str, Any]:
    facts = {"name": f"step {num}", "type": "run", "num": num, "phase": "ended" if outcome else "started"}
    return {**facts, "started_at": "2026-06-01T09:00:00Z", **({"outcome": outcome} if outcome else {}), **more}


def entity(attributes: dict[str, Any]) -> dict[str, Any]:
    references = {"workflow": {"id": WORKFLOW}, "project": {"id": ID}}
    return {"id": JOB, "attributes": attributes, "references": references}


def details(*executions: list[dict[str, Any]], phase: str = "ended", **more: Any) -> Response:
    attributes = {"name": "test", "type": "build", "phase": phase, "outcome": "failed", **more}
    return reply(json={"data": entity({**attributes, "parallel_executions": [{"steps": one} for one in executions]})})


def listed(number: int | None = 42) -> Response:
    return reply(json={"data": [entity({"name": "test", "phase": "ended", "number": number})]})


def serve(server: ScriptedServer, *steps: dict[str, Any]) -> None:
    """A job of v3 with these steps, and the way to it from its number."""
    server.on("GET", BY_NUMBER, reply(json={"number": 42, "latest_workflow": {"id": WORKFLOW, "name": "build"}}))
    server.on("GET", JOBS, listed())
    server.on("GET", DETAILS, details(list(steps)))


def serve_v1(server: ScriptedServer, *actions: dict[str, Any]) -> None:
    server.on("GET", BUILD, build(*actions or (action(1, "failed", output_url=f"{server.url}/out"),)))
    server.on("GET", "/out", output("from v1.1\n"))


def paths(server: ScriptedServer) -> list[str]:
    return [request.path for request in server.requests]


def content(data: bytes, **headers: str) -> Response:
    return reply(206, body=data, headers={"Content-Range": f"bytes 0-{len(data) - 1}/*", **headers})


# ---- with v3 ----


async def test_failed_logs_without_v1(server: ScriptedServer) -> None:
    serve(server, step(0), step(1, "failed", exit_code=2, command="make"), step(5, "timedout"))
    text = "é one\ntwo\r\nthree\n".encode()
    server.on(
        "GET",
        STDOUT,
        lambda request: (
            content(text).dripping(9, pause=0) if ("filter[step_num]", "1") in request.query else reply(404)
        ),
    )
    server.on("GET", STDERR, reply(body=b"err\n"))
    async with client_on(server, deployment="cloud") as circleci:
        logs = await circleci.logs.failed(SLUG, 42)
        by_id = await circleci.logs.failed(job_id=JOB, tail=1, concurrency=1)
    assert [log.text for log in logs] == ["é one\ntwo\nthree\nerr\n", "err\n"]
    assert [(log.text, log.is_cut, log.step.job_number) for log in by_id] == [("err\n", True, None)] * 1 + [
        ("err\n", False, None)
    ]
    first = logs[0].step
    assert (first.number, first.index, first.status, first.exit_code, first.command) == (1, 0, "failed", 2, "make")
    assert (first.api, first.job_id, first.job_number, first.project_slug) == ("v3", JOB, 42, SLUG)
    assert by_id[0].step.project_slug == ID
    assert (logs[1].step.timed_out, logs[1].step.is_background) == (True, None)
    assert paths(server)[:3] == [BY_NUMBER, JOBS, DETAILS]
    assert not any("v1.1" in path for path in paths(server))
    assert [path for path in paths(server)[7:] if path not in (STDOUT, STDERR)] == [DETAILS]


async def test_a_given_id_saves_two_calls(server: ScriptedServer) -> None:
    serve(server, step(0))
    async with client_on(server, deployment="cloud") as circleci:
        steps = await circleci.logs.steps(SLUG, 42, job_id=JOB)
    assert ([one.job_number for one in steps], paths(server)) == ([42], [DETAILS])


async def test_steps_by_parallel_run(server: ScriptedServer) -> None:
    serve(server)
    ended = {"started_at": "2026-06-01T09:00:00.5Z", "ended_at": "2026-06-01T09:00:02Z"}
    server.on("GET", DETAILS, details([step(0), step(3, **ended)], [step(0), step(3, None)]))
    async with client_on(server, deployment="cloud") as circleci:
        steps = await circleci.logs.steps(SLUG, 42)
    assert [(one.index, one.number, one.status, one.seconds) for one in steps] == [
        (0, 0, "success", None),
        (0, 3, "success", 1.5),
        (1, 0, "success", None),
        (1, 3, "running", None),
    ]


@pytest.mark.parametrize(
    ("facts", "status", "is_failed"),
    [
        ({}, "success", False),
        ({"exit_code": 1}, "success", False),
        ({"outcome": "failed"}, "failed", True),
        ({"outcome": "canceled"}, "canceled", True),
        ({"outcome": "errored"}, "errored", True),
        ({"outcome": "timedout"}, "timedout", True),
        ({"outcome": "infrastructure_fail"}, "infrastructure_fail", True),
        ({"outcome": "not_run"}, "not_run", False),
        ({"outcome": "a-word-of-2027"}, "a-word-of-2027", False),
        ({"outcome": "a-word-of-2027", "exit_code": 137}, "a-word-of-2027", True),
        ({"outcome": None}, "ended", True),
        ({"outcome": None, "exit_code": 0}, "ended", False),
        ({"outcome": None, "phase": "started"}, "running", False),
        ({"outcome": 7, "phase": 7}, None, True),
    ],
    ids=json.dumps,
)
async def test_what_counts_as_failed(
    server: ScriptedServer, facts: dict[str, Any], status: str | None, is_failed: bool
) -> None:
    serve(server, step(1) | facts)
    async with client_on(server, deployment="cloud") as circleci:
        [one] = await circleci.logs.steps(SLUG, 42)
    assert (getattr(one, "status", None), one.is_failed) == (status, is_failed)


async def test_a_job_that_waits_has_no_steps(server: ScriptedServer) -> None:
    serve(server)
    server.on("GET", DETAILS, reply(json={"data": entity({"name": "test", "type": "build", "phase": "queued"})}))
    async with client_on(server, deployment="cloud") as circleci:
        assert await circleci.logs.failed(SLUG, 42) == []


async def test_streams_that_are_known_to_be_empty_are_not_read(server: ScriptedServer) -> None:
    serve(server, step(1, "failed", stdout_bytes=0, stderr_bytes=4), step(2, "failed", stdout_bytes=0, stderr_bytes=0))
    server.on("GET", STDERR, reply(body=b"err\n"))
    async with client_on(server, deployment="cloud") as circleci:
        logs = await circleci.logs.failed(SLUG, 42)
    assert [(log.text, log.step.has_output) for log in logs] == [("err\n", True), ("", False)]
    assert paths(server)[3:] == [STDERR]


async def test_the_time_of_a_stream_is_limited(server: ScriptedServer) -> None:
    serve(server, step(1, "failed"))
    server.on("GET", STDOUT, hang())
    async with client_on(server, deployment="cloud") as circleci:
        [one] = await circleci.logs.steps(SLUG, 42)
        with pytest.raises(RequestTimeoutError):
            await circleci.logs.read(one, timeout=0.02)


# ---- with v1.1 ----


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("path", [BY_NUMBER, JOBS, DETAILS])
async def test_v1_where_v3_does_not_serve_the_client(
    server: ScriptedServer, status: int, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    serve(server, step(1, "failed"))
    server.on("GET", path, reply(status, json={"message": "no"}))
    serve_v1(server)
    with caplog.at_level(logging.DEBUG, "circleci_sdk"):
        async with client_on(server, deployment="cloud") as circleci:
            [log] = await circleci.logs.failed(SLUG, 42)
    assert (log.text, log.step.api, log.problem) == ("from v1.1\n", "v1.1", None)
    told = [
        (record.levelname, str(status) in record.getMessage()) for record in caplog.records if "takes" in record.msg
    ]
    assert told == [("DEBUG", True)]


@pytest.mark.parametrize(
    "jobs",
    [listed(43), listed(None), reply(json={"data": []}), reply(json={"data": [entity({"number": "42"})]})],
    ids=["another", "null", "none", "text"],
)
async def test_v1_for_a_number_that_v3_does_not_show(server: ScriptedServer, jobs: Response) -> None:
    serve(server)
    server.on("GET", JOBS, jobs)
    serve_v1(server)
    async with client_on(server, deployment="cloud") as circleci:
        [log] = await circleci.logs.failed(SLUG, 42)
    assert (log.text, log.step.api) == ("from v1.1\n", "v1.1")
    assert paths(server) == [BY_NUMBER, JOBS, BUILD, "/out"]


@pytest.mark.parametrize(
    "job",
    [
        {"phase": "ended"},
        {"phase": "ended", "parallel_executions": "many"},
        {"phase": "ended", "parallel_executions": [{"steps": [{"name": "without a number"}]}]},
    ],
    ids=["missing", "another type", "no number"],
)
async def test_v1_for_a_job_without_readable_steps(server: ScriptedServer, job: dict[str, Any]) -> None:
    serve(server)
    server.on("GET", DETAILS, reply(json={"data": entity(job)}))
    serve_v1(server)
    async with client_on(server, deployment="cloud") as circleci:
        [log] = await circleci.logs.failed(SLUG, 42)
    assert (log.text, log.step.api) == ("from v1.1\n", "v1.1")


@pytest.mark.parametrize(
    "options", [{"token": "a-project-token"}, {"auth": "none", "token": None}], ids=["project", "none"]
)
async def test_what_v1_alone_serves_stays_readable(server: ScriptedServer, options: dict[str, Any]) -> None:
    serve(server)
    for path in (BY_NUMBER, JOBS, DETAILS):
        server.on("GET", path, reply(401, json={"message": "You must log in first."}))
    serve_v1(server)
    async with client_on(server, deployment="cloud", **options) as circleci:
        for job_id in ({}, {"job_id": JOB}):
            [log] = await circleci.logs.failed(SLUG, 42, **job_id)
            assert (log.text, log.step.api, log.problem) == ("from v1.1\n", "v1.1", None)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_stream_is_read_with_v1(server: ScriptedServer, status: int) -> None:
    serve(server, step(1, "failed"))
    server.on("GET", STDOUT, reply(status))
    serve_v1(server, action(1), action(101, "failed", output_url=f"{server.url}/out", name="step 1"))
    async with client_on(server, deployment="cloud") as circleci:
        [one] = await circleci.logs.steps(SLUG, 42)
        log = await circleci.logs.read(one)
        again = await circleci.logs.read(log.step)
    assert (one.api, log.step.api, log.text) == ("v3", "v1.1", "from v1.1\n")
    assert again.text == log.text
    assert paths(server)[3:6] == [STDOUT, BUILD, "/out"]


async def test_a_refused_stream_of_a_job_without_a_number_is_an_error(server: ScriptedServer) -> None:
    serve(server, step(1, "failed"))
    server.on("GET", STDOUT, reply(403))
    async with client_on(server, deployment="cloud") as circleci:
        [one] = await circleci.logs.steps(job_id=JOB)
        with pytest.raises(PermissionDeniedError):
            await circleci.logs.read(one)
        [log] = await circleci.logs.failed(job_id=JOB)
    assert "403" in (log.problem or "")


async def test_streams_that_are_missing_are_read_with_v1(server: ScriptedServer) -> None:
    """Without sizes nothing says whether a step was silent."""
    serve(server, step(1, "failed"), step(2, "failed"), step(3, "failed", stdout_bytes=0))
    for path in (STDOUT, STDERR):
        server.on("GET", path, reply(404))
    serve_v1(server)
    async with client_on(server, deployment="cloud") as circleci:
        logs = await circleci.logs.failed(SLUG, 42)
    assert [(log.text, log.step.api, log.problem) for log in logs] == [
        ("from v1.1\n", "v1.1", None),
        ("", "v3", None),
        ("", "v3", None),
    ]


async def test_a_server_has_no_v3(server: ScriptedServer) -> None:
    serve_v1(server)
    async with client_on(server) as circleci:
        [log] = await circleci.logs.failed(SLUG, 42, job_id=JOB)
        with pytest.raises(InvalidArgumentError, match=r"^logs\.steps: job_id: a Server has no v3; pass project_slug"):
            await circleci.logs.steps(job_id=JOB)
    assert (log.text, log.step.api) == ("from v1.1\n", "v1.1")
    assert paths(server) == [BUILD, "/out"]


# ---- errors ----


async def test_other_errors_are_raised(server: ScriptedServer) -> None:
    serve(server, step(1, "failed"))
    server.on("GET", DETAILS, reply(500))
    async with client_on(server, FakeClock(), deployment="cloud") as circleci:
        with pytest.raises(ServerError):
            await circleci.logs.failed(SLUG, 42)
    assert BUILD not in paths(server)


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (404, NotFoundError)])
async def test_an_id_alone_has_only_v3(server: ScriptedServer, status: int, error: type[Exception]) -> None:
    server.on("GET", DETAILS, reply(status))
    async with client_on(server, deployment="cloud") as circleci:
        with pytest.raises(error):
            await circleci.logs.failed(job_id=JOB)


async def test_a_job_that_does_not_exist(server: ScriptedServer) -> None:
    for path in (BY_NUMBER, BUILD):
        server.on("GET", path, reply(404))
    async with client_on(server, deployment="cloud") as circleci:
        with pytest.raises(NotFoundError, match=r"v1\.builds\.get"):
            await circleci.logs.failed(SLUG, 42)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "expected project_slug and job_number, job_id, or all three"),
        ({"project_slug": SLUG}, "expected project_slug and job_number, job_id, or all three"),
        ({"job_number": 42}, "expected project_slug and job_number, job_id, or all three"),
        ({"job_number": 42, "job_id": JOB}, "expected project_slug and job_number, job_id, or all three"),
        ({"project_slug": None, "job_number": 42}, "project_slug: expected str"),
        ({"project_slug": SLUG, "job_number": 0}, "job_number: expected an int"),
        ({"job_id": "42"}, "job_id: expected the id of a job, a UUID, got str"),
        ({"job_id": None}, "job_id: expected the id of a job, a UUID, got None"),
    ],
    ids=json.dumps,
)
async def test_a_job_that_is_not_named(server: ScriptedServer, given: dict[str, Any], text: str) -> None:
    async with client_on(server, deployment="cloud") as circleci:
        with pytest.raises(InvalidArgumentError, match=text):
            await circleci.logs.failed(**given)


@pytest.mark.parametrize("seed", range(5))
async def test_no_output_is_lost_or_given_twice_under_faults(seed: int) -> None:
    """Standard error has no ranges: after a broken connection it begins anew."""
    fake = FakeCircleCI(seed=seed)
    text = "".join(f"line {number}\n" for number in range(50))
    steps = [FakeStep("make", text, exit_code=1, stderr=text.upper())]
    fake.add_project(SLUG).push(Workflow("build", Job("test", 5, outcome="failed", steps=steps, parallelism=6)))
    fake.clock.advance(60)
    async with fake.client() as circleci:
        fake.chaos({"503": 0.1, "drop": 0.1, "truncate": 0.2})
        logs = await circleci.logs.failed(SLUG, 1, tail=None)
    assert [(log.text, log.problem, log.step.api) for log in logs] == [(text + text.upper(), None, "v3")] * 6
