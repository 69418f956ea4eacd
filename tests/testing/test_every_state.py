"""Every state that a run can have is scripted in a line or two; in process and on a port."""

from __future__ import annotations

from typing import get_args

import pytest

from circleci_sdk import AsyncCircleCI, NotFoundError
from circleci_sdk.testing import ErrorKind, FakeCircleCI, FakeProject, Job, Outcome, Workflow, WorkflowOutcome
from circleci_sdk.v2.models import PipelineCreation
from tests.testing.test_runs import states


@pytest.mark.parametrize("outcome", get_args(Outcome))
async def test_every_outcome_of_a_job(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, outcome: Outcome
) -> None:
    workflow = web.push(Workflow("build", Job("a", outcome=outcome), Job("b", requires={"a": [outcome]}))).workflow(
        "build"
    )
    fake.clock.run_until_idle()
    assert await states(circleci, workflow.id) == {"a": outcome, "b": "success"}
    jobs = {job.name: job async for job in circleci.v2.workflows.list_jobs(workflow.id)}
    never_started = outcome in ("skipped", "not_run")
    assert (jobs["a"].job_number is None, jobs["a"].started_at is None) == (never_started, never_started)
    expected = {"success": "success", "canceled": "canceled", "unauthorized": "unauthorized", "retried": "success"}
    status = "success" if never_started else expected.get(outcome, "failed")
    assert (await circleci.v2.workflows.get(workflow.id)).status == status
    await circleci.v1.builds.list_for_project("gh/acme/web").collect()


@pytest.mark.parametrize("outcome", get_args(WorkflowOutcome))
async def test_every_outcome_of_a_workflow(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, outcome: WorkflowOutcome
) -> None:
    pipeline = web.push(
        Workflow("empty", outcome=outcome), Workflow("with a job", Job("a", outcome="success"), outcome=outcome)
    )
    fake.clock.run_until_idle()
    assert pipeline.workflow("empty").jobs == []
    for name in ("empty", "with a job"):
        shown = await circleci.v2.workflows.get(pipeline.workflow(name).id)
        assert shown.status == outcome
        assert shown.stopped_at is not None
        assert (shown.errored_by is not None) == (outcome == "error")


@pytest.mark.parametrize("kind", get_args(ErrorKind))
async def test_every_kind_of_error(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, kind: ErrorKind
) -> None:
    web.will_error("No.", kind=kind)
    created = await circleci.v2.pipelines.trigger("gh/acme/web")
    assert isinstance(created, PipelineCreation)
    fake.clock.advance(2)
    pipeline = await circleci.v2.pipelines.get(created.id)
    assert (pipeline.state, [(each.type, each.message) for each in pipeline.errors]) == ("errored", [(kind, "No.")])
    assert await circleci.v2.pipelines.list_workflows(created.id).collect() == []


async def test_an_error_beside_workflows(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_error("The plan has no macOS.", Workflow("linux"), kind="plan")
    pipeline = web.push()
    fake.clock.run_until_idle()
    shown = await circleci.v2.pipelines.get(pipeline.id)
    assert (shown.state, len(shown.errors)) == ("created", 1)
    assert (await circleci.v2.workflows.get(pipeline.workflow("linux").id)).status == "success"


async def test_an_error_of_the_continued_config(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_error("Unknown key 'jbos'.", Workflow("setup", Job("generate", 10), setup=True))
    pipeline = web.push()
    shown = await circleci.v2.pipelines.get(pipeline.id)
    assert (shown.state, shown.errors) == ("setup", [])
    fake.clock.run_until_idle()
    shown = await circleci.v2.pipelines.get(pipeline.id)
    assert (shown.state, [each.type for each in shown.errors]) == ("errored", ["config"])
    assert [(each.name, each.state) for each in pipeline.workflows] == [("setup", "success")]


async def test_filtered_pipelines_run_nothing(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run()
    web.will_run(Workflow("setup", setup=True), branch="dynamic")
    for branch, workflows in (("main", []), ("dynamic", ["setup"])):
        pipeline = web.push(branch=branch)
        fake.clock.run_until_idle()
        shown = await circleci.v2.pipelines.get(pipeline.id)
        assert (shown.state, shown.errors) == ("created", [])
        found = await circleci.v2.pipelines.list_workflows(pipeline.id).collect()
        assert [each.name for each in found] == workflows


async def test_a_serial_group_runs_one_job_at_a_time(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    def ship(name: str) -> Workflow:
        return Workflow(name, Job("ship", 10, serial_group="prod"))

    first, second, third = (web.push(ship(name)).workflow(name) for name in ("first", "second", "third"))
    other = fake.add_project("gh/other/web").push(ship("other")).workflow("other")

    async def seen() -> list[str]:
        return [(await circleci.v2.workflows.get(each.id)).status for each in (first, second, third)]

    assert await seen() == ["running", "queued", "queued"]
    assert other.state == "running"
    assert await states(circleci, second.id) == {"ship": "queued"}
    await circleci.v2.workflows.cancel(second.id)
    fake.clock.advance(5)
    assert await seen() == ["running", "canceled", "queued"]
    fake.clock.advance(5)
    assert await seen() == ["success", "canceled", "running"]
    fake.clock.advance(10)
    assert await seen() == ["success", "canceled", "success"]
    assert web.push(ship("fourth")).workflow("fourth").state == "running"


async def test_a_canceled_workflow_leaves_its_serial_group(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    first, second = (
        web.push(Workflow("build", Job("a", 900, serial_group="prod"))).workflow("build") for _ in range(2)
    )
    await circleci.v2.workflows.cancel(first.id)
    fake.clock.advance(2)
    assert (first.state, second.state) == ("canceled", "running")


async def test_automatic_reruns(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    flaky = Workflow(
        "build", Job("lint", 5), Job("test", 5, outcome=["failed", "failed", "success"]), max_auto_reruns=3
    )
    pipeline = web.push(flaky)
    fake.clock.advance(5)
    assert [each.state for each in pipeline.workflows] == ["failed"]
    fake.clock.run_until_idle()
    found = await circleci.v2.pipelines.list_workflows(pipeline.id).collect()
    assert [(each.status, each.auto_rerun_number, each.max_auto_reruns) for each in reversed(found)] == [
        ("failed", 0, 3),
        ("failed", 1, 3),
        ("success", 2, 3),
    ]
    jobs = await circleci.v2.workflows.list_jobs(found[0].id).collect()
    assert [(job.name, job.job_number) for job in jobs] == [("lint", 1), ("test", 4)]

    hopeless = web.push(Workflow("build", Job("test", 5, outcome="failed"), max_auto_reruns=1))
    fake.clock.run_until_idle()
    assert [each.state for each in hopeless.workflows] == ["failed", "failed"]


def test_a_workflow_that_fails_at_once_is_rerun_as_often_as_told(fake: FakeCircleCI, web: FakeProject) -> None:
    pipeline = web.push(Workflow("build", outcome="failed", max_auto_reruns=2))
    fake.clock.advance(60)
    assert [each.auto_rerun_number for each in pipeline.workflows] == [0, 1, 2]


async def test_a_setup_workflow_that_does_not_continue(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    pipeline = web.push(Workflow("setup", Job("generate", 10), setup=True, continues=False), Workflow("build"))
    fake.clock.run_until_idle()
    assert (pipeline.state, [each.state for each in pipeline.workflows]) == ("setup", ["success"])
    await circleci.v2.pipelines.continue_(continuation_key=pipeline.continuation_key, configuration="version: 2.1")
    fake.clock.run_until_idle()
    assert [each.name for each in (await circleci.v2.pipelines.list_workflows(pipeline.id).collect())] == [
        "build",
        "setup",
    ]
    assert (await circleci.v2.pipelines.get(pipeline.id)).state == "created"
    with pytest.raises(ValueError, match="continues: 'build' is no setup workflow"):
        Workflow("build", continues=False)


def test_invalid_numbers_of_reruns_are_rejected() -> None:
    for number in (-1, 6):
        with pytest.raises(ValueError, match="max_auto_reruns: expected 0 to 5"):
            Workflow("build", max_auto_reruns=number)


async def test_new_runs_appear_late(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("a", 60)))
    fake.lag(5)
    created = await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
    assert isinstance(created, PipelineCreation)

    async def listed() -> list[int]:
        return [
            len(await circleci.v2.pipelines.list_for_project("gh/acme/web").collect()),
            len(await circleci.v2.pipelines.list_for_project("gh/acme/web", branch="main").collect()),
            len(await circleci.v2.pipelines.list_mine("gh/acme/web").collect()),
            len(await circleci.v2.pipelines.list(org_slug="gh/acme").collect()),
        ]

    fake.clock.advance(4.5)
    assert await listed() == [0, 0, 0, 0]
    for call in (
        circleci.v2.pipelines.get(created.id),
        circleci.v2.pipelines.get_by_number("gh/acme/web", created.number),
        circleci.v2.pipelines.list_workflows(created.id).collect(),
        circleci.v2.workflows.get(web.pipelines[0].workflow("build").id),
    ):
        with pytest.raises(NotFoundError):
            await call
    fake.clock.advance(0.5)
    assert await listed() == [1, 1, 1, 1]
    assert (await circleci.v2.pipelines.get(created.id)).state == "created"
    assert await circleci.v2.pipelines.list_workflows(created.id).collect() == []  # created a second later
    fake.clock.advance(1)
    assert len(await circleci.v2.pipelines.list_workflows(created.id).collect()) == 1

    second = web.push()
    with pytest.raises(NotFoundError):
        await circleci.v2.pipelines.get(second.id)
    fake.reset_faults()
    assert (await circleci.v2.pipelines.get(second.id)).number == 2


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_a_run_with_lag_is_followed_to_its_end(fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("a", 60)))
    fake.lag(3)
    async with fake.client() as client:
        run = await client.runs.start("gh/acme/web", branch="main")
        assert (await run.wait()).status == "success"


def test_a_negative_lag_is_rejected(fake: FakeCircleCI) -> None:
    with pytest.raises(ValueError, match="lag: seconds"):
        fake.lag(-1)
