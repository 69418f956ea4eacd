"""`v2.workflows`: reading, approving, canceling and running again."""

from __future__ import annotations

from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers
from .runs_v2 import show_workflow, show_workflow_job


@answers("v2.workflows.get")
def get(desk: Desk) -> object:
    return show_workflow(desk.workflow())


@answers("v2.workflows.list_jobs")
def list_jobs(desk: Desk) -> object:
    workflow = desk.workflow()
    return desk.page(workflow.jobs, lambda job: show_workflow_job(workflow, job))


@answers("v2.workflows.approve")
def approve(desk: Desk) -> object:
    workflow = desk.workflow()
    for job in workflow.jobs:
        if job.is_approval and job.id == desk.call["approval_request_id"]:
            if job.state != "on_hold":
                raise Refusal(400, "The job is not on hold.")
            desk.world.engine.approve(job, desk.user)
            return {"message": "Accepted."}
    raise Refusal(404, "Approval request not found")


@answers("v2.workflows.cancel")
def cancel(desk: Desk) -> object:
    desk.world.engine.cancel_workflow(desk.workflow(), desk.user)
    return {"message": "Accepted."}


@answers("v2.workflows.rerun")
def rerun(desk: Desk) -> object:
    workflow = desk.workflow()
    ids = desk.call.get("jobs")
    only = None
    if desk.call.get("from_failed"):
        if workflow.state in ("success", "running", "on_hold"):
            raise Refusal(400, "The workflow has no failed jobs to run again.")
        only = [job for job in workflow.jobs if job.state != "success"]
    elif ids:
        known = {job.id: job for job in workflow.jobs}
        if unknown := [id for id in ids if id not in known]:
            raise Refusal(400, f"Job {unknown[0]} is not part of the workflow.")
        only = [known[id] for id in ids]
    new = desk.world.engine.rerun(
        workflow,
        desk.user,
        only=only,
        ssh=desk.call.get("enable_ssh", False),
        sparse=desk.call.get("sparse_tree", False),
    )
    return {"workflow_id": new.id}
