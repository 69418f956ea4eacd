"""The bodies of outbound webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.runs import FakeJob
from circleci_sdk.testing._store.store import HOSTS

from .context import millis, present

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.testing._store.records import FakeItem, JsonObject
    from circleci_sdk.testing._store.runs import FakePipeline, FakeWorkflow

_TOLD = {"timedout": "failed", "infrastructure_fail": "failed", "failing": "failed"}


def event_of(what: FakeJob | FakeWorkflow) -> str:
    """The name of the event of an ended job or workflow."""
    return "job-completed" if isinstance(what, FakeJob) else "workflow-completed"


def show_event(id: str, webhook: FakeItem, what: FakeJob | FakeWorkflow, now: datetime) -> JsonObject:
    """The body of the event of an ended job or workflow."""
    workflow = what.workflow if isinstance(what, FakeJob) else what
    pipeline = workflow.pipeline
    project = pipeline.project
    vcs, owner, repository = project.slug.split("/")
    slug = f"{project.organization.vcs_type}/{owner}/{repository}" if vcs != "circleci" else project.slug
    body: JsonObject = {
        **show_ping(id, webhook, now),
        "type": event_of(what),
        "workflow": {
            "id": workflow.id,
            "name": workflow.name,
            "created_at": millis(workflow.created_at),
            "stopped_at": millis(workflow.stopped_at) if workflow.stopped_at else None,
            "url": f"https://app.circleci.com/pipelines/{slug}/{pipeline.number}/workflows/{workflow.id}",
        },
        "pipeline": _pipeline(pipeline),
        "project": {"id": project.id, "name": project.name, "slug": slug},
        "organization": {"id": project.organization.id, "name": project.organization.name},
    }
    if isinstance(what, FakeJob):
        body["job"] = {
            "id": what.id,
            "name": what.name,
            "number": what.number,
            "status": _TOLD.get(what.state, what.state),
            "started_at": millis(what.started_at or what.created_at),
            "stopped_at": millis(what.stopped_at) if what.stopped_at else None,
        }
    else:
        body["workflow"]["status"] = _TOLD.get(what.state, what.state)
    return body


def show_ping(id: str, webhook: FakeItem, now: datetime) -> JsonObject:
    """The body of a test ping, whose fields all bodies have."""
    return {
        "type": "ping",
        "id": id,
        "happened_at": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "webhook": {"id": webhook.id, "name": webhook.shown["name"]},
    }


def _pipeline(pipeline: FakePipeline) -> JsonObject:
    shown: JsonObject = {
        "id": pipeline.id,
        "number": pipeline.number,
        "created_at": millis(pipeline.created_at),
        "trigger": {"type": pipeline.trigger_type},
    }
    vcs, owner, repository = pipeline.project.slug.split("/")
    if vcs == "circleci":
        return shown
    address = f"{HOSTS[vcs]}/{owner}/{repository}"
    person = {"name": pipeline.actor.name, "email": f"{pipeline.actor.login}@example.com"}
    shown["vcs"] = present(
        provider_name=pipeline.project.organization.vcs_type,
        origin_repository_url=address,
        target_repository_url=address,
        revision=pipeline.revision,
        branch=pipeline.branch,
        tag=pipeline.tag,
        commit={
            "subject": pipeline.subject,
            "body": "",
            "author": person,
            "authored_at": millis(pipeline.created_at),
            "committer": person,
            "committed_at": millis(pipeline.created_at),
        },
    )
    return shown
