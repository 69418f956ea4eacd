"""A bot tested in twenty lines, as in the documentation."""

from __future__ import annotations

from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, JobTest, Workflow


async def rerun_flaky(circleci: AsyncCircleCI, project_slug: str) -> list[str]:
    """The bot: reruns the failed workflows of the newest pipeline, and returns their names."""
    again: list[str] = []
    [newest] = await circleci.v2.pipelines.list_for_project(project_slug).take(1)
    async for workflow in circleci.v2.pipelines.list_workflows(newest.id):
        if workflow.status == "failed":
            await circleci.v2.workflows.rerun(workflow.id, from_failed=True)
            again.append(workflow.name)
    return again


async def test_the_bot(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    flaky = Job(
        "test", 60, outcome=["failed", "success"], tests=lambda n: [JobTest("login", None if n else "timed out")]
    )
    pipeline = web.push(Workflow("build", Job("lint", 10), flaky), Workflow("docs", Job("docs", 5)))
    fake.clock.run_until_idle()
    fake.fail_next("workflows.rerun", status=429)  # the client retries it
    async with fake.client() as circleci:
        assert await rerun_flaky(circleci, "gh/acme/web") == ["build"]
    fake.clock.run_until_idle()
    assert pipeline.workflow("build").state == "success"
    assert [request.status for request in fake.requests.of("workflows.rerun")] == [429, 202]
    assert all(request.args["from_failed"] for request in fake.requests.of("workflows.rerun"))
