"""The branches of projects in responses of v1.1, and their removal from the API."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from .context import RequestContext, millis
from .runs_v1 import show_outcome

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob

REMOVED: Final = date(2026, 12, 7)
BROWNOUTS: Final = frozenset({date(2026, 11, 17), date(2026, 12, 1)})
"""Days on which the branches are missing unless a request asks for them."""

PARAMETERS: Final = frozenset({"shallow", "skip-branches"})
RECENT: Final = 5


def has_branches(ctx: RequestContext) -> bool:
    """Whether a list of projects or the settings of one have the branches, by the date of the API and the query."""
    sent = [value for name, value in ctx.call.request.query if name in PARAMETERS]
    today = ctx.store.api_date
    if "true" in sent or today >= REMOVED:
        return False
    return "false" in sent or today not in BROWNOUTS


def show_branches(project: FakeProject, *, settings: bool = False) -> JsonObject:
    """The branches by name. In `settings` they have fewer fields, and another spelling of one."""
    return {
        quote(name, safe="").replace(".", "%2E"): _show(project, name, jobs, settings)
        for name, jobs in project.jobs_by_branch.items()
    }


def _show(project: FakeProject, name: str, jobs: list[FakeJob], settings: bool) -> JsonObject:
    pipelines = project.pipelines_by_branch[name]
    workflows = {workflow.name: workflow for pipeline in pipelines for workflow in pipeline.workflows}
    ended = [job for job in reversed(jobs) if job.ended]
    shown: JsonObject = {
        "pusher_logins": sorted({pipeline.actor.login for pipeline in pipelines}),
        "running_builds": [_show_build(job, settings) for job in reversed(jobs) if not job.ended],
        "recent_builds": [_show_build(job, settings) for job in ended[:RECENT]],
        "latest_workflows": {
            quote(each.name, safe=""): {"id": each.id, "status": each.state, "created_at": millis(each.created_at)}
            for each in workflows.values()
        },
        "is_using_workflows": True,
    }
    if not settings:
        for key, successful in (("last_success", True), ("last_non_success", False)):
            last = next((job for job in ended if (job.state == "success") is successful), None)
            if last is not None:
                shown[key] = _show_build(last, settings)
    return shown


def _show_build(job: FakeJob, settings: bool) -> JsonObject:
    pipeline, added = job.workflow.pipeline, millis(job.queued_at or job.created_at)
    shown: JsonObject = {"build_num": job.number, "status": job.state, "outcome": show_outcome(job)}
    if settings:
        return {**shown, "added-at": added}
    return {
        **shown,
        "vcs_revision": pipeline.revision,
        "pushed_at": millis(pipeline.created_at),
        "added_at": added,
        "is_workflow_job": True,
        "is_2_0_job": True,
    }
