"""Pipelines, workflows and jobs in responses of v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.store import HOSTS

from .context import millis, present, seconds

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import FakeUser, JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakePipeline, FakeWorkflow

PROVIDERS = {"github": "GitHub", "bitbucket": "Bitbucket", "circleci": "CircleCI"}


def show_user(user: FakeUser) -> JsonObject:
    return {"id": user.id, "login": user.login, "name": user.name, "avatar_url": user.avatar_url}


def show_pipeline(pipeline: FakePipeline) -> JsonObject:
    project = pipeline.project
    vcs, owner, repository = project.slug.split("/")
    address = f"{HOSTS[vcs]}/{owner}/{repository}"
    trigger: JsonObject = {
        "type": pipeline.trigger_type,
        "received_at": millis(pipeline.created_at),
        "actor": {"login": pipeline.actor.login, "avatar_url": pipeline.actor.avatar_url},
    }
    shown: JsonObject = {
        "id": pipeline.id,
        "errors": [{"type": kind, "message": message} for kind, message in pipeline.errors],
        "project_slug": project.slug,
        "updated_at": millis(pipeline.updated_at or pipeline.created_at),
        "number": pipeline.number,
        "state": pipeline.state,
        "created_at": millis(pipeline.created_at),
        "trigger": trigger,
    }
    if pipeline.parameters:
        shown["trigger_parameters"] = pipeline.parameters
    if vcs != "circleci":  # pipelines of the GitHub App and GitLab have no repository here
        shown["vcs"] = present(
            provider_name=PROVIDERS[project.organization.vcs_type],
            origin_repository_url=address,
            target_repository_url=address,
            revision=pipeline.revision,
            branch=pipeline.branch,
            tag=pipeline.tag,
            commit={"subject": pipeline.subject, "body": ""},
        )
    return shown


def show_workflow(workflow: FakeWorkflow) -> JsonObject:
    shown: JsonObject = {
        "pipeline_id": workflow.pipeline.id,
        "id": workflow.id,
        "name": workflow.name,
        "project_slug": workflow.pipeline.project.slug,
        "status": workflow.state,
        "started_by": workflow.started_by.id,
        "pipeline_number": workflow.pipeline.number,
        "created_at": seconds(workflow.created_at),
        "stopped_at": seconds(workflow.stopped_at) if workflow.stopped_at else None,
    }
    if workflow.plan.max_auto_reruns:
        shown["max_auto_reruns"] = workflow.plan.max_auto_reruns
        shown["auto_rerun_number"] = workflow.auto_rerun_number
    if workflow.plan.setup:
        shown["tag"] = "setup"
    if workflow.state == "error":
        shown["errored_by"] = workflow.started_by.id
    if workflow.canceled_by is not None:
        shown["canceled_by"] = workflow.canceled_by.id
    return shown


def show_workflow_job(workflow: FakeWorkflow, job: FakeJob) -> JsonObject:
    ids = {each.name: each.id for each in workflow.jobs}
    needs = {ids[name]: list(outcomes) for name, outcomes in job.plan.needs.items() if name in ids}
    return present(
        dependencies=list(needs),
        job_number=job.number,
        id=job.id,
        started_at=seconds(job.started_at) if job.started_at else None,
        name=job.name,
        approved_by=job.approved_by.id if job.approved_by and job.ended else None,
        canceled_by=job.canceled_by.id if job.canceled_by else None,
        project_slug=job.project.slug,
        status=job.state,
        type="approval" if job.is_approval else "build",
        stopped_at=seconds(job.stopped_at) if job.stopped_at and not job.is_approval else None,
        approval_request_id=job.id if job.is_approval else None,
        requires=needs,
    )


def show_job(job: FakeJob) -> JsonObject:
    project = job.project
    vcs, owner, repository = project.slug.split("/")
    plan = job.plan
    assert not job.is_approval
    assert job.queued_at is not None
    shown: JsonObject = {
        "web_url": f"https://circleci.com/{project.slug}/{job.number}",
        "project": {
            "id": project.id,
            "slug": project.slug,
            "name": project.name,
            "external_url": f"{HOSTS[vcs]}/{owner}/{repository}",
        },
        "latest_workflow": {"id": job.latest_workflow.id, "name": job.workflow.name},
        "name": job.name,
        "parallelism": job.parallelism,
        "status": job.state,
        "number": job.number,
        "pipeline": {"id": job.workflow.pipeline.id},
        "created_at": millis(job.created_at),
        "messages": [],
        "contexts": [{"name": name} for name in getattr(plan, "contexts", ())],
        "organization": {"name": project.organization.name},
        "queued_at": millis(job.queued_at),
    }
    if job.started_at is not None:
        shown["started_at"] = millis(job.started_at)
        shown["executor"] = {
            "resource_class": getattr(plan, "resource_class", "medium"),
            "type": getattr(plan, "executor", "docker"),
        }
        shown["parallel_runs"] = [{"index": at, "status": job.state} for at in range(job.parallelism)]
    if job.stopped_at is not None:
        shown["stopped_at"] = millis(job.stopped_at)
        if job.seconds is not None:
            shown["duration"] = round(job.seconds * 1000)
    return shown
