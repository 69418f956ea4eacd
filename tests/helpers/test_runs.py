"""Runs over a real socket and on the fake: one start, the true end, every event; on asyncio and trio."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any, Final

import anyio
import anyio.lowlevel
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    ConfigError,
    DecodeError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RunFailedError,
    RunSkippedError,
    RunTimeoutError,
    ServerError,
)
from circleci_sdk.helpers import ApprovalEvent, CancelReport, JobEvent, Run, RunEvent, RunResult, WorkflowEvent
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, Workflow
from tests.support.clients import CREATED, ID, MESSAGE, SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, reply

PIPELINE: Final = f"/api/v2/pipeline/{ID}"
WORKFLOWS: Final = f"{PIPELINE}/workflow"
TRIGGER: Final = f"/api/v2/project/{SLUG}/pipeline"
APP_SLUG: Final = "circleci/43G3lM5RtfFE7v5sa4nWAU/9Hk2tzDTeyXx7MMN9vDzkT"


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def pipeline_body(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "errors": [],
        "project_slug": SLUG,
        "number": 7,
        "state": "created",
        "created_at": "2026-06-01T12:00:00Z",
        "trigger": {
            "type": "api",
            "received_at": "2026-06-01T12:00:00Z",
            "actor": {"login": "ada", "avatar_url": None},
        },
        **more,
    }


def pipeline(state: str = "created", **more: Any) -> Response:
    return reply(json=pipeline_body(state=state, **more))


def workflow(number: int, status: str, name: str = "build", **more: Any) -> dict[str, Any]:
    return {
        "pipeline_id": ID,
        "id": uuid(number),
        "name": name,
        "project_slug": SLUG,
        "status": status,
        "started_by": ID,
        "pipeline_number": 7,
        "created_at": f"2026-06-01T12:{number:02}:00Z",
        "stopped_at": None
        if status in ("running", "failing", "on_hold", "resting")
        else f"2026-06-01T12:{number:02}:59Z",
        **more,
    }


def job(number: int, status: str, name: str = "test", **more: Any) -> dict[str, Any]:
    return {
        "dependencies": [],
        "job_number": number,
        "id": uuid(100 + number),
        "name": name,
        "project_slug": SLUG,
        "status": status,
        "type": "build",
        **more,
    }


def approval(number: int, status: str, name: str = "release?") -> dict[str, Any]:
    return job(number, status, name, type="approval", approval_request_id=uuid(200 + number)) | {"job_number": None}


def items(*things: dict[str, Any], token: str | None = None) -> Response:
    return reply(json={"items": things, "next_page_token": token})


def jobs_at(number: int) -> str:
    return f"/api/v2/workflow/{uuid(number)}/job"


def asked(server: ScriptedServer) -> list[str]:
    return [f"{request.method} {request.path.removeprefix('/api/v2')}" for request in server.requests]


def repeat_last(*responses: Response) -> Callable[[Request], Response]:
    """These one after the other, and the last one for ever."""
    waiting = list(responses)
    return lambda request: waiting.pop(0) if len(waiting) > 1 else waiting[0]


async def attached(server: ScriptedServer, use: Callable[[Run], Any], clock: FakeClock | None = None) -> Any:
    async with client_on(server, clock or FakeClock(), max_retries=0) as circleci:
        return await use(circleci.runs.attach(ID))


# ---- start ----


async def test_start_sends_one_post(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(201, json=CREATED))
    async with client_on(server) as circleci:
        run = await circleci.runs.start(SLUG, branch="feature/x", parameters={"deploy": True, "n": 3, "who": "ada"})
    assert (run.id, run.number, run.project_slug) == (ID, 7, SLUG)
    assert [request.json for request in server.requests] == [
        {"branch": "feature/x", "parameters": {"deploy": True, "n": 3, "who": "ada"}}
    ]


async def test_start_says_why_nothing_was_started(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(200, json={"message": "Pipeline skipped: [ci skip]"}))
    async with client_on(server) as circleci:
        with pytest.raises(RunSkippedError, match=r"^Pipeline skipped: \[ci skip\]$") as caught:
            await circleci.runs.start(SLUG)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_message_in_place_of_a_pipeline_means_that_nothing_was_started(
    server: ScriptedServer, status: int
) -> None:
    server.on("POST", TRIGGER, reply(status, json={"message": "Not Found"}))
    async with client_on(server) as circleci:
        with pytest.raises(RunSkippedError, match=r"^Not Found$") as caught:
            await circleci.runs.start(SLUG)
    assert caught.value.request_outcome == "rejected"
    assert pickle.loads(pickle.dumps(caught.value)).request_outcome == "rejected"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"id": 5},
        {**CREATED, "id": None},
        {**CREATED, "id": None, "message": "Hm."},
        {"id": 17, "state": "pending", "message": "Hm."},
        {"id": "", "message": "Hm."},
        {"number": "4", "message": "Hm."},
    ],
)
async def test_a_started_run_without_an_id_is_not_started_again(server: ScriptedServer, body: dict[str, Any]) -> None:
    server.on("POST", TRIGGER, reply(201, json=body))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(DecodeError, match=r"^runs\.start: .*not sent again. Find the run") as caught:
            await circleci.runs.start(SLUG)
    assert (caught.value.request_outcome, caught.value.retry_stop_reason) == ("processed", "not_retryable")
    assert caught.value.field == ""
    assert len(server.requests) == 1


async def test_a_run_needs_no_more_than_an_id(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(201, json={"id": ID, "state": 5, "number": "seven"}))
    async with client_on(server) as circleci:
        run = await circleci.runs.start(SLUG)
    assert (run.id, run.number, run.url) == (ID, None, None)


@pytest.mark.parametrize("response", [reply(502), drop(), reply(201, json=CREATED).cut()], ids=["502", "drop", "cut"])
async def test_start_never_repeats_a_request_that_may_have_been_processed(
    server: ScriptedServer, response: Response
) -> None:
    server.on("POST", TRIGGER, response)
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(Exception, match=r"v2\.pipelines\.trigger"):
            await circleci.runs.start(SLUG)
    assert len(server.requests) == 1


async def test_start_sends_again_what_was_refused(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, [reply(429, text="Rate limited."), reply(201, json=CREATED)])
    async with client_on(server, FakeClock()) as circleci:
        assert (await circleci.runs.start(SLUG)).id == ID
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"branch": "a", "tag": "b"}, "^runs.start: branch and tag exclude each other"),
        ({"config_branch": "a", "config_tag": "b"}, "^runs.start: config_branch and config_tag exclude each other"),
        ({"branch": ""}, "^runs.start: branch: expected a non-empty str"),
        ({"branch": None}, "^runs.start: branch: expected a non-empty str, got None"),
        ({"config_tag": 7}, "^runs.start: config_tag: expected a non-empty str, got 7"),
        ({"definition_id": None}, "^runs.start: definition_id: expected an id .*got None"),
        ({"parameters": ["k"]}, "^runs.start: parameters: expected a mapping, got list"),
        ({"parameters": {f"p{n}": n for n in range(101)}}, "^runs.start: parameters: expected at most 100, got 101"),
        ({"parameters": {"k" * 129: 1}}, "at most 128 characters"),
        ({"parameters": {"k": "v" * 513}}, "at most 512 characters"),
        ({"parameters": {"k": 10**700}}, "expected fewer digits, got a huge int"),
        ({"parameters": {"k": 1.5}}, "^runs.start: parameters: 'k': expected str, int or bool, got 1.5"),
        ({"parameters": {"k": None}}, "expected str, int or bool, got None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
async def test_start_refuses_locally(server: ScriptedServer, arguments: dict[str, Any], says: str) -> None:
    async with client_on(server) as circleci:
        with pytest.raises(InvalidArgumentError, match=says):
            await circleci.runs.start(SLUG, **arguments)
    assert server.requests == []


async def test_the_largest_parameters_are_taken(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(201, json=CREATED))
    parameters = {f"{n:03}" + "k" * 125: "v" * 512 for n in range(100)}
    async with client_on(server) as circleci:
        await circleci.runs.start(SLUG, parameters=parameters)
    assert server.requests[0].json == {"parameters": parameters}


async def test_start_takes_the_only_definition(server: ScriptedServer) -> None:
    project: dict[str, Any] = {"slug": APP_SLUG, "name": "web", "id": uuid(1), "organization_name": "acme"}
    project |= {"organization_slug": "circleci/43G3lM5RtfFE7v5sa4nWAU", "organization_id": uuid(2)}
    project["vcs_info"] = {"vcs_url": "https://x", "provider": "CircleCI", "default_branch": "main"}
    server.on("GET", f"/api/v2/project/{APP_SLUG}", reply(json=project))
    definitions = f"/api/v2/projects/{uuid(1)}/pipeline-definitions"
    server.on("GET", definitions, reply(json={"items": [{"id": uuid(3), "name": "main"}]}))
    server.on("POST", f"/api/v2/project/{APP_SLUG}/pipeline/run", reply(201, json=CREATED))
    async with client_on(server) as circleci:
        await circleci.runs.start(APP_SLUG, tag="v1", config_branch="main")
        assert server.requests[-1].json == {
            "definition_id": uuid(3),
            "checkout": {"tag": "v1"},
            "config": {"branch": "main"},
        }
        for there, says in (
            ([], "has no pipeline definition"),
            (
                [{"id": uuid(3), "name": "main"}, {"id": uuid(4)}],
                f"{uuid(3)} \\(main\\), {uuid(4)} \\(unnamed\\)",
            ),
        ):
            server.on("GET", definitions, reply(json={"items": there}))
            with pytest.raises(InvalidArgumentError, match=says):
                await circleci.runs.start(APP_SLUG)
    assert sum(request.method == "POST" for request in server.requests) == 1


async def test_a_given_definition_is_taken_on_any_slug(server: ScriptedServer) -> None:
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline/run", reply(201, json=CREATED))
    async with client_on(server) as circleci:
        await circleci.runs.start(SLUG, branch="main", definition_id=uuid(3))
    assert [request.json for request in server.requests] == [{"definition_id": uuid(3), "checkout": {"branch": "main"}}]


# ---- wait ----


async def test_wait_sees_a_run_to_its_end(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, repeat_last(reply(404, json=MESSAGE), pipeline("pending"), pipeline("created")))
    server.on(
        "GET",
        WORKFLOWS,
        repeat_last(
            items(), items(workflow(1, "running")), items(workflow(1, "failing")), items(workflow(1, "failed"))
        ),
    )
    server.on("GET", jobs_at(1), items(job(1, "success", "lint"), job(2, "failed")))
    result = await attached(server, lambda run: run.wait())
    assert (result.status, result.is_over, result.is_success, result.number) == ("failed", True, False, 7)
    assert [one.name for one in result.failed_jobs] == ["test"]
    assert result.failed_jobs[0].url == f"{server.url}/pipelines/github/acme/web/7/workflows/{uuid(1)}/jobs/2"
    with pytest.raises(RunFailedError, match=r"Run 7 of gh/acme/web: failed \(build/test: failed\)") as caught:
        result.raise_for_failure()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.result) == (str(caught.value), result)
    one, many = f"GET /pipeline/{ID}", f"GET /pipeline/{ID}/workflow"
    # Two calls until there are workflows, one for each look from then on, one for each failed workflow at the end.
    assert asked(server) == [one, one, one, many, one, many, many, many, f"GET /workflow/{uuid(1)}/job"]


async def test_a_success_costs_no_call_for_jobs(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "success")))
    result = await attached(server, lambda run: run.wait())
    assert result.is_success
    result.raise_for_failure()
    assert len(server.requests) == 2


async def test_the_errors_of_a_pipeline_are_told(server: ScriptedServer) -> None:
    errors = [{"type": "config", "message": "No workflow named 'x'"}, {"type": "plan", "message": "No credits"}]
    server.on("GET", PIPELINE, pipeline("errored", errors=errors))
    server.on("GET", WORKFLOWS, items())
    result = await attached(server, lambda run: run.wait())
    assert (result.status, result.errors) == ("errored", ("No workflow named 'x'", "No credits"))
    with pytest.raises(RunFailedError, match="No workflow named 'x'; No credits"):
        result.raise_for_failure()


async def test_every_page_of_workflows_counts(server: ScriptedServer) -> None:
    def page(request: Request) -> Response:
        if dict(request.query).get("page-token") == "2":
            return items(workflow(2, "failed", "lint"))
        return items(workflow(1, "success"), token="2")

    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, page)
    server.on("GET", jobs_at(2), items())
    result = await attached(server, lambda run: run.wait())
    assert result.status == "failed"
    assert [one.name for one in result.workflows] == ["build", "lint"]


async def test_an_unknown_status_is_not_final_and_logged_once(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("GET", PIPELINE, pipeline())
    unknown = items(workflow(1, "resting"))
    server.on("GET", WORKFLOWS, repeat_last(unknown, unknown, items(workflow(1, "success"))))
    with caplog.at_level(logging.WARNING, "circleci_sdk"):
        result = await attached(server, lambda run: run.wait())
    assert result.is_success
    assert [record.getMessage() for record in caplog.records] == [
        "workflow status resting is unknown to this version and is not treated as final"
    ]


@pytest.mark.parametrize("failure", [reply(502), drop(), reply(429, text="Rate limited.")], ids=["502", "drop", "429"])
async def test_transient_errors_are_retried(server: ScriptedServer, failure: Response) -> None:
    server.on("GET", PIPELINE, repeat_last(failure, pipeline()))
    server.on("GET", WORKFLOWS, repeat_last(failure, failure, items(workflow(1, "failed"))))
    server.on("GET", jobs_at(1), repeat_last(failure, items(job(2, "failed"))))
    result = await attached(server, lambda run: run.wait())
    assert [one.name for one in result.failed_jobs] == ["test"]


async def test_persistent_errors_are_raised(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, reply(503))
    clock = FakeClock()
    with pytest.raises(ServerError):
        await attached(server, lambda run: run.wait(), clock)
    assert clock.now - 1000 > 300


async def test_what_does_not_pass_is_raised_at_once(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, reply(403, json=MESSAGE))
    with pytest.raises(PermissionDeniedError):
        await attached(server, lambda run: run.wait())
    assert len(server.requests) == 1


async def test_a_wrong_id_is_told_soon(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, reply(404, json=MESSAGE))
    clock = FakeClock()
    with pytest.raises(NotFoundError):
        await attached(server, lambda run: run.wait(), clock)
    assert 10 < clock.now - 1000 < 20


async def test_a_started_run_may_be_unknown_for_a_while(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(201, json=CREATED))
    server.on("GET", PIPELINE, repeat_last(*[reply(404, json=MESSAGE)] * 15, pipeline()))
    server.on("GET", WORKFLOWS, items(workflow(1, "success")))
    async with client_on(server, FakeClock()) as circleci:
        run = await circleci.runs.start(SLUG)
        assert (await run.wait()).is_success


async def test_the_time_runs_out(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "running")))
    clock = FakeClock()
    with pytest.raises(
        RunTimeoutError, match=r"^run\.wait: the timeout has passed; the run continues\. Run 7 of gh/acme/web: running"
    ) as caught:
        await attached(server, lambda run: run.wait(timeout=100), clock)
    assert clock.now == pytest.approx(1100)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.result is not None
    assert (caught.value.result.status, caught.value.result.is_over) == ("running", False)
    assert pickle.loads(pickle.dumps(caught.value)).result == caught.value.result


async def test_a_call_that_hangs_does_not_outlast_the_time(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, hang())
    async with client_on(server) as circleci:
        with anyio.fail_after(5):
            with pytest.raises(RunTimeoutError, match="pending"):
                await circleci.runs.attach(ID).wait(timeout=0.2)
            server.on("GET", PIPELINE, pipeline())
            server.on("GET", WORKFLOWS, items(workflow(1, "success")))
            assert (await circleci.runs.attach(ID).wait(timeout=3)).is_success


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_senseless_time_is_refused(server: ScriptedServer, timeout: float) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^run\.\w+: timeout: expected seconds above 0 or None, got "):
        await attached(server, lambda run: run.wait(timeout=timeout))
    assert server.requests == []


async def test_the_rate_limit_slows_the_watcher(server: ScriptedServer) -> None:
    limited = {"RateLimit-Limit": "600", "RateLimit-Remaining": "0", "RateLimit-Reset": "40"}
    server.on("GET", PIPELINE, pipeline())
    body = {"items": [workflow(1, "running")], "next_page_token": None}
    over = {"items": [workflow(1, "success")], "next_page_token": None}
    server.on("GET", WORKFLOWS, repeat_last(reply(json=body, headers=limited), reply(json=over)))
    clock = FakeClock()
    await attached(server, lambda run: run.wait(), clock)
    assert clock.now - 1000 >= 40
    assert len(server.requests) == 3


# ---- on hold ----


@pytest.mark.parametrize("on_hold", ["wait", "return", "raise"])
async def test_on_hold(server: ScriptedServer, on_hold: Any) -> None:
    server.on("GET", PIPELINE, pipeline())
    held = items(workflow(1, "on_hold"), workflow(2, "success", "lint"))
    busy = items(workflow(1, "on_hold"), workflow(2, "running", "lint"))
    after = items(workflow(1, "success"), workflow(2, "success", "lint"))
    server.on("GET", WORKFLOWS, repeat_last(busy, held, after))
    server.on("GET", jobs_at(1), items(job(1, "success"), approval(2, "on_hold")))
    if on_hold == "raise":
        with pytest.raises(RunFailedError, match=r"on_hold \(build/release\? waits for approval") as caught:
            await attached(server, lambda run: run.wait(on_hold=on_hold))
        assert caught.value.result is not None
        assert caught.value.result.status == "on_hold"
        return
    result = await attached(server, lambda run: run.wait(on_hold=on_hold))
    if on_hold == "return":
        assert (result.status, result.is_over) == ("on_hold", False)
        assert [one.name for one in result.approvals] == ["release?"]
        result.raise_for_failure()
    else:
        assert result.is_success


async def test_on_hold_is_one_of_three_words(server: ScriptedServer) -> None:
    wrong: Any = "stop"
    with pytest.raises(InvalidArgumentError, match=r"^run.wait: on_hold: expected one of wait, return, raise, got"):
        await attached(server, lambda run: run.wait(on_hold=wrong))


async def test_approve_sends_one_post_and_is_safe_to_ask_twice(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "on_hold")))
    server.on("GET", jobs_at(1), items(job(1, "success"), approval(2, "on_hold"), approval(3, "blocked", "later?")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/approve/{uuid(202)}", reply(202, json=MESSAGE))

    async def use(run: Run) -> None:
        assert (await run.approve()).name == "release?"
        assert (await run.approve(job="release?")).name == "release?"
        # What was approved a moment ago may still be shown as on hold.
        with pytest.raises(RunTimeoutError):
            await run.wait(timeout=30, on_hold="return")
        server.on("GET", jobs_at(1), items(approval(2, "success")))
        assert (await run.approve(job=uuid(102))).status == "success"
        with pytest.raises(
            InvalidArgumentError, match=r"^run\.approve: no approval is pending. Approvals: build/release\? \(success\)"
        ):
            await run.approve()
        with pytest.raises(
            InvalidArgumentError, match=r"^run\.approve: no pending approval 'deploy'. Approvals: build/release\?"
        ):
            await run.approve(job="deploy")

    await attached(server, use)
    assert sum(request.method == "POST" for request in server.requests) == 1


async def test_approve_does_not_guess(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "on_hold")))
    server.on("GET", jobs_at(1), items(approval(2, "on_hold", "a"), approval(3, "on_hold", "b")))
    with pytest.raises(
        InvalidArgumentError,
        match=r"^run\.approve: several approvals are pending; pass job=. Approvals: build/a .*build/b",
    ):
        await attached(server, lambda run: run.approve())
    assert not any(request.method == "POST" for request in server.requests)


@pytest.mark.parametrize("response", [reply(502), drop()], ids=["502", "drop"])
async def test_approve_and_rerun_are_never_sent_twice(server: ScriptedServer, response: Response) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "on_hold")))
    server.on("GET", jobs_at(1), items(approval(2, "on_hold")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/approve/{uuid(202)}", response)
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/rerun", response)
    async with client_on(server, FakeClock()) as circleci:
        run = circleci.runs.attach(ID)
        for use in (run.approve, run.rerun):
            server.requests.clear()
            with pytest.raises(Exception, match=r"processed|502"):
                await use()
            assert sum(request.method == "POST" for request in server.requests) == 1


# ---- rerun and cancel ----


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({}, {}),
        ({"from_failed": True}, {"from_failed": True}),
        ({"jobs": ["test"]}, {"jobs": [uuid(102)]}),
        ({"jobs": [uuid(102), "lint"], "ssh": True}, {"jobs": [uuid(102), uuid(101)], "enable_ssh": True}),
        ({"jobs": ["test"], "sparse_tree": True, "workflow": "build"}, {"jobs": [uuid(102)], "sparse_tree": True}),
    ],
    ids=["all", "failed", "name", "ssh", "sparse"],
)
async def test_rerun(server: ScriptedServer, arguments: dict[str, Any], body: dict[str, Any]) -> None:
    old, new = workflow(1, "failed"), workflow(2, "success")
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, repeat_last(items(old), items(old), items(old), items(new, old)))
    server.on("GET", jobs_at(1), items(job(1, "success", "lint"), job(2, "failed")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/rerun", reply(202, json={"workflow_id": uuid(2)}))

    async def use(run: Run) -> None:
        assert await run.rerun(**arguments) == uuid(2)
        # The new workflow may not be listed at once; the old failure is not the result.
        assert (await run.wait()).is_success

    await attached(server, use)
    posts = [request for request in server.requests if request.method == "POST"]
    assert [request.json if request.body else {} for request in posts] == [body]


async def test_rerun_confirmed_without_an_id(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "failed")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/rerun", reply(202, json={"message": "Accepted."}))

    async def use(run: Run) -> None:
        assert await run.rerun() is None

    await attached(server, use)


async def test_wait_waits_for_a_rerun_without_an_id(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    old, new = workflow(1, "failed"), workflow(2, "success")
    # The list is read by rerun, then by the polls: the new workflow is late.
    server.on("GET", WORKFLOWS, repeat_last(items(old), items(old), items(old), items(new, old)))
    server.on("GET", jobs_at(1), items(job(1, "failed")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/rerun", reply(202, json={"message": "Accepted."}))

    async def use(run: Run) -> None:
        assert await run.rerun() is None
        result = await run.wait()
        assert (result.status, [one.id for one in result.workflows]) == ("success", [uuid(2)])

    await attached(server, use)
    assert [request for request in asked(server) if request.startswith("POST")] == [f"POST /workflow/{uuid(1)}/rerun"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"from_failed": True, "jobs": ["test"]}, "^run.rerun: from_failed=True and jobs= exclude each other"),
        ({"ssh": True}, "^run.rerun: ssh=True requires jobs="),
        ({"sparse_tree": True, "from_failed": True}, "^run.rerun: sparse_tree=True requires jobs="),
        ({"jobs": []}, "^run.rerun: jobs: expected at least one job"),
        ({"jobs": "test"}, "^run.rerun: jobs: expected a list of names or ids, got str"),
        ({"jobs": None}, "^run.rerun: jobs: expected a list of names or ids, got None"),
        ({"workflow": None}, "^run.rerun: workflow: expected an id or name .*got None"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
async def test_rerun_refuses_locally(server: ScriptedServer, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        await attached(server, lambda run: run.rerun(**arguments))
    assert server.requests == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, r"^run\.rerun: several workflows match; pass workflow=. Workflows: build \(failed\), lint \(failed\)"),
        ({"from_failed": True}, "several workflows match"),
        ({"workflow": "deploy"}, "no workflow 'deploy'. Workflows:"),
        ({"jobs": ["nothing"]}, "no workflow has nothing. Jobs: build/test, lint/test, lint/style"),
        ({"jobs": ["test"]}, "several workflows have these jobs; pass workflow="),
    ],
    ids=lambda value: value if isinstance(value, str) else "-",
)
async def test_rerun_does_not_guess(server: ScriptedServer, arguments: dict[str, Any], says: str) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "failed"), workflow(2, "failed", "lint")))
    server.on("GET", jobs_at(1), items(job(2, "failed")))
    server.on("GET", jobs_at(2), items(job(3, "failed"), job(4, "success", "style")))
    with pytest.raises(InvalidArgumentError, match=says):
        await attached(server, lambda run: run.rerun(**arguments))
    assert not any(request.method == "POST" for request in server.requests)


async def test_cancel_takes_what_is_over_for_done(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    there = [workflow(n, status, f"w{n}") for n, status in enumerate(["running", "on_hold", "success", "failing"], 1)]
    server.on("GET", WORKFLOWS, items(*there))
    for number, response in (
        (1, reply(202, json=MESSAGE)),
        (2, reply(409, json=MESSAGE)),
        (4, reply(202, json=MESSAGE)),
    ):
        server.on("POST", f"/api/v2/workflow/{uuid(number)}/cancel", response)
    assert await attached(server, lambda run: run.cancel()) == (uuid(1), uuid(4))


# ---- find ----


def commit(number: int, revision: str | None) -> dict[str, Any]:
    made: dict[str, Any] = {**CREATED, "id": uuid(number), "number": number, "errors": [], "project_slug": SLUG}
    made["trigger"] = {
        "type": "api",
        "received_at": "2026-06-01T12:00:00Z",
        "actor": {"login": "ada", "avatar_url": None},
    }
    repository = {"provider_name": "GitHub", "origin_repository_url": "https://x", "target_repository_url": "https://x"}
    return made if revision is None else {**made, "vcs": {**repository, "revision": revision}}


async def test_find_returns_the_newest_run_of_a_commit(server: ScriptedServer) -> None:
    path = f"/api/v2/project/{SLUG}/pipeline"
    first = items(commit(9, None), commit(8, "a" * 40), token="next")
    second = items(commit(7, "b" * 40), commit(6, "a" * 40))

    def pages(request: Request) -> Response:
        return second if request.query else first

    server.on("GET", path, pages)
    async with client_on(server, FakeClock()) as circleci:
        run = await circleci.runs.find(f" {SLUG} ", revision="A" * 40)
        assert run is not None
        assert (run.id, run.number, run.project_slug) == (uuid(8), 8, SLUG)
        assert run.url == f"{server.url}/pipelines/github/acme/web/8"
        assert len(server.requests) == 1
        run = await circleci.runs.find(SLUG, revision="b" * 7)
        assert run is not None
        assert run.number == 7
        assert await circleci.runs.find(SLUG, revision="b" * 40, max_pipelines=2) is None
        assert await circleci.runs.find(SLUG, revision="c" * 40) is None
        server.on("GET", path, [reply(503), items(commit(1, "d" * 40))])
        assert await circleci.runs.find(SLUG, revision="d" * 40, branch="main") is not None
    assert server.requests[-1].query == (("branch", "main"),)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"revision": None}, "revision: expected a non-empty str, got None"),
        ({"revision": "abc"}, "revision: expected a commit SHA of at least 7 hexadecimal digits, got 'abc'"),
        ({"revision": "main-branch"}, "revision: expected a commit SHA"),
        (
            {"revision": "a" * 40, "branch": None},
            "branch: expected a non-empty str, got None. Leave it out, or pass UNSET",
        ),
        ({"revision": "a" * 40, "max_pipelines": 0}, "max_pipelines: expected an int of at least 1, got 0"),
        ({"revision": "a" * 40, "max_pipelines": True}, "max_pipelines: expected an int of at least 1, got True"),
        ({"revision": "a" * 40, "project_slug": "acme/web"}, "project_slug: .*ProjectSlug.parse"),
    ],
)
async def test_find_rejects_invalid_arguments(server: ScriptedServer, arguments: dict[str, Any], says: str) -> None:
    async with client_on(server) as circleci:
        with pytest.raises(InvalidArgumentError, match=f"^runs.find: {says}"):
            given: dict[str, Any] = {"project_slug": SLUG, **arguments}
            await circleci.runs.find(**given)
    assert server.requests == []


async def test_jobs_are_all_jobs_of_the_current_workflows(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    workflows = items(workflow(1, "failed"), workflow(2, "failed"), workflow(3, "success", "lint"))
    server.on("GET", WORKFLOWS, workflows)
    server.on("GET", jobs_at(2), items(job(1, "success"), job(2, "failed"), approval(3, "on_hold")))
    server.on("GET", jobs_at(3), items(job(4, "success", "style")))

    async def use(run: Run) -> None:
        assert run.url is None
        assert [(one.number, one.status) for one in await run.jobs()] == [
            (1, "success"),
            (2, "failed"),
            (None, "on_hold"),
            (4, "success"),
        ]
        result = await run.result()
        assert result.url == f"{server.url}/pipelines/github/acme/web/7"
        # Those that were read: the jobs of the workflow that failed.
        assert [one.number for one in result.jobs] == [1, 2, None]
        assert [one.number for one in result.failed_jobs] == [2]
        watch = run.watch()
        async for _ in watch:
            pass
        assert [one.number for one in watch.result.jobs] == [1, 2, None, 4]

    server.on("GET", jobs_at(1), items(job(9, "failed")))
    await attached(server, use)


async def test_a_started_run_has_a_url(server: ScriptedServer) -> None:
    server.on("POST", TRIGGER, reply(201, json=CREATED))
    async with client_on(server) as circleci:
        run = await circleci.runs.start(f" {SLUG}\n")
    assert (run.url, run.project_slug) == (f"{server.url}/pipelines/github/acme/web/7", SLUG)


@pytest.mark.parametrize("wrong", [None, "", 7])
async def test_attach_rejects_what_is_no_id(server: ScriptedServer, wrong: Any) -> None:
    async with client_on(server) as circleci:
        with pytest.raises(InvalidArgumentError, match=r"^runs\.attach: pipeline_id: expected an id"):
            circleci.runs.attach(wrong)


async def test_latest(server: ScriptedServer) -> None:
    path = f"/api/v2/project/{SLUG}/pipeline"
    newest: dict[str, Any] = {**CREATED, "errors": [], "project_slug": SLUG}
    newest["trigger"] = {
        "type": "api",
        "received_at": "2026-06-01T12:00:00Z",
        "actor": {"login": "ada", "avatar_url": None},
    }
    server.on("GET", path, [reply(json={"items": [newest], "next_page_token": "x"}), items()])
    async with client_on(server) as circleci:
        run = await circleci.runs.latest(SLUG, branch="feature/x")
        assert run is not None
        assert run.id == ID
        assert await circleci.runs.latest(SLUG) is None
    assert [request.query for request in server.requests] == [(("branch", "feature/x"),), ()]


async def test_current(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CIRCLE_PIPELINE_ID", raising=False)
    monkeypatch.delenv("CIRCLE_WORKFLOW_ID", raising=False)
    server.on("GET", f"/api/v2/workflow/{uuid(1)}", reply(json=workflow(1, "running")))
    async with client_on(server) as circleci:
        with pytest.raises(ConfigError, match=r"^runs.current: this process is no job of CircleCI"):
            await circleci.runs.current()
        monkeypatch.setenv("CIRCLE_WORKFLOW_ID", uuid(1))
        run = await circleci.runs.current()
        assert (run.id, run.number, run.project_slug) == (ID, 7, SLUG)
        monkeypatch.setenv("CIRCLE_PIPELINE_ID", uuid(9))
        assert (await circleci.runs.current()).id == uuid(9)
    assert len(server.requests) == 1


# ---- on the fake ----


def describe(event: RunEvent) -> str:
    match event:
        case JobEvent(job) | ApprovalEvent(job):
            name = f"{job.workflow_name}/{job.name}"
        case WorkflowEvent(workflow):
            name = workflow.name
        case _:
            name = "pipeline"
    return f"{name} {event.previous or '-'} {event.status}"


@pytest.fixture
def fake() -> FakeCircleCI:
    return FakeCircleCI()


@pytest.fixture
def web(fake: FakeCircleCI) -> FakeProject:
    return fake.add_project(SLUG)


async def test_a_setup_workflow_alone_is_not_the_end(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(
        Workflow("setup", Job("generate", 20), setup=True),
        Workflow("build", Job("test", 60, outcome="failed"), delay=240),
    )
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        result = await run.wait()
    assert result.status == "failed"
    assert [one.name for one in result.workflows] == ["setup", "build"]


async def test_watch_reports_everything_once(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(
        Workflow("setup", Job("generate", 20), setup=True),
        Workflow(
            "build", Job("test", 60), Approval("release?", requires=["test"]), Job("deploy", 60, requires=["release?"])
        ),
    )
    told: list[str] = []
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        watch = run.watch()
        async for event in watch:
            told.append(describe(event))
            if isinstance(event, ApprovalEvent) and event.status == "on_hold":
                assert [one.name for one in watch.result.approvals] == ["release?"]
                await run.approve(job=event.job.name)
        assert watch.result.is_success
    assert told == [
        "pipeline - setup-pending",
        "pipeline setup-pending setup",
        "setup - running",
        "setup/generate - running",
        "pipeline setup created",
        "setup/generate running success",
        "setup running success",
        "build - running",
        "build/test - running",
        "build/release? - blocked",
        "build/deploy - blocked",
        "build/test running success",
        "build/release? blocked on_hold",
        "build running on_hold",
        "build/release? on_hold success",
        "build/deploy blocked running",
        "build on_hold running",
        "build/deploy running success",
        "build running success",
    ]


async def test_a_rerun_from_failed_and_its_events(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("lint", 20), Job("test", 60, outcome=["failed", "success"])))
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        assert (await run.wait()).status == "failed"
        await run.rerun(from_failed=True)
        told = [describe(event) async for event in run.watch()]
        assert (await run.wait()).is_success
    assert told.count("build/lint - success") == 1
    assert told[-2:] == ["build/test running success", "build running success"]
    assert len(set(told)) == len(told)


async def test_cancel_and_wait(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("test", 600)), Workflow("lint", Job("style", 10)))
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        with pytest.raises(RunTimeoutError):
            await run.wait(timeout=60)
        assert len(await run.cancel()) == 1
        result = await run.wait()
    assert result.status == "canceled"
    assert [one.name for one in result.failed_jobs] == ["test"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_cancel_redundant(fake: FakeCircleCI, web: FakeProject, dry_run: bool) -> None:
    fake.page_size = 2
    web.will_run(
        Workflow("build", Job("test", 600)), Workflow("hold", Approval("go?")), Workflow("lint", Job("style", 5))
    )
    async with fake.client() as circleci:
        runs = [await circleci.runs.start(SLUG, branch="main") for _ in range(3)]
        other = await circleci.runs.start(SLUG, branch="other")
        fake.clock.advance(60)
        done = await circleci.runs.cancel_redundant(SLUG, "main", dry_run=dry_run)
        fake.clock.advance(60)
        assert [one.pipeline_number for one in done.results] == [2, 2, 1, 1]
        assert sorted(one.workflow_name for one in done.results) == ["build", "build", "hold", "hold"]
        assert {one.outcome for one in done.results} == {"would_cancel" if dry_run else "canceled"}
        statuses = [(await run.result()).status for run in (*runs, other)]
        assert statuses == (["running"] * 4 if dry_run else ["canceled", "canceled", "running", "running"])
        if not dry_run:
            assert await circleci.runs.cancel_redundant(SLUG, "main") == CancelReport(())
            # An older pipeline to keep: newer ones are left alone.
            assert await circleci.runs.cancel_redundant(SLUG, "main", keep=runs[1].id) == CancelReport(())
            with pytest.raises(
                InvalidArgumentError, match=r"^runs.cancel_redundant: keep: pipeline .* is not among the 3 newest"
            ):
                await circleci.runs.cancel_redundant(SLUG, "main", keep=other.id)


async def test_a_pipeline_that_could_not_be_made_does_not_replace_what_runs(
    fake: FakeCircleCI, web: FakeProject
) -> None:
    web.will_run(Workflow("build", Job("test", 600)))
    async with fake.client() as circleci:
        await circleci.runs.start(SLUG, branch="main")
        web.will_error("bad yaml")
        await circleci.runs.start(SLUG, branch="main")
        fake.clock.advance(10)
        assert await circleci.runs.cancel_redundant(SLUG, "main") == CancelReport(())


async def test_leaving_a_watch_early_leaves_nothing_behind(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("test", 600)))
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        async for event in run.watch():
            if isinstance(event, WorkflowEvent):
                break
        calls = len(fake.requests)
        fake.clock.advance(600)
        await anyio.lowlevel.checkpoint()
        assert len(fake.requests) == calls


async def test_a_cancelled_wait_leaves_the_client_usable(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("test", 600)))
    async with fake.client(wait="real") as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        with anyio.move_on_after(0.05) as scope:
            await run.wait()
        assert scope.cancelled_caught
        fake.clock.advance(700)
        assert (await run.wait()).is_success


async def test_the_attributes_of_the_client() -> None:
    async with AsyncCircleCI("token") as circleci:
        assert circleci.runs is circleci.runs
        assert repr(circleci.runs.attach(ID)) == f"<Run {ID}>"


# ---- odd responses ----

PAGE: Final = reply(text="<html><title>Sign in</title></html>", content_type="text/html")


@pytest.mark.parametrize(
    "odd", [PAGE, reply(json=[]), reply(json={"message": "Maintenance."})], ids=["page", "list", "no"]
)
@pytest.mark.parametrize("path", [PIPELINE, WORKFLOWS, jobs_at(1)], ids=["pipeline", "workflows", "jobs"])
async def test_wait_looks_again_after_a_response_that_cannot_be_used(
    server: ScriptedServer, path: str, odd: Response
) -> None:
    responses = {PIPELINE: pipeline(), WORKFLOWS: items(workflow(1, "failed")), jobs_at(1): items(job(1, "failed"))}
    for each, response in responses.items():
        server.on("GET", each, repeat_last(odd, odd, response) if each == path else response)
    server.on("GET", PIPELINE, repeat_last(pipeline("pending"), *[odd] * 2 * (path == PIPELINE), pipeline()))
    if path != PIPELINE:
        server.on("GET", WORKFLOWS, repeat_last(items(), *[odd] * 2 * (path == WORKFLOWS), responses[WORKFLOWS]))
    result = await attached(server, lambda run: run.wait())
    assert (result.status, len(result.failed_jobs)) == ("failed", 1)


@pytest.mark.parametrize("path", [PIPELINE, WORKFLOWS, jobs_at(1)], ids=["pipeline", "workflows", "jobs"])
async def test_wait_ends_when_three_responses_in_a_row_cannot_be_used(server: ScriptedServer, path: str) -> None:
    """After a first look at which nothing is refused."""
    responses = {PIPELINE: pipeline(), WORKFLOWS: items(workflow(1, "failed")), jobs_at(1): items(job(1, "failed"))}
    for each, response in responses.items():
        server.on("GET", each, PAGE if each == path else response)
    server.on("GET", PIPELINE, repeat_last(pipeline("pending"), PAGE if path == PIPELINE else pipeline()))
    with pytest.raises(DecodeError, match="HTML") as caught:
        await attached(server, lambda run: run.wait(timeout=None))
    assert caught.value.__notes__ == [f"The run {ID} continues: runs.attach('{ID}') waits for it again."]
    assert sum(request.path == path for request in server.requests) == 3 + (path == PIPELINE)


REFUSALS: Final = [reply(401, json=MESSAGE), reply(403, json=MESSAGE), PAGE]


@pytest.mark.parametrize("odd", REFUSALS, ids=["401", "403", "page"])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_the_third_refusal_in_a_row_ends_a_wait(server: ScriptedServer, odd: Response, times: int) -> None:
    running = items(workflow(1, "running"))
    server.on("GET", PIPELINE, pipeline())
    refused = [odd] * times
    script = repeat_last(running, *refused, running, reply(502), odd, reply(502), odd, items(workflow(1, "success")))
    server.on("GET", WORKFLOWS, script)
    if times < 3:
        assert (await attached(server, lambda run: run.wait())).is_success
        return
    with pytest.raises((AuthenticationError, PermissionDeniedError, DecodeError)):
        await attached(server, lambda run: run.wait())
    assert sum(request.path == WORKFLOWS for request in server.requests) == 4


@pytest.mark.parametrize("odd", REFUSALS, ids=["401", "403", "page"])
@pytest.mark.parametrize("path", [PIPELINE, WORKFLOWS, jobs_at(1)], ids=["pipeline", "workflows", "jobs"])
async def test_the_first_look_does_not_pass_over_a_refusal(server: ScriptedServer, path: str, odd: Response) -> None:
    responses = {PIPELINE: pipeline(), WORKFLOWS: items(workflow(1, "failed")), jobs_at(1): items(job(1, "failed"))}
    for each, response in responses.items():
        server.on("GET", each, odd if each == path else response)
    for wait in (True, False):
        server.requests.clear()
        with pytest.raises((AuthenticationError, PermissionDeniedError, DecodeError)):
            await attached(server, lambda run, wait=wait: run.wait() if wait else run.result())
        assert sum(request.path == path for request in server.requests) == 1


@pytest.mark.parametrize("found", [None, "running", "success"])
async def test_a_workflow_that_is_no_longer_listed_ends_as_told(server: ScriptedServer, found: str | None) -> None:
    both = items(workflow(1, "success"), workflow(2, "running", "deploy"))
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, repeat_last(both, items(workflow(1, "success"))))
    at = f"/api/v2/workflow/{uuid(2)}"
    gone = reply(404, json=MESSAGE)
    response = gone if found is None else reply(json=workflow(2, found, "deploy"))
    server.on("GET", at, repeat_last(response, response, gone))
    server.on("GET", jobs_at(1), items(job(1, "success")))
    server.on("GET", jobs_at(2), gone)
    clock = FakeClock()
    result = await attached(server, lambda run: run.wait(timeout=None), clock)
    assert (result.status, result.is_over) == ("success" if found == "success" else "failed", True)
    if found != "success":
        assert result.errors == ("workflow deploy is no longer listed; its last status was running",)
        with pytest.raises(RunFailedError, match="workflow deploy is no longer listed"):
            result.raise_for_failure()
    assert clock.now - 1000 < (180 if found == "running" else 60)
    server.on("GET", WORKFLOWS, repeat_last(both, items(workflow(1, "success"))))

    async def watch(run: Run) -> str:
        watch = run.watch()
        async for _ in watch:
            pass
        return watch.result.status

    assert await attached(server, watch) == result.status


async def _by_watch(run: Run) -> RunResult:
    watch = run.watch()
    async for _ in watch:
        pass
    return watch.result


@pytest.mark.parametrize("second", [Run.wait, Run.result, _by_watch], ids=["wait", "result", "watch"])
@pytest.mark.parametrize("last", ["failed", "running"])
async def test_a_later_look_at_a_run_knows_what_was_read(
    server: ScriptedServer, last: str, second: Callable[[Run], Awaitable[RunResult]]
) -> None:
    """A workflow that has failed, or has vanished before its end, is missing from all later lists."""
    at = {"created_at": "2024-06-01T12:00:00Z"}
    build = workflow(1, "success", **at, stopped_at="2024-06-01T12:01:00Z")
    deploy = workflow(2, last, "deploy", **at, stopped_at=None if last == "running" else "2024-06-01T12:02:00Z")
    server.on("GET", PIPELINE, pipeline(**at))
    server.on("GET", WORKFLOWS, repeat_last(items(build, deploy), items(build)))
    server.on("GET", f"/api/v2/workflow/{uuid(2)}", reply(404, json=MESSAGE))
    server.on("GET", jobs_at(1), items(job(1, "success")))
    server.on("GET", jobs_at(2), items(job(2, "failed")))

    async def twice(run: Run) -> tuple[RunResult, RunResult]:
        first = await run.wait()
        server.on("GET", PIPELINE, repeat_last(reply(502), pipeline(**at)))  # a look that fails forgets nothing
        return first, await second(run)

    first, later = await attached(server, twice)
    assert (first.status, later.status, later.is_over) == ("failed", "failed", True)
    assert [one.name for one in later.workflows] == ["build", "deploy"]
    assert later.errors == first.errors


async def test_an_unavailable_status_does_not_hide_the_end_of_a_job_that_waited(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, repeat_last(items(workflow(1, "running")), items(workflow(1, "failed"))))
    unavailable = job(1, "blocked", job_number=None) | {"status": None}
    script = [
        items(one) for one in (job(1, "blocked", job_number=None), unavailable, job(1, "not_run", job_number=None))
    ]
    server.on("GET", jobs_at(1), repeat_last(*script))

    async def watch(run: Run) -> list[str]:
        return [event.status async for event in run.watch() if isinstance(event, JobEvent)]

    assert await attached(server, watch) == ["blocked", "not_run"]


async def test_a_workflow_that_is_listed_again_is_no_longer_gone(server: ScriptedServer) -> None:
    both = items(workflow(1, "success"), workflow(2, "running", "deploy"))
    done = items(workflow(1, "success"), workflow(2, "success", "deploy"))
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, repeat_last(both, items(workflow(1, "success"))))
    server.on("GET", f"/api/v2/workflow/{uuid(2)}", reply(404, json=MESSAGE))
    server.on("GET", jobs_at(2), reply(404, json=MESSAGE))

    async def twice(run: Run) -> tuple[RunResult, RunResult]:
        first = await run.wait()
        server.on("GET", WORKFLOWS, done)
        return first, await run.wait()

    first, later = await attached(server, twice)
    assert (first.status, later.status) == ("failed", "success")


@pytest.mark.parametrize("on_hold", ["return", "raise"])
async def test_an_approval_is_seen_beside_a_failed_job(server: ScriptedServer, on_hold: Any) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "failing")))
    waiting = approval(2, "on_hold") | {"job_number": 12}
    moving = items(job(1, "failed"), waiting, job(3, "running", "lint"))
    server.on("GET", jobs_at(1), repeat_last(moving, moving, items(job(1, "failed"), waiting, job(3, "success"))))
    if on_hold == "raise":
        with pytest.raises(RunFailedError, match=r"build/release\? waits for approval") as caught:
            await attached(server, lambda run: run.wait(on_hold=on_hold))
        result = caught.value.result
    else:
        result = await attached(server, lambda run: run.wait(on_hold=on_hold))
    assert result is not None
    assert (result.status, result.is_over) == ("failing", False)
    assert [(one.name, one.number) for one in result.approvals] == [("release?", None)]
    assert [one.name for one in result.failed_jobs] == ["test"]
    # While a job moves, its jobs in place of the workflows; then the workflows, and the jobs of the same moment.
    read = [request.path for request in server.requests[1:]]
    assert read == [WORKFLOWS, jobs_at(1), jobs_at(1), jobs_at(1), WORKFLOWS, jobs_at(1)]


@pytest.mark.parametrize("status", ["running", "hibernating"])
async def test_jobs_that_move_for_ever_hide_no_end(server: ScriptedServer, status: str) -> None:
    """The list of jobs may be stale, and a final status unknown."""
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, repeat_last(items(workflow(1, "failing")), items(workflow(1, "failed"))))
    server.on("GET", jobs_at(1), items(job(1, "failed"), job(3, status, "lint")))
    result = await attached(server, lambda run: run.wait(on_hold="return"))
    assert (result.status, result.is_over) == ("failed", True)


async def test_approve_before_the_hold_says_so(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items())
    says = r"^run\.approve: no approval is pending: .* Use run\.wait\(on_hold=\"return\"\) first\. Approvals: none\.$"
    with pytest.raises(InvalidArgumentError, match=says):
        await attached(server, lambda run: run.approve())
    with pytest.raises(InvalidArgumentError, match=r"no pending approval 'go'.* first\. Approvals: none\.$"):
        await attached(server, lambda run: run.approve(job="go"))


@pytest.mark.parametrize("odd", [PAGE, reply(502)], ids=["page", "502"])
async def test_a_run_is_not_over_before_a_look_that_succeeds(server: ScriptedServer, odd: Response) -> None:
    """A workflow that was rejected at once may be listed before the others."""
    rejected = workflow(1, "success", "lint", stopped_at="2026-06-01T12:01:00Z")
    server.on("GET", PIPELINE, pipeline())
    more = 2 if odd is PAGE else 4
    responses = [items(rejected), *[odd] * more, items(rejected, workflow(2, "failed"))]
    server.on("GET", WORKFLOWS, repeat_last(*responses))
    server.on("GET", jobs_at(2), items(job(1, "failed")))
    result = await attached(server, lambda run: run.wait())
    assert (result.status, [one.name for one in result.workflows]) == ("failed", ["lint", "build"])


async def test_a_strict_client_hears_of_an_odd_field_at_once(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline(number="seven"))
    async with client_on(server, FakeClock(), strict=True) as circleci:
        with pytest.raises(DecodeError) as caught:
            await circleci.runs.attach(ID).wait()
    assert caught.value.field == "number"
    assert len(server.requests) == 1


async def test_a_workflow_without_an_id_leaves_the_others(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    nameless = {**workflow(2, "running", "deploy"), "id": None}
    server.on(
        "GET",
        WORKFLOWS,
        repeat_last(
            items(nameless, workflow(1, "running")),
            items(nameless, workflow(1, "success")),
            *[items(nameless, workflow(1, "success"))] * 8,
            items(workflow(2, "failed", "deploy"), workflow(1, "success")),
        ),
    )
    server.on("GET", jobs_at(1), items(job(1, "success")))
    server.on("GET", jobs_at(2), items(job(2, "failed")))

    async def use(run: Run) -> None:
        seen: list[tuple[str, str]] = []
        watch = run.watch(timeout=None)
        async for event in watch:
            seen.append((type(event).__name__, event.status))
            assert not watch.result.is_success
        assert {("WorkflowEvent", "success"), ("WorkflowEvent", "failed")} <= set(seen)
        assert watch.result.status == "failed"

    await attached(server, use)


async def test_a_workflow_that_never_has_an_id_ends_the_wait(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items({**workflow(2, "success", "deploy"), "id": None}, workflow(1, "success")))
    clock = FakeClock()
    with pytest.raises(FieldUnavailableError, match=r"^v2\.pipelines\.list_workflows: items\.0\.id") as caught:
        await attached(server, lambda run: run.wait(timeout=None), clock)
    assert caught.value.received == "null"
    assert "model_dump" not in str(caught.value)
    assert caught.value.__notes__ == [f"The run {ID} continues: runs.attach('{ID}') waits for it again."]
    assert 300 < clock.now - 1000 < 900
    with pytest.raises(RunTimeoutError) as late:
        await attached(server, lambda run: run.wait(timeout=200))
    assert late.value.result is not None
    assert late.value.result.status == "running"


async def test_an_unavailable_status_is_no_end_and_no_event_after_a_known_one(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    odd = {**workflow(1, "running"), "status": None}
    server.on(
        "GET",
        WORKFLOWS,
        repeat_last(items(odd), items(workflow(1, "running")), items(odd), items(workflow(1, "success"))),
    )
    server.on("GET", jobs_at(1), items({**job(1, "success"), "status": 5, "name": None, "id": None}))

    async def use(run: Run) -> list[RunEvent]:
        return [event async for event in run.watch()]

    events = await attached(server, use)
    assert [(event.status, event.previous) for event in events if isinstance(event, WorkflowEvent)] == [
        ("unknown", None),
        ("running", "unknown"),
        ("success", "running"),
    ]
    (only,) = [event.job for event in events if isinstance(event, JobEvent)]
    assert (only.status, only.number, hasattr(only, "name"), hasattr(only, "id")) == ("unknown", 1, False, False)
    with pytest.raises(
        FieldUnavailableError, match=r"^v2\.workflows\.list_jobs: items\.0\.name: expected string, received null\.$"
    ):
        print(only.name)


async def test_messages_name_what_is_unavailable_unknown(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline(project_slug=None, errors=[{"type": "config"}]))
    server.on("GET", WORKFLOWS, items({**workflow(1, "failed"), "name": 5, "created_at": "soon"}))
    server.on("GET", jobs_at(1), items({**job(1, "failed"), "name": [], "project_slug": {}}))
    result = await attached(server, lambda run: run.wait())
    assert result.describe() == "Run 7 of unknown: failed (unknown; unknown/unknown: failed)"
    assert (result.number, result.project_slug, result.url) == (7, None, None)
    (failed,) = result.failed_jobs
    assert repr(failed).startswith(
        "RunJob(id='00000000-0000-4000-8000-000000000101', name=<unavailable>, status='failed'"
    )


async def test_a_workflow_without_an_id_does_not_stop_what_concerns_others(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items({**workflow(2, "on_hold", "deploy"), "id": ""}, workflow(1, "on_hold")))
    server.on("GET", jobs_at(1), items(approval(3, "on_hold"), job(1, "success")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/approve/{uuid(203)}", reply(202, json=MESSAGE))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/cancel", reply(202, json=MESSAGE))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/rerun", reply(202, json={"workflow_id": uuid(9)}))
    odd = r"^v2\.pipelines\.list_workflows: items\.\*\.id: expected a non-empty string"

    async def use(run: Run) -> None:
        assert (await run.approve(job="release?")).name == "release?"
        assert await run.rerun(workflow="build") == uuid(9)
        for ambiguous in (run.approve, run.rerun, run.jobs):
            with pytest.raises(FieldUnavailableError, match=odd):
                await ambiguous()
        with pytest.raises(FieldUnavailableError, match=odd):
            await run.cancel()

    await attached(server, use)
    posts = [request.removeprefix(f"POST /workflow/{uuid(1)}/") for request in asked(server) if "POST" in request]
    assert posts == [f"approve/{uuid(203)}", "rerun", "cancel"]


@pytest.mark.parametrize("odd", [{"number": None}, {"state": 5}])
async def test_nothing_is_canceled_for_an_unavailable_order(server: ScriptedServer, odd: dict[str, Any]) -> None:
    newest, older = (pipeline_body(id=uuid(number), number=number) for number in (9, 8))
    listed = [{**newest, **odd}, older]
    server.on("GET", TRIGGER, items(*listed))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(FieldUnavailableError, match=rf"items\.0\.{next(iter(odd))}"):
            await circleci.runs.cancel_redundant(SLUG, "main")
    assert asked(server) == [f"GET /project/{SLUG}/pipeline"]


@pytest.mark.parametrize("odd", [PAGE, reply(502), items(token=5)], ids=["page", "502", "token"])  # type: ignore[arg-type]  # a mix of responses and pages
@pytest.mark.parametrize("seen_before", [True, False])
async def test_half_a_list_of_workflows_is_no_end(server: ScriptedServer, seen_before: bool, odd: Response) -> None:
    """The timeout comes while the second page cannot be read."""
    server.on("GET", PIPELINE, pipeline())
    whole = items(workflow(1, "running"))
    half = [items(workflow(1, "success"), token="two"), odd]
    server.on("GET", WORKFLOWS, repeat_last(*[whole] * seen_before, *half * 40))

    async def use(run: Run) -> None:
        with pytest.raises((RunTimeoutError, DecodeError, PaginationError)) as caught:
            await run.wait(timeout=60)
        if isinstance(caught.value, RunTimeoutError):
            assert caught.value.result is not None
            assert (caught.value.result.status, caught.value.result.is_over) == ("running", False)
        watch = run.watch(timeout=60)
        with pytest.raises((RunTimeoutError, DecodeError, PaginationError)):
            async for _ in watch:
                assert not watch.result.is_over
        assert not watch.result.is_over

    await attached(server, use)


async def test_a_workflow_with_an_unavailable_tag_may_be_the_setup(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    setup = workflow(1, "success", "setup", tag=7)
    server.on("GET", WORKFLOWS, repeat_last(*[items(setup)] * 30, items(setup, workflow(2, "failed"))))
    server.on("GET", jobs_at(2), items(job(2, "failed")))
    result = await attached(server, lambda run: run.wait())
    assert (result.status, [one.name for one in result.workflows]) == ("failed", ["setup", "build"])
    odd = result.workflows[0]
    assert (odd.is_complete, hasattr(odd, "is_setup")) == (False, False)


async def test_an_errored_run_has_a_reason(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline("errored", errors="Config: bad"))
    server.on("GET", WORKFLOWS, items())
    result = await attached(server, lambda run: run.wait())
    assert (result.status, result.errors) == ("errored", ("unknown",))


@pytest.mark.parametrize("odd", [{"status": None}, {"type": None}, {"type": None, "status": 5}, None], ids=repr)
async def test_approve_does_not_take_one_of_several_that_may_be_pending(
    server: ScriptedServer, odd: dict[str, Any] | None
) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "on_hold")))
    other: Any = None if odd is None else {**approval(3, "on_hold", "deploy?"), **odd}
    server.on("GET", jobs_at(1), items(approval(2, "on_hold"), other, job(4, "success")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/approve/{uuid(202)}", reply(202, json=MESSAGE))

    async def use(run: Run) -> None:
        name = "unknown" if odd is None else r"deploy\?"
        with pytest.raises(InvalidArgumentError, match=rf"^run\.approve: .* build/{name} is unavailable.* Pass job=\."):
            await run.approve()
        assert not any(request.method == "POST" for request in server.requests)
        assert (await run.approve(job="release?")).name == "release?"

    await attached(server, use)
    assert sum(request.method == "POST" for request in server.requests) == 1


@pytest.mark.parametrize("status", ["failed", "success"])
async def test_rerun_does_not_take_one_of_several_that_may_have_failed(server: ScriptedServer, status: str) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, status), {**workflow(2, "failed", "deploy"), "status": None}))
    server.on("POST", f"/api/v2/workflow/{uuid(2)}/rerun", reply(202, json={"workflow_id": uuid(9)}))

    async def use(run: Run) -> None:
        with pytest.raises(InvalidArgumentError, match=r"the status of deploy is unavailable.* Pass workflow=\."):
            await run.rerun(from_failed=True)
        assert not any(request.method == "POST" for request in server.requests)
        assert await run.rerun(from_failed=True, workflow="deploy") == uuid(9)

    await attached(server, use)


@pytest.mark.parametrize("status", ["queued", "a-word-of-2027"])
async def test_all_that_has_not_ended_is_redundant(server: ScriptedServer, status: str) -> None:
    listed = [pipeline_body(id=uuid(number), number=number) for number in (9, 8)]
    server.on("GET", TRIGGER, items(*listed))
    server.on("GET", f"/api/v2/pipeline/{uuid(8)}/workflow", items(workflow(1, status), workflow(2, "success")))
    server.on("POST", f"/api/v2/workflow/{uuid(1)}/cancel", reply(202, json=MESSAGE))
    async with client_on(server, FakeClock()) as circleci:
        done = await circleci.runs.cancel_redundant(SLUG, "main")
    assert [(one.workflow_id, one.outcome) for one in done.results] == [(uuid(1), "canceled")]


async def test_failed_jobs_without_an_id_and_a_name_are_several(server: ScriptedServer) -> None:
    server.on("GET", PIPELINE, pipeline())
    server.on("GET", WORKFLOWS, items(workflow(1, "failed")))
    jobs = [{**job(number, "failed"), "id": None, "name": None} for number in (1, 2, 3, 4, 5)]
    pages = [items(*jobs[:3], token="two"), items(*[{**one, "job_number": "x"} for one in jobs[3:]])]
    server.on("GET", jobs_at(1), repeat_last(*pages))

    async def use(run: Run) -> None:
        result = await run.wait()
        assert [getattr(one, "number", None) for one in result.failed_jobs] == [1, 2, 3, None, None]

    await attached(server, use)
