"""`v1.builds`: the jobs of API v1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles
from .jobs import artifacts_of, tests_of
from .runs_v1 import show_build, show_details, show_shallow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob

_FILTERS: dict[str, Callable[[FakeJob], bool]] = {
    "completed": lambda job: job.ended,
    "successful": lambda job: job.state == "success",
    "failed": lambda job: job.state in ("failed", "timedout", "infrastructure_fail"),
    "running": lambda job: job.state == "running",
}


@handles("v1.builds.list")
def list_(ctx: RequestContext) -> object:
    return _window(ctx, ctx.store.runs.builds, lambda job: ctx.can_see(job.project) and job.project.followed)


@handles("v1.builds.list_for_project")
def list_for_project(ctx: RequestContext) -> object:
    return _window(ctx, ctx.project().jobs, _FILTERS.get(ctx.call.get("status_filter", "")))


@handles("v1.builds.list_for_branch")
def list_for_branch(ctx: RequestContext) -> object:
    jobs = ctx.project().jobs_by_branch.get(ctx.call["branch"], [])
    return _window(ctx, jobs, _FILTERS.get(ctx.call.get("status_filter", "")))


def _window(
    ctx: RequestContext, jobs: Sequence[FakeJob], condition: Callable[[FakeJob], bool] | None
) -> list[JsonObject]:
    """One page of builds, newest first, after `offset` skipped ones."""
    show = show_shallow if ctx.call.get("shallow") else show_build
    skip: int = max(0, ctx.call.get("offset", 0))
    shown: list[JsonObject] = []
    for at in range(len(jobs) - 1, -1, -1):
        if condition is not None and not condition(jobs[at]):
            continue
        if skip:
            skip -= 1
            continue
        if len(shown) == ctx.call.page_size:
            break
        shown.append(show(ctx.store, jobs[at]))
    return shown


@handles("v1.builds.get")
def get(ctx: RequestContext) -> object:
    return show_details(ctx.store, _build(ctx), ctx.origin)


@handles("v1.builds.list_artifacts")
def list_artifacts(ctx: RequestContext) -> object:
    return _artifacts(ctx, _build(ctx))


@handles("v1.builds.list_latest_artifacts")
def list_latest_artifacts(ctx: RequestContext) -> object:
    project = ctx.project()
    branch: str | None = ctx.call.get("branch")
    jobs = project.jobs if branch is None else project.jobs_by_branch.get(branch, [])
    condition = _FILTERS[ctx.call.get("status_filter", "completed")]
    latest = next((job for job in reversed(jobs) if condition(job)), None)
    if latest is None or not latest.artifacts:
        raise ErrorResponse(404, "Build not found")
    return _artifacts(ctx, latest)


def _artifacts(ctx: RequestContext, job: FakeJob) -> list[JsonObject]:
    return [{**artifact, "pretty_path": artifact["path"]} for artifact in artifacts_of(job, ctx.origin)]


@handles("v1.builds.get_tests")
def get_tests(ctx: RequestContext) -> object:
    return {"tests": [{**test, "source_type": "junit"} for test in tests_of(_build(ctx))], "exceptions": []}


@handles("v1.builds.trigger")
def trigger(ctx: RequestContext) -> object:
    return _trigger(ctx, ctx.project(), ctx.call.get("branch"))


@handles("v1.builds.trigger_for_branch")
def trigger_for_branch(ctx: RequestContext) -> object:
    return _trigger(ctx, ctx.project(), ctx.call["branch"])


def _trigger(ctx: RequestContext, project: FakeProject, branch: str | None) -> JsonObject:
    """Start one job: the first one of the plan of the project."""
    where = branch or project.default_branch
    pipeline = ctx.store.engine.start(
        project,
        ctx.store.engine.next_plan(project, where),
        actor=ctx.user,
        trigger_type="api",
        branch=where,
        tag=ctx.call.get("tag"),
        revision=ctx.call.get("revision"),
        parameters=dict(ctx.call.get("build_parameters") or {}),
        at_once=True,
    )
    for workflow in pipeline.workflows:
        for job in workflow.jobs:
            if job.number is not None:
                return show_build(ctx.store, job)
    raise ErrorResponse(400, "The project has nothing to build.")


@handles("v1.builds.trigger_pipeline")
def trigger_pipeline(ctx: RequestContext) -> object:
    project = ctx.project()
    branch: str | None = ctx.call.get("branch")
    tag: str | None = ctx.call.get("tag")
    where = branch if branch is not None or tag is not None else project.default_branch
    ctx.store.engine.start(
        project,
        ctx.store.engine.next_plan(project, where),
        actor=ctx.user,
        trigger_type="api",
        branch=where,
        tag=tag,
        revision=ctx.call.get("revision"),
    )
    return {"status": 200, "body": "Build created"}


@handles("v1.builds.retry")
def retry(ctx: RequestContext) -> object:
    return _again(ctx, ssh=False)


@handles("v1.builds.retry_with_ssh")
def retry_with_ssh(ctx: RequestContext) -> object:
    return _again(ctx, ssh=True)


def _again(ctx: RequestContext, *, ssh: bool) -> JsonObject:
    job = _build(ctx)
    ctx.must_have_ended(job.latest_workflow)
    rerun = ctx.store.engine.rerun(job.latest_workflow, ctx.user, only=[job], ssh=ssh, sparse=False)
    return show_build(ctx.store, next(each for each in rerun.jobs if each.name == job.name))


@handles("v1.builds.cancel")
def cancel(ctx: RequestContext) -> object:
    job = _build(ctx)
    ctx.store.engine.cancel_job(job, ctx.user)
    return show_build(ctx.store, job)


@handles("v1.builds.add_ssh_user")
def add_ssh_user(ctx: RequestContext) -> object:
    job = _build(ctx)
    if ctx.user not in job.ssh_users:
        job.ssh_users.append(ctx.user)
    return show_build(ctx.store, job)


def _build(ctx: RequestContext) -> FakeJob:
    job = ctx.project().job(ctx.call["build_num"])
    if job is None or job.is_approval:
        raise ErrorResponse(404, "Build not found")
    return job
