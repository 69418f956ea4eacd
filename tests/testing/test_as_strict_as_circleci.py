"""What CircleCI refuses or does otherwise than expected, the fake does too; in process and on a port."""

from __future__ import annotations

import pytest

from circleci_sdk import AsyncCircleCI, BadRequestError, NotFoundError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, FakeWorkflow, Job, Workflow
from circleci_sdk.v2.models import ContextOwnerBySlug
from tests.testing.test_runs import RELEASE, states

TERMINAL = "Workflow must be in a terminal state to be rerun"


def moving_workflows(fake: FakeCircleCI, web: FakeProject) -> dict[str, FakeWorkflow]:
    """One workflow of each state that has not ended."""
    hold = Approval("ok?")
    plans = {
        "running": Workflow("running", Job("a", 900)),
        "on_hold": Workflow("on_hold", hold),
        "failing": Workflow("failing", Job("a", 1, outcome="failed"), Job("b", 900)),
        "held failing": Workflow("held failing", Job("a", 1, outcome="failed"), hold),
        "serial": Workflow("serial", Job("a", 900, serial_group="deploy")),
        "queued": Workflow("queued", Job("a", 900, serial_group="deploy")),
    }
    pipeline = web.push(*plans.values())
    fake.clock.advance(5)
    return {name: pipeline.workflow(name) for name in plans}


async def test_a_workflow_that_moves_is_not_rerun(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    moving = moving_workflows(fake, web)
    found = {name: (await circleci.v2.workflows.get(each.id)).status for name, each in moving.items()}
    assert found == {
        "running": "running",
        "on_hold": "on_hold",
        "failing": "failing",
        "held failing": "failing",
        "serial": "running",
        "queued": "queued",
    }
    for workflow in moving.values():
        workflows = circleci.v2.workflows
        for call in (
            workflows.rerun(workflow.id),
            workflows.rerun(workflow.id, from_failed=True),
            workflows.rerun(workflow.id, jobs=[workflow.jobs[0].id]),
        ):
            with pytest.raises(BadRequestError, match=TERMINAL):
                await call
    assert len(web.pipelines[0].workflows) == len(moving)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_job_of_a_workflow_that_moves_is_not_retried(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    moving_workflows(fake, web)
    for job in [job for job in web.jobs if not job.is_approval]:
        for name in ("retry", "retry_with_ssh"):
            retry = getattr(circleci.v1.builds, name)  # by name, since type checkers refuse what is deprecated
            with pytest.raises(BadRequestError, match=TERMINAL):
                await retry("gh/acme/web", job.number)
    assert len(web.pipelines[0].workflows) == 6


async def test_a_workflow_that_was_just_canceled_is_not_rerun(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    workflow = web.push(Workflow("build", Job("a", 900))).workflow("build")
    await circleci.v2.workflows.cancel(workflow.id)
    with pytest.raises(BadRequestError, match=TERMINAL):
        await circleci.v2.workflows.rerun(workflow.id)
    fake.clock.advance(2)
    await circleci.v2.workflows.rerun(workflow.id)
    assert [each.state for each in web.pipelines[0].workflows] == ["canceled", "running"]


async def test_an_approval_has_a_number_and_no_details(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    workflow = web.push(RELEASE).workflow("release")
    numbers = {job.name: job.job_number async for job in circleci.v2.workflows.list_jobs(workflow.id)}
    assert numbers == {"test": 1, "ok?": None, "ship": None}
    fake.clock.advance(10)
    await circleci.v2.workflows.approve(workflow.id, workflow.job("ok?").id)
    fake.clock.advance(10)
    numbers = {job.name: job.job_number async for job in circleci.v2.workflows.list_jobs(workflow.id)}
    assert numbers == {"test": 1, "ok?": 2, "ship": 3}
    for call in (
        circleci.v2.jobs.get("gh/acme/web", 2),
        circleci.v2.jobs.list_artifacts("gh/acme/web", 2).collect(),
        circleci.v2.jobs.list_tests("gh/acme/web", 2).collect(),
        circleci.v2.jobs.cancel("gh/acme/web", 2),
        circleci.v1.builds.get("gh/acme/web", 2),
        circleci.v1.builds.list_artifacts("gh/acme/web", 2),
        circleci.v1.builds.get_tests("gh/acme/web", 2),
    ):
        with pytest.raises(NotFoundError):
            await call
    assert [each.build_num for each in await circleci.v1.builds.list_for_project("gh/acme/web").collect()] == [3, 1]
    job = web.job(2)
    assert job is not None
    assert job.is_approval


@pytest.mark.parametrize("decision", ["approve", "cancel the approval", "cancel the workflow"])
async def test_a_failure_beside_a_waiting_approval_is_failing(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, decision: str
) -> None:
    workflow = web.push(
        Workflow("build", Job("test", 5, outcome="failed"), Approval("ok?"), Job("ship", 5, requires=["ok?"]))
    ).workflow("build")
    fake.clock.advance(86_400)
    shown = await circleci.v2.workflows.get(workflow.id)
    assert (shown.status, shown.stopped_at) == ("failing", None)
    assert await states(circleci, workflow.id) == {"test": "failed", "ok?": "on_hold", "ship": "blocked"}
    if decision == "approve":
        await circleci.v2.workflows.approve(workflow.id, workflow.job("ok?").id)
    elif decision == "cancel the approval":
        await circleci.v2.jobs.cancel_by_id(workflow.job("ok?").id)
    else:
        await circleci.v2.workflows.cancel(workflow.id)
    fake.clock.advance(2)
    if decision == "approve":
        assert (await circleci.v2.workflows.get(workflow.id)).status == "failing"  # the job after it runs
    fake.clock.advance(10)
    shown = await circleci.v2.workflows.get(workflow.id)
    assert shown.status == ("canceled" if decision == "cancel the workflow" else "failed")
    assert shown.stopped_at is not None


WRONG_NAMES = ("1ST", "A-B", "A B", "A.B", "Ä", "A" * 301)


async def test_names_of_context_variables(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    context = fake.add_context("docker", organization="gh/acme")
    for name in WRONG_NAMES:
        with pytest.raises(BadRequestError, match="Environment variable names"):
            await circleci.v2.contexts.set_env_var(context.id, name, value="x")
    with pytest.raises(BadRequestError, match="at most 32768 characters"):
        await circleci.v2.contexts.set_env_var(context.id, "LONG", value="x" * 32_769)
    assert context.env_vars == {}
    for name in ("A", "_", "a1", "A" * 300):
        await circleci.v2.contexts.set_env_var(context.id, name, value="")
    await circleci.v2.contexts.set_env_var(context.id, "LONG", value="x" * 32_768)
    assert len(context.env_vars) == 5


async def test_names_of_project_variables(circleci: AsyncCircleCI, web: FakeProject) -> None:
    for name in WRONG_NAMES:
        with pytest.raises(BadRequestError, match="Environment variable names"):
            await circleci.v2.projects.set_env_var("gh/acme/web", name=name, value="x")
    assert web.env_vars == {}
    await circleci.v2.projects.set_env_var("gh/acme/web", name="_A1", value="x")


async def test_names_of_contexts(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    owner = ContextOwnerBySlug(type="organization", slug="gh/acme")
    for name in ("", "  ", " a", "a ", "a\nb", "a\vb", "a" * 201):
        with pytest.raises(BadRequestError, match="name of a context"):
            await circleci.v2.contexts.create(name=name, owner=owner)
    assert web.organization.contexts == {}
    for number in range(499):
        fake.add_context(f"context {number}", organization="gh/acme")
    await circleci.v2.contexts.create(name="a" * 200, owner=owner)
    with pytest.raises(BadRequestError, match="at most 500 contexts"):
        await circleci.v2.contexts.create(name="one more", owner=owner)
