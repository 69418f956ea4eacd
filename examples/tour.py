"""A tour of CircleCI's API: the user, a project, its pipelines, jobs, artifacts and metrics.

    python examples/tour.py                       on a fake server, without an account
    python examples/tour.py gh/your-org/your-repo        on circleci.com, reading only
    python examples/tour.py gh/your-org/your-repo --trigger --branch main --parameter image-tag=4.8.2

The first form starts a fake CircleCI on this machine, reached over a real socket; it needs
`pip install '.[testing]'` in a clone. The others need a personal token in CIRCLECI_TOKEN or CIRCLE_TOKEN. They only
read, unless `--trigger` is given: then a pipeline is started.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import httpx

from circleci_sdk import AsyncCircleCI, CircleCIError, printable
from circleci_sdk.v2.models import Artifact, MessageResponse, Pipeline, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGES = 3


@dataclass(frozen=True)
class Target:
    """The project and branch of the tour, and whether it may start a pipeline."""

    slug: str
    branch: str | None
    parameters: Mapping[str, Any]
    trigger: bool
    token: str


def heading(text: str) -> None:
    """Print the title of the next step."""
    print(f"\n--- {text} ---")


def show(line: str) -> None:
    """Print a line in which names of the server cannot steer the terminal."""
    print(printable(line))


async def tour(circleci: AsyncCircleCI, target: Target) -> None:
    """All steps."""
    heading("Who am I?  circleci.v2.users.me()")
    me = await circleci.v2.users.me()
    show(f"You are {me.name} ({me.login}).")

    heading("My project  circleci.v2.projects.get(slug)")
    project = await circleci.v2.projects.get(target.slug)
    show(f"{project.slug} belongs to {project.organization_name}; its code is at {project.vcs_info.vcs_url},")
    show(f"and its default branch is {project.vcs_info.default_branch}.")

    newest = await show_pipelines(circleci, target.slug)
    if target.trigger:
        newest = await start_pipeline(circleci, target, target.branch or project.vcs_info.default_branch)
    if newest is None:
        show("The project has no pipelines yet, so the tour ends here.")
        return
    await show_run(circleci, target, newest)
    await show_figures(circleci, target.slug)
    await show_builds(circleci, target.slug)


async def show_pipelines(circleci: AsyncCircleCI, slug: str) -> Pipeline | None:
    """The first pages of the list of pipelines; gives the newest one."""
    heading("Its pipelines, page by page  circleci.v2.pipelines.list_for_project(slug)")
    newest: Pipeline | None = None
    number = 0
    async for page in circleci.v2.pipelines.list_for_project(slug).pages():
        number += 1
        numbers = [pipeline.number for pipeline in page.items]
        show(f"Page {number}: {len(numbers)} pipelines" + (f", #{numbers[0]} to #{numbers[-1]}" if numbers else ""))
        newest = newest or next(iter(page.items), None)
        if number == PAGES and page.next is not None:
            show("There are more; the tour stops asking here.")
            break
    return newest


async def start_pipeline(circleci: AsyncCircleCI, target: Target, branch: str) -> Pipeline:
    """Start a pipeline and wait until its workflows have ended."""
    heading("Start a pipeline  circleci.v2.pipelines.trigger(slug, branch=..., parameters=...)")
    show(f"Project {target.slug}, branch {branch}, parameters {dict(target.parameters)}.")
    created = await circleci.v2.pipelines.trigger(target.slug, branch=branch, parameters=target.parameters)
    if isinstance(created, MessageResponse):
        sys.exit(printable(f"Nothing was started: {created.message}"))
    seen: dict[str, str] = {}
    for _ in range(600):
        workflows = await circleci.v2.pipelines.list_workflows(created.id).collect()
        for workflow in workflows:
            if seen.get(workflow.id) != workflow.status:
                show(f"Workflow {workflow.name} is {workflow.status}.")
            seen[workflow.id] = workflow.status
        if workflows and all(workflow.stopped_at is not None for workflow in workflows):
            break
        if any(workflow.status == "on_hold" for workflow in workflows):
            show("It waits for an approval; the tour does not.")
            break
        await anyio.sleep(0.5 if circleci.base_url.startswith("http:") else 5)
    return await circleci.v2.pipelines.get(created.id)


async def show_run(circleci: AsyncCircleCI, target: Target, pipeline: Pipeline) -> None:
    """Workflows and jobs of a pipeline, the details of a job, and one of its artifacts."""
    heading("Its workflows and jobs  circleci.v2.pipelines.list_workflows(pipeline.id)")
    show(f"Pipeline #{pipeline.number}, started by {pipeline.trigger.type}:")
    workflows: list[Workflow] = await circleci.v2.pipelines.list_workflows(pipeline.id).collect()
    numbers: list[int] = []
    for workflow in workflows:
        show(f"  {workflow.name}: {workflow.status}")
        async for job in circleci.v2.workflows.list_jobs(workflow.id):
            show(f"    {job.name}: {job.status}" + (f" (job {job.job_number})" if job.job_number else ""))
            if job.job_number is not None:
                numbers.append(job.job_number)
    if not numbers:
        show("No job of it has run.")
        return

    heading("A job in detail  circleci.v2.jobs.get(slug, number)")
    job_details = await circleci.v2.jobs.get(target.slug, numbers[0])
    executor = job_details.executor.resource_class if job_details.executor else "an unknown machine"
    seconds = (job_details.duration or 0) / 1000  # the API says milliseconds here
    show(f"{job_details.name} ran for {seconds:.0f} s on {executor}, {job_details.parallelism} at once.")

    heading("Its artifacts  circleci.v2.jobs.list_artifacts(slug, number)")
    for number in numbers:
        artifacts = await circleci.v2.jobs.list_artifacts(target.slug, number).collect()
        for artifact in artifacts:
            show(f"Job {number} has stored {artifact.path}.")
        if artifacts:
            await download(artifacts[0], circleci.base_url, target.token)
            return
    show("None of its jobs has stored any.")


async def download(artifact: Artifact, base_url: str, token: str) -> None:
    """Load one artifact. The token goes to the server of the API and to no other."""
    own = urlsplit(artifact.url)[:2] == urlsplit(base_url)[:2]
    headers = {"Circle-Token": token} if own else {}
    async with httpx.AsyncClient() as http:
        response = await http.get(artifact.url, headers=headers)
    if not response.is_success:
        show(f"{artifact.url} responses {response.status_code}; artifacts of private projects need the token.")
        return
    target = Path(tempfile.mkdtemp(prefix="tour-")) / Path(artifact.path).name
    await anyio.Path(target).write_bytes(response.content)
    show(f"Loaded {len(response.content)} bytes into {target}.")


async def show_figures(circleci: AsyncCircleCI, slug: str) -> None:
    """How the workflows have done lately."""
    heading("How they do  circleci.v2.insights.list_workflow_metrics(slug)")
    async for row in circleci.v2.insights.list_workflow_metrics(slug, reporting_window="last-30-days"):
        metrics = row.metrics
        show(
            f"{row.name}: {metrics.total_runs} runs in 30 days on the default branch, "
            f"{metrics.success_rate:.0%} passed, half of them within {metrics.duration_metrics.median} s."
        )


async def show_builds(circleci: AsyncCircleCI, slug: str) -> None:
    """The same jobs as the older API knows them."""
    heading("The last builds by API v1.1  circleci.v1.builds.list_for_project(slug)")
    for build in await circleci.v1.builds.list_for_project(slug, page_size=5).take(5):
        name = build.workflows.job_name if build.workflows else None
        show(f"Build {build.build_num} ({name or 'no name'}) on {build.branch}: {build.status}")


async def on_fake() -> None:
    """The tour on a CircleCI of its own."""
    from circleci_sdk.testing import FakeCircleCI

    fake = FakeCircleCI.scenario("demo", speed=30)
    async with fake.serve() as server, AsyncCircleCI(token=fake.token, base_url=server.base_url) as circleci:
        show(f"A CircleCI of your own runs at {server.base_url}; its clock runs at 30 times the usual speed.")
        await tour(circleci, Target("gh/acme/web", "main", {"image-tag": "4.8.2"}, True, fake.token))


async def on_circleci(target: Target) -> None:
    """The tour on circleci.com, or the server that CIRCLECI_BASE_URL names."""
    async with AsyncCircleCI(token=target.token) as circleci:
        await tour(circleci, target)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and go."""
    parser = argparse.ArgumentParser(description="A tour of CircleCI's API.")
    parser.add_argument("slug", nargs="?", help="a project on circleci.com, such as gh/your-org/your-repo")
    parser.add_argument("--trigger", action="store_true", help="start a pipeline there; without it the tour only reads")
    parser.add_argument("--branch", help="the branch to start it on; the default branch if not given")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="a pipeline parameter")
    given = parser.parse_args(arguments)
    try:
        if given.slug is None:
            anyio.run(on_fake)
            return
        token = os.environ.get("CIRCLECI_TOKEN") or os.environ.get("CIRCLE_TOKEN")
        if not token:
            parser.error("set CIRCLECI_TOKEN to a personal token, or leave the slug out to go without an account")
        parameters = dict(each.partition("=")[::2] for each in given.parameter)
        anyio.run(on_circleci, Target(given.slug, given.branch, parameters, given.trigger, token))
    except (CircleCIError, ImportError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
