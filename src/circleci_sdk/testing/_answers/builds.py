"""`v1.builds`: jobs as API v1.1 knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers
from .jobs import artifacts_of, tests_of
from .runs_v1 import show_build, show_details, show_shallow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.runs import FakeJob
    from circleci_sdk.testing._state.things import JsonObject

_FILTERS: dict[str, Callable[[FakeJob], bool]] = {
    "completed": lambda job: job.ended,
    "successful": lambda job: job.state == "success",
    "failed": lambda job: job.state in ("failed", "timedout", "infrastructure_fail"),
    "running": lambda job: job.state == "running",
}


@answers("v1.builds.list")
def list_(desk: Desk) -> object:
    return _window(desk, desk.world.builds, lambda job: desk.sees(job.project) and job.project.followed)


@answers("v1.builds.list_for_project")
def list_for_project(desk: Desk) -> object:
    return _window(desk, desk.project().jobs, _FILTERS.get(desk.call.get("status_filter", "")))


@answers("v1.builds.list_for_branch")
def list_for_branch(desk: Desk) -> object:
    jobs = desk.project().jobs_by_branch.get(desk.call["branch"], [])
    return _window(desk, jobs, _FILTERS.get(desk.call.get("status_filter", "")))


def _window(desk: Desk, jobs: Sequence[FakeJob], keep: Callable[[FakeJob], bool] | None) -> list[JsonObject]:
    """So many builds, newest first, after so many skipped ones."""
    show = show_shallow if desk.call.get("shallow") else show_build
    skip: int = max(0, desk.call.get("offset", 0))
    shown: list[JsonObject] = []
    for at in range(len(jobs) - 1, -1, -1):
        if keep is not None and not keep(jobs[at]):
            continue
        if skip:
            skip -= 1
            continue
        if len(shown) == desk.call.page_size:
            break
        shown.append(show(jobs[at]))
    return shown


@answers("v1.builds.get")
def get(desk: Desk) -> object:
    return show_details(_build(desk), desk.origin)


@answers("v1.builds.list_artifacts")
def list_artifacts(desk: Desk) -> object:
    return _artifacts(desk, _build(desk))


@answers("v1.builds.list_latest_artifacts")
def list_latest_artifacts(desk: Desk) -> object:
    project = desk.project()
    branch: str | None = desk.call.get("branch")
    jobs = project.jobs if branch is None else project.jobs_by_branch.get(branch, [])
    keep = _FILTERS[desk.call.get("status_filter", "completed")]
    latest = next((job for job in reversed(jobs) if keep(job)), None)
    if latest is None or not latest.artifacts:
        raise Refusal(404, "Build not found")
    return _artifacts(desk, latest)


def _artifacts(desk: Desk, job: FakeJob) -> list[JsonObject]:
    return [{**artifact, "pretty_path": artifact["path"]} for artifact in artifacts_of(job, desk.origin)]


@answers("v1.builds.get_tests")
def get_tests(desk: Desk) -> object:
    return {"tests": [{**test, "source_type": "junit"} for test in tests_of(_build(desk))], "exceptions": []}


@answers("v1.builds.trigger")
def trigger(desk: Desk) -> object:
    return _trigger(desk, desk.project(), desk.call.get("branch"))


@answers("v1.builds.trigger_for_branch")
def trigger_for_branch(desk: Desk) -> object:
    return _trigger(desk, desk.project(), desk.call["branch"])


def _trigger(desk: Desk, project: FakeProject, branch: str | None) -> JsonObject:
    """One job starts. Here it is the first one of what the project runs."""
    where = branch or project.default_branch
    pipeline = desk.world.engine.start(
        project,
        project.next_plan(where),
        actor=desk.user,
        trigger_type="api",
        branch=where,
        tag=desk.call.get("tag"),
        revision=desk.call.get("revision"),
        parameters=dict(desk.call.get("build_parameters") or {}),
        at_once=True,
    )
    for workflow in pipeline.workflows:
        for job in workflow.jobs:
            if job.number is not None:
                return show_build(job)
    raise Refusal(400, "The project has nothing to build.")


@answers("v1.builds.trigger_pipeline")
def trigger_pipeline(desk: Desk) -> object:
    project = desk.project()
    branch: str | None = desk.call.get("branch")
    tag: str | None = desk.call.get("tag")
    where = branch if branch is not None or tag is not None else project.default_branch
    desk.world.engine.start(
        project,
        project.next_plan(where),
        actor=desk.user,
        trigger_type="api",
        branch=where,
        tag=tag,
        revision=desk.call.get("revision"),
    )
    return {"status": 200, "body": "Build created"}


@answers("v1.builds.retry")
def retry(desk: Desk) -> object:
    return _again(desk, ssh=False)


@answers("v1.builds.retry_with_ssh")
def retry_with_ssh(desk: Desk) -> object:
    return _again(desk, ssh=True)


def _again(desk: Desk, *, ssh: bool) -> JsonObject:
    job = _build(desk)
    rerun = desk.world.engine.rerun(job.latest_workflow, desk.user, only=[job], ssh=ssh, sparse=False)
    return show_build(next(each for each in rerun.jobs if each.name == job.name))


@answers("v1.builds.cancel")
def cancel(desk: Desk) -> object:
    job = _build(desk)
    desk.world.engine.cancel_job(job, desk.user)
    return show_build(job)


@answers("v1.builds.add_ssh_user")
def add_ssh_user(desk: Desk) -> object:
    job = _build(desk)
    if desk.user not in job.ssh_users:
        job.ssh_users.append(desk.user)
    return show_build(job)


def _build(desk: Desk) -> FakeJob:
    job = desk.project().job(desk.call["build_num"])
    if job is None:
        raise Refusal(404, "Build not found")
    return job
