"""`v3.workflows`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._handlers.context import RequestContext, handles, millis, present
from circleci_sdk.testing._handlers.workflows import rerun_of
from circleci_sdk.testing._wire.messages import ErrorResponse, Response

from .envelope import entity, newest, one
from .phases import progress_of_run, progress_of_workflow, show_progress

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeWorkflow


@handles("v3.workflows.list")
def list_(ctx: RequestContext) -> object:
    run = ctx.pipeline("run_id")
    if not run.workflows and progress_of_run(run).phase == "created":
        raise ErrorResponse(404, "run not found")
    return newest(ctx, run.workflows, _show, ctx.store.is_visible)


@handles("v3.workflows.get")
def get(ctx: RequestContext) -> object:
    return one(_show(ctx.workflow()))


@handles("v3.workflows.cancel")
def cancel(ctx: RequestContext) -> object:
    workflow = ctx.workflow()
    ctx.store.engine.cancel_workflow(workflow, ctx.user)
    return one(entity(workflow.id))


@handles("v3.workflows.rerun")
def rerun(ctx: RequestContext) -> object:
    new = rerun_of(ctx, ctx.workflow(), from_failed=ctx.call.get("is_from_failed", False))
    return Response(201, one(entity(new.id)), {"Location": f"/api/v3/workflows/{new.id}"})


def _show(workflow: FakeWorkflow) -> JsonObject:
    return entity(
        workflow.id,
        present(
            name=workflow.name,
            **show_progress(progress_of_workflow(workflow)),
            created_at=millis(workflow.created_at),
            ended_at=millis(workflow.stopped_at) if workflow.stopped_at else None,
        ),
        run=workflow.pipeline.id,
        project=workflow.pipeline.project.id,
        user=workflow.started_by.id,
    )
