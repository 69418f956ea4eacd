"""`v2.workflows`: read, approve, cancel and rerun workflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles
from .runs_v2 import show_workflow, show_workflow_job

if TYPE_CHECKING:
    from collections.abc import Collection

    from circleci_sdk.testing._store.runs import FakeJob, FakeWorkflow


@handles("v2.workflows.get")
def get(ctx: RequestContext) -> object:
    return show_workflow(ctx.workflow())


@handles("v2.workflows.list_jobs")
def list_jobs(ctx: RequestContext) -> object:
    workflow = ctx.workflow()
    return ctx.page(workflow.jobs, lambda job: show_workflow_job(workflow, job))


@handles("v2.workflows.approve")
def approve(ctx: RequestContext) -> object:
    workflow = ctx.workflow()
    for job in workflow.jobs:
        if job.is_approval and job.id == ctx.call["approval_request_id"]:
            if job.state != "on_hold":
                raise ErrorResponse(400, "The job is not on hold.")
            ctx.store.engine.approve(job, ctx.user)
            return {"message": "Accepted."}
    raise ErrorResponse(404, "Approval request not found")


@handles("v2.workflows.cancel")
def cancel(ctx: RequestContext) -> object:
    ctx.store.engine.cancel_workflow(ctx.workflow(), ctx.user)
    return {"message": "Accepted."}


@handles("v2.workflows.rerun")
def rerun(ctx: RequestContext) -> object:
    workflow = ctx.workflow()
    ids = ctx.call.get("jobs")
    only = None
    if ids and not ctx.call.get("from_failed"):
        known = {job.id: job for job in workflow.jobs}
        if unknown := [id for id in ids if id not in known]:
            raise ErrorResponse(400, f"Job {unknown[0]} is not part of the workflow.")
        only = [known[id] for id in ids]
    new = rerun_of(
        ctx,
        workflow,
        from_failed=ctx.call.get("from_failed", False),
        only=only,
        ssh=ctx.call.get("enable_ssh", False),
        sparse=ctx.call.get("sparse_tree", False),
    )
    return {"workflow_id": new.id}


def rerun_of(
    ctx: RequestContext,
    workflow: FakeWorkflow,
    *,
    from_failed: bool,
    only: Collection[FakeJob] | None = None,
    ssh: bool = False,
    sparse: bool = False,
) -> FakeWorkflow:
    """A rerun of all jobs of a workflow, of `only` some, or from failed."""
    ctx.must_have_ended(workflow)
    if from_failed:
        if workflow.state == "success":
            raise ErrorResponse(400, "The workflow has no failed jobs to run again.")
        only = [job for job in workflow.jobs if job.state != "success"]
    return ctx.store.engine.rerun(workflow, ctx.user, only=only, ssh=ssh, sparse=sparse)
