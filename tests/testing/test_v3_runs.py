"""Runs, workflows and jobs in v3: those of v2, by the same ids, with phases and outcomes in place of statuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest

from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobState, Outcome, Workflow, WorkflowState
from circleci_sdk.testing._handlers.v3.phases import JOBS, WORKFLOWS
from tests.testing.raw import Raw
from tests.testing.v3 import V3

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def v3(fake: FakeCircleCI, anyio_backend: str) -> V3:
    return V3(fake)


def ids(body: dict[str, Any]) -> list[str]:
    return [each["id"] for each in body["data"]]


def progress(entity: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Phase, outcome and current outcome."""
    attributes = entity["attributes"]
    return attributes["phase"], attributes.get("outcome"), attributes.get("current_outcome")


class Search:
    """Searches for runs of some projects, in all of 2026."""

    def __init__(self, v3: V3, *projects: FakeProject) -> None:
        self.v3 = v3
        self.scope = {"project_ids": [each.id for each in projects]}
        self.scope |= {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}

    def body(self, filter: str, page: dict[str, object] | None = None, **scope: object) -> dict[str, Any]:
        return {"scope": {**self.scope, **scope}, "filter": filter, "page": page or {}}

    async def __call__(self, filter: str = "", page: dict[str, object] | None = None, **scope: object) -> Any:
        return await self.v3.post("/runs/search", self.body(filter, page, **scope))


def test_each_state_has_a_phase() -> None:
    assert set(JOBS) == set(get_args(JobState))
    assert set(WORKFLOWS) == set(get_args(WorkflowState))


async def test_a_run_is_the_pipeline_of_v2(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("test", 60)))
    made = (await raw("POST", "/v2/project/gh/acme/web/pipeline", {"branch": "dev"})).json()
    run = (await v3.get(f"/runs/{made['id']}"))["data"]
    assert (progress(run), run["attributes"]["number"]) == (("created", None, None), made["number"])
    assert await v3.refused("GET", "/workflows", run_id=made["id"]) == (
        404,
        {"type": "not_found", "title": "Not Found", "detail": "run not found"},
    )
    fake.clock.advance(1)
    assert progress((await v3.get(f"/runs/{made['id']}"))["data"]) == ("started", None, "succeeded")
    [workflow] = (await v3.get("/workflows", run_id=made["id"]))["data"]
    [before] = (await raw("GET", f"/v2/pipeline/{made['id']}/workflow")).json()["items"]
    assert (workflow["id"], progress(workflow)) == (before["id"], ("started", None, "succeeded"))
    assert workflow["references"] == {
        "run": {"id": made["id"]},
        "project": {"id": web.id},
        "user": {"id": fake.user.id},
    }
    [job] = (await v3.get("/jobs", workflow_id=workflow["id"]))["data"]
    assert (job["attributes"]["number"], progress(job)) == (1, ("started", None, None))
    assert (await raw("GET", f"/v2/workflow/{workflow['id']}/job")).json()["items"][0]["id"] == job["id"]
    fake.clock.advance(60)
    run = (await v3.get(f"/runs/{made['id']}"))["data"]
    assert progress(run) == ("ended", None, "succeeded")
    vcs = run["references"]["event"]["attributes"]["vcs"]
    assert (vcs["branch"], vcs["revision"]) == ("dev", web.pipelines[0].revision)
    assert run["references"]["trigger"]["attributes"]["event_source"] == {"type": "api"}
    ended = (await v3.get(f"/workflows/{workflow['id']}"))["data"]
    assert (progress(ended), ended["attributes"]["ended_at"]) == (
        ("ended", "succeeded", None),
        "2026-06-01T09:01:01.000Z",
    )
    assert progress((await v3.get(f"/jobs/{job['id']}"))["data"]) == ("ended", "succeeded", None)


async def test_what_is_missing_or_hidden(v3: V3, fake: FakeCircleCI) -> None:
    hidden = fake.add_project("gh/acme/hidden", hidden=True)
    run = hidden.push(Workflow("build", Job("test")))
    for path in (f"/runs/{run.id}", f"/workflows/{run.workflows[0].id}", f"/jobs/{run.job('test').id}"):
        status, error = await v3.refused("GET", path)
        assert (status, error["type"], error["title"]) == (404, "not_found", "Not Found"), path
    assert (await v3.refused("GET", f"/runs/{UUID}"))[0] == 404
    assert (await v3.refused("GET", "/workflows", run_id=UUID))[0] == 404
    assert (await v3.get("/runs", user_id="me"))["data"] == []
    assert (await Search(v3, hidden)())["data"] == []
    status, error = await v3.refused("GET", "/runs/1")
    assert (status, error["detail"]) == (400, "Parameter 'run_id' must be a UUID.")


@pytest.mark.parametrize(
    ("workflow", "seconds", "run", "shown"),
    [
        (Workflow("a", Job("j", 9)), 1, "started succeeded", "started - succeeded"),
        (Workflow("a", Job("j", 9), Job("k", 1, outcome="failed")), 2, "started failed", "started - failed"),
        (Workflow("a", Approval("ok?")), 1, "started succeeded", "started - succeeded"),
        (Workflow("a", Job("j", 1)), 1, "ended succeeded", "ended succeeded -"),
        (Workflow("a", Job("j", 1, outcome="failed")), 1, "ended failed", "ended failed -"),
        (Workflow("a", Job("j", 1, outcome="timedout")), 1, "ended failed", "ended failed -"),
        (Workflow("a", Job("j", 1), outcome="canceled"), 1, "ended canceled", "ended canceled -"),
        (Workflow("a", outcome="error"), 1, "ended errored", "ended errored -"),
        (Workflow("a", Job("j", 1, outcome="unauthorized")), 1, "ended unauthorized", "ended unauthorized -"),
        (Workflow("a", outcome="not_run"), 1, "ended not_run", "ended not_run -"),
    ],
)
async def test_phases(
    v3: V3, fake: FakeCircleCI, web: FakeProject, workflow: Workflow, seconds: float, run: str, shown: str
) -> None:
    pipeline = web.push(workflow)
    fake.clock.advance(seconds)
    phase, outcome, current = progress((await v3.get(f"/runs/{pipeline.id}"))["data"])
    assert (f"{phase} {current}", outcome) == (run, None)
    [first] = (await v3.get("/workflows", run_id=pipeline.id))["data"]
    assert " ".join(each or "-" for each in progress(first)) == shown


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        ("success", "succeeded"),
        ("failed", "failed"),
        ("canceled", "canceled"),
        ("timedout", "timedout"),
        ("infrastructure_fail", "infrastructure_fail"),
        ("unauthorized", "unauthorized"),
        ("terminated-unknown", "errored"),
        ("retried", "infrastructure_fail"),
        ("skipped", "not_run"),
        ("not_run", "not_run"),
    ],
)
async def test_outcomes_of_jobs(v3: V3, fake: FakeCircleCI, web: FakeProject, outcome: Outcome, shown: str) -> None:
    workflow = web.push(Workflow("a", Job("j", 1, outcome=outcome), Approval("ok?"))).workflows[0]
    fake.clock.advance(1)
    job, approval = (await v3.get("/jobs", workflow_id=workflow.id))["data"]
    assert (progress(job), progress(approval)) == (("ended", shown, None), ("queued", None, None))


async def test_a_queued_run(v3: V3, web: FakeProject) -> None:
    web.push(Workflow("a", Job("ship", 9, serial_group="prod")))
    waiting = web.push(Workflow("a", Job("ship", 9, serial_group="prod")))
    assert progress((await v3.get(f"/runs/{waiting.id}"))["data"]) == ("queued", None, None)
    [job] = (await v3.get("/jobs", workflow_id=waiting.workflows[0].id))["data"]
    assert (progress(job), job["attributes"]["started_at"]) == (("queued", None, None), None)
    assert "parallel_executions" not in (await v3.get(f"/jobs/{job['id']}"))["data"]["attributes"]


async def test_runs_without_workflows(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_error("Job nope is not defined", once=True)
    broken = (await v3.get(f"/runs/{web.push().id}"))["data"]
    assert progress(broken) == ("ended", None, "errored")
    assert broken["attributes"]["errors"] == [{"type": "config", "message": "Job nope is not defined"}]
    web.will_run(once=True)
    empty = web.push()
    assert progress((await v3.get(f"/runs/{empty.id}"))["data"]) == ("ended", None, "not_run")
    assert (await v3.get("/workflows", run_id=empty.id))["data"] == []
    late = web.push(Workflow("late", Job("a", 1), delay=5))
    assert progress((await v3.get(f"/runs/{late.id}"))["data"]) == ("created", None, None)
    web.will_run(Workflow("setup", Job("a", 1), setup=True), Workflow("build", Job("b", 1)), once=True)
    setup = web.push()
    fake.clock.advance(1)
    assert progress((await v3.get(f"/runs/{setup.id}"))["data"]) == ("started", None, "succeeded")
    fake.clock.advance(1)
    assert progress((await v3.get(f"/runs/{setup.id}"))["data"]) == ("ended", None, "succeeded")


async def test_cancel_and_rerun(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    jobs = Job("a", 5), Job("b", 9, outcome=["failed", "success"])
    first = web.push(Workflow("build", *jobs)).workflow("build")
    assert await v3.refused("POST", f"/workflows/{first.id}/rerun") == (
        400,
        {
            "type": "validation_error",
            "title": "Bad Request",
            "detail": "Workflow must be in a terminal state to be rerun",
        },
    )
    fake.clock.advance(9)
    response = await v3.send("POST", f"/workflows/{first.id}/rerun", {"is_from_failed": True, "from_failed": False})
    again = response.json()["data"]["id"]
    assert (response.status_code, response.headers["location"]) == (201, f"/api/v3/workflows/{again}")
    shown = {each["attributes"]["name"]: each for each in (await v3.get("/jobs", workflow_id=again))["data"]}
    assert (progress(shown["a"]), progress(shown["b"])) == (("ended", "succeeded", None), ("started", None, None))
    assert {each["references"]["workflow"]["id"] for each in shown.values()} == {again}
    assert await v3.post(f"/workflows/{again}/cancel", None, 202) == {"data": {"id": again}}
    fake.clock.advance(2)
    assert progress((await v3.get(f"/workflows/{again}"))["data"]) == ("ended", "canceled", None)
    # The name of v2 is passed over: all jobs run.
    whole = (await v3.post(f"/workflows/{first.id}/rerun", {"from_failed": True}, 201))["data"]["id"]
    assert [progress(each)[0] for each in (await v3.get("/jobs", workflow_id=whole))["data"]] == ["started", "started"]
    assert ids(await v3.get("/workflows", run_id=first.pipeline.id)) == [whole, again, first.id]
    fake.clock.advance(9)
    status, error = await v3.refused("POST", f"/workflows/{whole}/rerun", {"is_from_failed": True})
    assert (status, error["detail"]) == (400, "The workflow has no failed jobs to run again.")
    assert progress((await v3.get(f"/runs/{first.pipeline.id}"))["data"]) == ("ended", None, "succeeded")


async def test_a_job_with_its_steps(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    run = web.push(Workflow("build", Job("test", 20, outcome="failed", parallelism=2, output="é\n"), Approval("ok?")))
    fake.clock.advance(10)
    job = (await v3.get(f"/jobs/{run.job('test').id}"))["data"]
    [first, second] = job["attributes"]["parallel_executions"]
    assert first == second
    assert [(step["type"], step["num"], step["phase"]) for step in first["steps"]] == [
        ("spinup_environment", 0, "ended"),
        ("checkout", 101, "ended"),
        ("run", 102, "started"),
    ]
    assert not {"outcome", "exit_code", "ended_at"} & set(first["steps"][2])
    fake.clock.advance(10)
    job = (await v3.get(f"/jobs/{run.job('test').id}"))["data"]
    last = job["attributes"]["parallel_executions"][0]["steps"][-1]
    assert (last["outcome"], last["exit_code"], last["stdout_bytes"]) == ("failed", 1, 3)
    assert job["references"]["pipeline"] == {"id": run.id}
    usage = (await v3.get(f"/jobs/{job['id']}/resource-usage"))["data"]["attributes"]
    assert (usage["resource_class"]["name"], len(usage["parallel_executions"])) == ("medium", 2)
    assert [len(each["cpu_cores"]) for each in usage["parallel_executions"]] == [2, 2]
    approval = (await v3.get(f"/jobs/{run.job('ok?').id}"))["data"]
    assert (approval["attributes"]["type"], progress(approval)) == ("approval", ("queued", None, None))
    assert (await v3.refused("GET", f"/jobs/{approval['id']}/resource-usage"))[0] == 404


async def test_artifacts(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    job = web.push(Workflow("b", Job("test", 5, parallelism=2, artifacts={"a.txt": "1", "b.txt": "2"}))).job("test")
    fake.clock.advance(5)
    shown = (await v3.get(f"/jobs/{job.id}/artifacts"))["data"]
    assert [(each["attributes"]["path"], each["attributes"]["execution"]) for each in shown] == [
        ("a.txt", 0),
        ("b.txt", 1),
    ]
    assert ids({"data": shown}) == ids(await v3.get(f"/jobs/{job.id}/artifacts"))
    assert (await raw("GET", shown[1]["attributes"]["url"])).text == "2"


# Lists and searches


async def test_runs_of_the_user(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    other = fake.add_user("bob")
    mine = [web.push(Workflow("a", Job("a", 5, outcome=outcome))).id for outcome in ("failed", "success")]
    web.push(actor=other)
    fake.clock.advance(10)
    mine.append(web.push(Workflow("a", Job("a", 5))).id)
    assert ids(await v3.get("/runs", user_id="me")) == mine[::-1]
    assert ids(await v3.get("/runs", user_id="me", phase="ended", current_outcome="failed")) == [mine[0]]
    assert ids(await v3.get("/runs", user_id="me", from_=(fake.clock.now - timedelta(seconds=1)).isoformat())) == [
        mine[2]
    ]
    assert (
        ids(await v3.get("/runs", user_id="me", to=(fake.clock.now - timedelta(seconds=1)).isoformat())) == mine[1::-1]
    )
    assert (await v3.refused("GET", "/runs", user_id=other.id))[0] == 400
    assert (await v3.refused("GET", "/runs"))[1]["title"] == "Missing Required Filter"


async def test_pages_of_runs(v3: V3, web: FakeProject) -> None:
    made = [web.push(Workflow("a", Job("a", 5))).id for _ in range(5)][::-1]
    first = await v3.get("/runs", user_id="me", page__limit=2)
    web.push()  # what is added later does not shift the pages
    second = await v3.get("/runs", user_id="me", page__limit=2, page__cursor=first["page"]["next"])
    last = await v3.get("/runs", user_id="me", page__limit=2, page__cursor=second["page"]["next"])
    assert [ids(each) for each in (first, second, last)] == [made[:2], made[2:4], made[4:]]
    assert last["page"]["next"] is None
    for limit in (0, 21):
        assert (await v3.refused("GET", "/runs", user_id="me", page__limit=limit))[0] == 400
    assert (await v3.refused("GET", "/runs", user_id="me", page__cursor="nonsense"))[0] == 400


async def test_a_search_over_projects(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    api = fake.add_project("gh/acme/api")
    fake.add_project("gh/acme/other").push()
    web.will_run(Workflow("build", Job("test", 5)))
    api.will_run(Workflow("build", Job("test", 50)))
    one, two = web.push(branch="main").id, api.push(branch='a"b\\c').id
    fake.clock.advance(10)
    three = web.push(branch="main", revision="f" * 40).id
    search = Search(v3, web, api)
    assert ids(await search()) == [three, two, one]
    assert ids(await search('pipeline.git.branch == "main"')) == [three, one]
    assert ids(await search('pipeline.git.branch == "a\\"b\\\\c"')) == [two]
    assert ids(await search(f'pipeline.git.revision == "{"f" * 40}"')) == [three]
    assert ids(await search('pipeline.git.branch == "main" and pipeline.status == "success"')) == [one]
    assert ids(await search('pipeline.status=="running"')) == [three, two]
    assert ids(await search('pipeline.status == "nonsense"')) == []
    now = fake.clock.now
    assert ids(await search(**{"from": now.isoformat()})) == [three]
    assert ids(await search(to=(now - timedelta(seconds=10)).isoformat())) == [two, one]
    first = await search(page={"limit": 2, "cursor": ""})
    assert ids(await search(page={"limit": 2, "cursor": first["page"]["next"]})) == [one]


@pytest.mark.parametrize(
    "filter",
    [
        "pipeline.git.branch",
        'pipeline.git.branch != "main"',
        'pipeline.git.branch = "main"',
        "pipeline.git.branch == 'main'",
        'pipeline.git.branch == "main',
        'pipeline.git.branch == "a\\nb"',
        'pipeline.git.tag == "main"',
        'pipeline.git.branch == "main" or pipeline.status == "failed"',
        'pipeline.git.branch == "main" pipeline.status == "failed"',
        'pipeline.git.branch == "main" and',
        'pipeline.git.branch == "main" andpipeline.status == "failed"',
    ],
)
async def test_filters_that_are_not_in_the_language(v3: V3, web: FakeProject, filter: str) -> None:
    status, error = await v3.refused("POST", "/runs/search", Search(v3, web).body(filter))
    assert (status, error["title"]) == (400, "Invalid Filter")


@pytest.mark.parametrize(
    ("workflow", "seconds", "status"),
    [
        (Workflow("a", Job("j", 9)), 1, "running"),
        (Workflow("a", Approval("ok?")), 1, "on_hold"),
        (Workflow("a", Job("j", 9), Job("k", 1, outcome="failed")), 2, "failing"),
        (Workflow("a", Job("j", 1)), 2, "success"),
        (Workflow("a", Job("j", 1, outcome="failed")), 2, "failed"),
        (Workflow("a", outcome="error"), 2, "error"),
        (Workflow("a", Job("j", 1), outcome="canceled"), 2, "canceled"),
        (Workflow("a", Job("j", 1, outcome="unauthorized")), 2, "unauthorized"),
        (Workflow("a", outcome="not_run"), 2, "not_run"),
        (Workflow("a", Job("j", 1), delay=9), 2, "queued"),
    ],
)
async def test_statuses_in_searches(
    v3: V3, fake: FakeCircleCI, web: FakeProject, workflow: Workflow, seconds: float, status: str
) -> None:
    run = web.push(workflow)
    fake.clock.advance(seconds)
    assert ids(await Search(v3, web)(f'pipeline.status == "{status}"')) == [run.id]
    others = {"canceled", "error", "failed", "failing", "not_run", "on_hold", "queued", "running", "success"} - {status}
    for other in others:
        assert ids(await Search(v3, web)(f'pipeline.status == "{other}"')) == []


async def test_new_runs_appear_late(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.lag(5)
    run = web.push(Workflow("a", Job("a", 60)))
    paths = f"/runs/{run.id}", f"/workflows/{run.workflows[0].id}", f"/jobs/{run.job('a').id}"
    assert [(await v3.refused("GET", path))[0] for path in paths] == [404, 404, 404]
    assert (await v3.get("/runs", user_id="me"))["data"] == []
    assert (await Search(v3, web)())["data"] == []
    fake.clock.advance(5)
    for path in paths:
        await v3.get(path)
    assert ids(await Search(v3, web)()) == [run.id]
