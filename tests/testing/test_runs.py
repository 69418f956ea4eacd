"""Runs: start, end, approve, cancel, rerun; in process and on a port."""

from __future__ import annotations

import pytest

from circleci_sdk import AsyncCircleCI, BadRequestError, NotFoundError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobTest, Step, Workflow
from circleci_sdk.v2.models import MessageResponse, PipelineCreation, WorkflowRerun

RELEASE = Workflow("release", Job("test", 5), Approval("ok?", requires=["test"]), Job("ship", 5, requires=["ok?"]))


async def states(circleci: AsyncCircleCI, workflow_id: str) -> dict[str, str]:
    return {job.name: job.status async for job in circleci.v2.workflows.list_jobs(workflow_id)}


async def test_states_of_a_triggered_pipeline(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("lint", 20), Job("test", 60, requires=["lint"])))
    created = await circleci.v2.pipelines.trigger("gh/acme/web", branch="dev", parameters={"deploy": True})
    assert isinstance(created, PipelineCreation)
    assert (created.state, created.number) == ("pending", 1)
    assert await circleci.v2.pipelines.list_workflows(created.id).collect() == []

    fake.clock.advance(2)
    pipeline = await circleci.v2.pipelines.get(created.id)
    assert pipeline.state == "created"
    assert pipeline.trigger.type == "api"
    assert pipeline.vcs is not None
    assert pipeline.vcs.branch == "dev"
    assert pipeline.trigger_parameters == {"deploy": True}
    [workflow] = await circleci.v2.pipelines.list_workflows(created.id).collect()
    assert (workflow.status, workflow.stopped_at) == ("running", None)
    assert await states(circleci, workflow.id) == {"lint": "running", "test": "blocked"}

    fake.clock.advance(20)
    assert await states(circleci, workflow.id) == {"lint": "success", "test": "running"}
    fake.clock.advance(60)
    workflow = await circleci.v2.workflows.get(workflow.id)
    assert workflow.status == "success"
    assert workflow.stopped_at is not None
    assert (workflow.stopped_at - workflow.created_at).total_seconds() == 80
    job = await circleci.v2.jobs.get("gh/acme/web", 2)
    assert (job.name, job.duration, job.latest_workflow.id) == ("test", 60_000, workflow.id)


async def test_workflows_are_created_after_a_setup_workflow(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    web.will_run(
        Workflow("setup", Job("continue", 10), setup=True),
        Workflow("build", Job("build", 5)),
        Workflow("docs", Job("docs", 5), delay=30),
    )
    created = await circleci.v2.pipelines.trigger("gh/acme/web")
    assert isinstance(created, PipelineCreation)
    assert created.state == "setup-pending"

    async def seen() -> tuple[str, list[str]]:
        workflows = await circleci.v2.pipelines.list_workflows(created.id).collect()
        state = (await circleci.v2.pipelines.get(created.id)).state
        return state, sorted(f"{each.name}:{each.tag or ''}:{each.status}" for each in workflows)

    fake.clock.advance(2)
    assert await seen() == ("setup", ["setup:setup:running"])
    fake.clock.advance(9)
    assert await seen() == ("created", ["build::running", "setup:setup:success"])
    fake.clock.advance(5)
    assert await seen() == ("created", ["build::success", "setup:setup:success"])
    fake.clock.advance(30)
    assert await seen() == ("created", ["build::success", "docs::success", "setup:setup:success"])


async def test_a_workflow_is_on_hold_until_approval(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    workflow = web.push(RELEASE).workflow("release")
    fake.clock.advance(10)
    assert (await circleci.v2.workflows.get(workflow.id)).status == "on_hold"
    jobs = {job.name: job async for job in circleci.v2.workflows.list_jobs(workflow.id)}
    hold = jobs["ok?"]
    assert (hold.type, hold.status, hold.job_number) == ("approval", "on_hold", 2)
    assert hold.approval_request_id is not None
    assert list((jobs["ship"].requires or {}).values()) == [["success"]]

    await circleci.v2.workflows.approve(workflow.id, hold.approval_request_id)
    assert (await circleci.v2.workflows.get(workflow.id)).status == "on_hold"  # it takes effect later
    fake.clock.advance(2)
    assert (await circleci.v2.workflows.get(workflow.id)).status == "running"
    fake.clock.advance(5)
    assert (await circleci.v2.workflows.get(workflow.id)).status == "success"
    jobs = {job.name: job async for job in circleci.v2.workflows.list_jobs(workflow.id)}
    assert jobs["ok?"].approved_by == fake.user.id
    with pytest.raises(BadRequestError, match="not on hold"):
        await circleci.v2.workflows.approve(workflow.id, hold.approval_request_id)
    with pytest.raises(NotFoundError):
        await circleci.v2.workflows.approve(workflow.id, jobs["ship"].id)


async def test_a_rerun_from_failed_keeps_successful_jobs(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    first = web.push(
        Workflow(
            "build",
            Job("lint", 5),
            Job("test", 5, outcome=["failed", "success"], output="1 failed"),
            Job("deploy", 5, requires=["lint", "test"]),
        )
    ).workflow("build")
    fake.clock.advance(20)
    assert await states(circleci, first.id) == {"lint": "success", "test": "failed", "deploy": "not_run"}

    rerun = await circleci.v2.workflows.rerun(first.id, from_failed=True)
    assert isinstance(rerun, WorkflowRerun)
    assert rerun.workflow_id != first.id
    assert await states(circleci, rerun.workflow_id) == {"lint": "success", "test": "running", "deploy": "blocked"}
    fake.clock.advance(20)
    assert (await circleci.v2.workflows.get(rerun.workflow_id)).status == "success"
    assert (await circleci.v2.workflows.get(first.id)).status == "failed"
    jobs = {job.name: job async for job in circleci.v2.workflows.list_jobs(rerun.workflow_id)}
    assert jobs["lint"].job_number == 1  # the same job, not run again
    assert [jobs["test"].job_number, jobs["deploy"].job_number] == [3, 4]
    assert (await circleci.v1.builds.get("gh/acme/web", 2)).status == "retried"
    assert (await circleci.v1.builds.get("gh/acme/web", 3)).retry_of == 2
    with pytest.raises(BadRequestError, match="no failed jobs"):
        await circleci.v2.workflows.rerun(rerun.workflow_id, from_failed=True)


async def test_a_rerun_of_one_job_includes_its_dependents(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    first = web.push(
        Workflow("build", Job("a", 5), Job("b", 5, requires=["a"]), Job("apart", 5), Job("c", 5, requires=["b"]))
    ).workflow("build")
    fake.clock.advance(20)
    rerun = await circleci.v2.workflows.rerun(first.id, jobs=[first.job("b").id], sparse_tree=True, enable_ssh=True)
    assert isinstance(rerun, WorkflowRerun)
    assert await states(circleci, rerun.workflow_id) == {"a": "success", "b": "running", "c": "blocked"}
    again = await circleci.v1.builds.get("gh/acme/web", 5)
    assert [user.login for user in again.ssh_users or []] == ["ada"]


async def test_a_job_that_times_out(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    workflow = web.push(
        Workflow("build", Job("slow", 3600, outcome="timedout", steps=[Step("checkout"), Step("sleep", "zzz\n")]))
    ).workflow("build")
    fake.clock.advance(3600)
    assert await states(circleci, workflow.id) == {"slow": "timedout"}
    assert (await circleci.v2.workflows.get(workflow.id)).status == "failed"
    build = await circleci.v1.builds.get("gh/acme/web", 1)
    assert (build.status, build.outcome, build.timedout) == ("timedout", "timedout", True)
    assert build.steps is not None
    last = build.steps[-1].actions[0] if build.steps[-1].actions else None
    assert last is not None
    assert (last.name, last.timedout, last.exit_code) == ("sleep", True, None)


async def test_a_parallel_job(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    tests = [JobTest(f"test_{number}", "boom" if number == 2 else None) for number in range(4)]
    artifacts = {f"junit/{number}.xml": "<x/>" for number in range(4)}
    web.push(Workflow("build", Job("test", 10, parallelism=2, outcome="failed", tests=tests, artifacts=artifacts)))
    fake.clock.advance(10)
    job = await circleci.v2.jobs.get("gh/acme/web", 1)
    assert job.parallelism == 2
    assert [(run.index, run.status) for run in job.parallel_runs or []] == [(0, "failed"), (1, "failed")]
    found = await circleci.v2.jobs.list_artifacts("gh/acme/web", 1).collect()
    assert sorted((each.node_index, each.path) for each in found) == [
        (0, "junit/0.xml"),
        (0, "junit/2.xml"),
        (1, "junit/1.xml"),
        (1, "junit/3.xml"),
    ]
    results = await circleci.v2.jobs.list_tests("gh/acme/web", 1).collect()
    assert [(each.name, each.result, each.message) for each in results if each.result != "success"] == [
        ("test_2", "failure", "boom")
    ]
    build = await circleci.v1.builds.get("gh/acme/web", 1)
    assert [len(step.actions or []) for step in build.steps or []] == [2, 2, 2]
    assert len((await circleci.v1.builds.get_tests("gh/acme/web", 1)).tests or []) == 4


async def test_a_cancel_takes_effect_later(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    workflow = web.push(Workflow("build", Job("a", 60), Job("b", 60, requires=["a"]))).workflow("build")
    await circleci.v2.workflows.cancel(workflow.id)
    assert (await circleci.v2.workflows.get(workflow.id)).status == "running"
    fake.clock.advance(2)
    canceled = await circleci.v2.workflows.get(workflow.id)
    assert (canceled.status, canceled.canceled_by) == ("canceled", fake.user.id)
    assert await states(circleci, workflow.id) == {"a": "canceled", "b": "not_run"}

    web.push(Workflow("other", Job("c", 60)))
    await circleci.v2.jobs.cancel("gh/acme/web", 2)
    fake.clock.advance(2)
    assert (await circleci.v2.jobs.get("gh/acme/web", 2)).status == "canceled"
    assert (await circleci.v1.builds.get("gh/acme/web", 2)).canceled is True


async def test_errored_and_skipped_pipelines(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_error("Unknown key 'jbos'.", once=True)
    created = await circleci.v2.pipelines.trigger("gh/acme/web")
    assert isinstance(created, PipelineCreation)
    fake.clock.advance(2)
    pipeline = await circleci.v2.pipelines.get(created.id)
    assert (pipeline.state, [(each.type, each.message) for each in pipeline.errors]) == (
        "errored",
        [("config", "Unknown key 'jbos'.")],
    )
    web.will_skip("The commit asks to skip CI.", branch="docs")
    nothing = await circleci.v2.pipelines.trigger("gh/acme/web", branch="docs")
    assert isinstance(nothing, MessageResponse)
    assert nothing.message == "The commit asks to skip CI."
    assert len(web.pipelines) == 1


def test_a_job_starts_on_the_failure_of_another(fake: FakeCircleCI, web: FakeProject) -> None:
    jobs = (Job("test", 5, outcome="failed"), Job("notify", 5, requires={"test": ["failed"]}))
    pipeline = web.push(Workflow("build", *jobs))
    fake.clock.run_until_idle()
    assert pipeline.job("notify").state == "success"
    assert pipeline.workflow("build").state == "failed"
    assert pipeline.ended


def test_invalid_plans_are_rejected(web: FakeProject) -> None:
    with pytest.raises(ValueError, match="expected a job before it"):
        Workflow("build", Job("a", requires=["b"]))
    with pytest.raises(ValueError, match="same name"):
        Workflow("build", Job("a"), Job("a"))
    with pytest.raises(ValueError, match="list of names"):
        Job("a", requires="b")
    with pytest.raises(ValueError, match="outcome"):
        Job("a", outcome=[])
    with pytest.raises(TypeError, match="one function"):
        web.will_run(Workflow("a"), lambda pipeline: [])
