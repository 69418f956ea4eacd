"""Jobs in responses of v1.1, where they are builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._store.plans import FAILURES, NEVER_STARTED, Job
from circleci_sdk.testing._store.step_runs import step_runs
from circleci_sdk.testing._store.store import HOSTS

from .context import millis
from .storage import sign

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import FakeUser, JsonObject
    from circleci_sdk.testing._store.runs import FakeJob
    from circleci_sdk.testing._store.step_runs import StepRun
    from circleci_sdk.testing._store.store import Store

OUTPUT_SECONDS = 3600.0
"""Lifetime of a link to the output of a step."""

_LIFECYCLES = {"queued": "queued", "running": "running", "not_run": "not_run", "blocked": "not_running"}


def show_build(store: Store, job: FakeJob) -> JsonObject:
    """A build in a list."""
    pipeline, project = job.workflow.pipeline, job.project
    vcs, owner, repository = project.slug.split("/")
    committed = millis(pipeline.created_at)
    before = store.job_before(job)
    retries = _retries(job)
    return {
        "all_commit_details": [],
        "all_commit_details_truncated": False,
        "author_date": committed,
        "author_email": f"{pipeline.actor.login}@example.com",
        "author_name": pipeline.actor.name,
        "body": "",
        "branch": pipeline.branch,
        "build_num": job.number,
        "build_parameters": {"CIRCLE_JOB": job.name},
        "build_time_millis": None if job.seconds is None else round(job.seconds * 1000),
        "build_url": f"https://circleci.com/{project.slug}/{job.number}",
        "canceled": job.state == "canceled",
        "canceler": identity(job.canceled_by) if job.canceled_by else None,
        "circle_yml": {"string": pipeline.config},
        "committer_date": committed,
        "committer_email": f"{pipeline.actor.login}@example.com",
        "committer_name": pipeline.actor.name,
        "compare": None,
        "context_ids": [],
        "dont_build": None,
        "fail_reason": None,
        "failed": job.state in FAILURES if job.ended else None,
        "has_artifacts": bool(job.artifacts),
        "infrastructure_fail": job.state == "infrastructure_fail",
        "is_first_green_build": False,
        "job_name": None,
        "lifecycle": "finished" if job.ended else _LIFECYCLES.get(job.state, "not_running"),
        "messages": [],
        "no_dependency_cache": False,
        "node": None,
        "oss": bool(project.settings["oss"]),
        "outcome": show_outcome(job),
        "parallel": job.parallelism,
        "picard": _picard(job),
        "platform": "2.0",
        "previous": _previous(before),
        "previous_successful_build": _previous(_successful_before(store, job)),
        "pull_requests": [],
        "queued_at": millis(job.queued_at or job.created_at),
        "reponame": repository,
        "retries": retries or None,
        "retry_of": job.retry_of,
        "ssh_disabled": bool(project.settings["disable_ssh"]),
        "ssh_users": [_ssh_user(user) for user in job.ssh_users],
        "start_time": millis(job.started_at) if job.started_at else None,
        "status": _status(job, before, retries),
        "stop_time": millis(job.stopped_at) if job.stopped_at else None,
        "subject": pipeline.subject,
        "timedout": job.state == "timedout",
        "usage_queued_at": millis(job.created_at),
        "user": _user(pipeline.actor),
        "username": owner,
        "vcs_revision": pipeline.revision,
        "vcs_tag": pipeline.tag,
        "vcs_type": project.organization.vcs_type,
        "vcs_url": f"{HOSTS[vcs]}/{owner}/{repository}",
        "why": job.why,
        "workflows": _workflow(job),
    }


# fmt: off
_SHALLOW = frozenset((
    "vcs_url", "build_url", "build_num", "branch", "vcs_revision", "committer_name", "committer_email", "subject",
    "body", "why", "dont_build", "queued_at", "start_time", "stop_time", "build_time_millis", "username",
    "reponame", "lifecycle", "outcome", "status", "retry_of", "previous", "workflows", "user", "pull_requests",
    "platform",
))
# fmt: on


def show_shallow(store: Store, job: FakeJob) -> JsonObject:
    """A build without details, for `shallow=true`."""
    return {name: value for name, value in show_build(store, job).items() if name in _SHALLOW}


def show_details(store: Store, job: FakeJob, origin: str) -> JsonObject:
    """One build, with its steps and links to their outputs."""
    return {**show_build(store, job), "owners": [job.project.organization.name], "steps": _steps(store, job, origin)}


def _steps(store: Store, job: FakeJob, origin: str) -> list[JsonObject]:
    return [
        {
            "name": step.name,
            "actions": [_action(store, job, origin, step, index) for index in range(job.parallelism)],
        }
        for step in step_runs(job, store.clock.now)
    ]


def _action(store: Store, job: FakeJob, origin: str, step: StepRun, index: int) -> JsonObject:
    state = step.state
    shown: JsonObject = {
        "truncated": False,
        "index": index,
        "parallel": job.parallelism > 1,
        "failed": True if state == "failed" else None,
        "infrastructure_fail": True if state == "infrastructure_fail" else None,
        "name": step.name,
        "bash_command": None if step.is_machine else f"#!/bin/bash -eo pipefail\n{step.name}",
        "status": state,
        "timedout": True if state == "timedout" else None,
        "continue": None,
        "type": "machine" if step.is_machine else "test",
        "start_time": millis(step.started_at),
        "background": False,
        "exit_code": step.exit_code,
        "insignificant": False,
        "canceled": True if state == "canceled" else None,
        "step": step.number,
        "has_output": bool(step.stdout or step.stderr),
    }
    if step.ended_at is not None:
        shown["end_time"] = millis(step.ended_at)
        shown["run_time_millis"] = round((step.ended_at - step.started_at).total_seconds() * 1000)
    if shown["has_output"]:
        address = f"{origin}/output/step/{job.id}/{step.number}/{index}"
        shown["output_url"] = sign(store, address, OUTPUT_SECONDS)
    return shown


_STATUSES = {
    "unauthorized": "failed",
    "blocked": "not_running",
    "on_hold": "not_running",
    "terminated-unknown": "infrastructure_fail",
}
_OUTCOMES = {
    "unauthorized": "failed",
    "terminated-unknown": "infrastructure_fail",
    "retried": "infrastructure_fail",
}


def _status(job: FakeJob, before: FakeJob | None, retries: list[int]) -> str:
    if retries:
        return "retried"
    if job.state == "success" and before is not None and before.state in FAILURES:
        return "fixed"
    return _STATUSES.get(job.state, job.state)


def show_outcome(job: FakeJob) -> str | None:
    """The outcome of a build; None while it runs."""
    if not job.ended or job.state in NEVER_STARTED:
        return None
    return _OUTCOMES.get(job.state, job.state)


def _retries(job: FakeJob) -> list[int]:
    return [
        each.number
        for workflow in job.workflow.pipeline.workflows
        for each in workflow.jobs
        if each.workflow is workflow and each.retry_of == job.number and each.number is not None
    ]


def _previous(job: FakeJob | None) -> JsonObject | None:
    if job is None:
        return None
    shown: JsonObject = {"build_num": job.number, "status": job.state}
    if job.seconds is not None:
        shown["build_time_millis"] = round(job.seconds * 1000)
    return shown


def _successful_before(store: Store, job: FakeJob) -> FakeJob | None:
    """The last successful build among the last ten: a list of thirty must not read the whole history."""
    for _ in range(10):
        before = store.job_before(job)
        if before is None or before.state == "success":
            return before
        job = before
    return None


def _workflow(job: FakeJob) -> JsonObject:
    ids = {each.name: each.id for each in job.workflow.jobs}
    return {
        "job_name": job.name,
        "job_id": job.id,
        "workflow_id": job.workflow.id,
        "workspace_id": (job.workflow.rerun_of or job.workflow).id,
        "upstream_job_ids": [ids[name] for name in job.plan.needs if name in ids],
        "upstream_concurrency_map": {},
        "workflow_name": job.workflow.name,
    }


def _picard(job: FakeJob) -> JsonObject | None:
    if not isinstance(job.plan, Job) or job.started_at is None:
        return None
    return {
        "executor": job.plan.executor,
        "build_agent": {"image": None, "properties": {"build_agent": "1.0", "executor": job.plan.executor}},
        "resource_class": {"class": job.plan.resource_class, "cpu": 2.0, "ram": 4096},
    }


def _user(user: FakeUser) -> JsonObject:
    return {
        "is_user": True,
        "login": user.login,
        "name": user.name,
        "id": user.number,
        "avatar_url": user.avatar_url,
        "vcs_type": "github",
    }


def identity(user: FakeUser, *, flag: str = "user?") -> dict[str, Any]:
    """A user at the code host. One key has two spellings."""
    return {
        "id": user.number,
        "external_id": user.number,
        "login": user.login,
        "name": user.name,
        "avatar_url": user.avatar_url,
        "type": "github",
        "provider_id": "github",
        flag: True,
        "authorized?": True,
        "domain": "github.com",
    }


def _ssh_user(user: FakeUser) -> JsonObject:
    return {"github_id": user.number, "login": user.login}
