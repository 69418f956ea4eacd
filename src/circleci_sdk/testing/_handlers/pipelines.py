"""`v2.pipelines`: read, trigger and continue pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._wire.messages import ErrorResponse, Response

from .context import RequestContext, handles, millis
from .runs_v2 import show_pipeline, show_workflow

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakePipeline


@handles("v2.pipelines.list")
def list_(ctx: RequestContext) -> object:
    mine: bool = ctx.call.get("mine", False)
    slug: str | None = ctx.call.get("org_slug")
    if slug is None:
        organizations = [each for each in ctx.store.organizations.values() if not each.hidden]
    else:
        organizations = [ctx.organization("org_slug")]
    if len(organizations) == 1:
        pipelines = ctx.store.runs.pipelines_of(organizations[0])
    else:
        found = [pipeline for each in organizations for pipeline in ctx.store.runs.pipelines_of(each)]
        pipelines = sorted(found, key=lambda pipeline: pipeline.created_at)
    return ctx.newest(
        pipelines,
        show_pipeline,
        lambda each: ctx.can_see(each.project) and (not mine or each.actor is ctx.user) and ctx.store.is_visible(each),
    )


@handles("v2.pipelines.list_for_project")
def list_for_project(ctx: RequestContext) -> object:
    project = ctx.project()
    branch: str | None = ctx.call.get("branch")
    pipelines = project.pipelines if branch is None else project.pipelines_by_branch.get(branch, [])
    return ctx.newest(pipelines, show_pipeline, ctx.store.is_visible)


@handles("v2.pipelines.list_mine")
def list_mine(ctx: RequestContext) -> object:
    return ctx.newest(
        ctx.project().pipelines, show_pipeline, lambda each: each.actor is ctx.user and ctx.store.is_visible(each)
    )


@handles("v2.pipelines.get")
def get(ctx: RequestContext) -> object:
    return show_pipeline(ctx.pipeline())


@handles("v2.pipelines.get_by_number")
def get_by_number(ctx: RequestContext) -> object:
    pipeline = ctx.project().pipeline(ctx.call["pipeline_number"])
    if pipeline is None or not ctx.store.is_visible(pipeline):
        raise ErrorResponse(404, "Pipeline not found")
    return show_pipeline(pipeline)


@handles("v2.pipelines.get_config")
def get_config(ctx: RequestContext) -> object:
    pipeline = ctx.pipeline()
    shown: JsonObject = {"source": pipeline.config, "compiled": pipeline.config}
    if any(workflow.plan.setup for workflow in pipeline.workflows):
        shown |= {"setup_config": pipeline.config, "compiled_setup_config": pipeline.config}
    return shown


@handles("v2.pipelines.get_values")
def get_values(ctx: RequestContext) -> object:
    pipeline = ctx.pipeline()
    values: JsonObject = {
        "pipeline.id": pipeline.id,
        "pipeline.number": pipeline.number,
        "pipeline.project.type": pipeline.project.organization.vcs_type,
        "pipeline.git.revision": pipeline.revision,
        "pipeline.trigger_source": pipeline.trigger_type,
    }
    if pipeline.branch is not None:
        values["pipeline.git.branch"] = pipeline.branch
    if pipeline.tag is not None:
        values["pipeline.git.tag"] = pipeline.tag
    return values | {f"pipeline.parameters.{name}": value for name, value in pipeline.parameters.items()}


@handles("v2.pipelines.list_workflows")
def list_workflows(ctx: RequestContext) -> object:
    return ctx.newest(ctx.pipeline().workflows, show_workflow, ctx.store.is_visible)


@handles("v2.pipelines.trigger")
def trigger(ctx: RequestContext) -> object:
    project = ctx.project()
    if project.slug.startswith("circleci/"):
        raise ErrorResponse(400, "Use the endpoint for triggering pipeline runs with projects of this kind.")
    return _start(ctx, project, ctx.call.get("branch"), ctx.call.get("tag"), ctx.call.get("config", ""))


@handles("v2.pipelines.trigger_run")
def trigger_run(ctx: RequestContext) -> object:
    project = ctx.project()
    definition = ctx.call.get("pipeline_definition_id")
    if definition is not None and definition not in project.pipeline_definitions:
        raise ErrorResponse(404, "Pipeline definition not found")
    checkout: dict[str, Any] = ctx.call.get("checkout", {})
    config: dict[str, Any] = ctx.call.get("config", {})
    if {"branch", "tag"} <= checkout.keys():
        raise ErrorResponse(400, "Give only one of 'checkout.branch', 'checkout.tag'.")
    return _start(ctx, project, checkout.get("branch"), checkout.get("tag"), config.get("content", ""))


def _start(ctx: RequestContext, project: FakeProject, branch: str | None, tag: str | None, config: str) -> object:
    where = branch if branch is not None or tag is not None else project.default_branch
    plan = ctx.store.engine.next_plan(project, where)
    if plan.skipped is not None:
        return Response(200, {"message": plan.skipped})
    pipeline = ctx.store.engine.start(
        project,
        plan,
        actor=ctx.user,
        trigger_type="api",
        branch=where,
        tag=tag,
        parameters=ctx.call.get("parameters"),
        config=config,
    )
    return _created(pipeline)


def _created(pipeline: FakePipeline) -> JsonObject:
    return {
        "id": pipeline.id,
        "state": pipeline.state,
        "number": pipeline.number,
        "created_at": millis(pipeline.created_at),
    }


@handles("v2.pipelines.continue_")
def continue_(ctx: RequestContext) -> object:
    key = ctx.call["continuation_key"]
    for pipeline in ctx.store.runs.pipelines.values():
        if pipeline.continuation_key == key and ctx.can_see(pipeline.project):
            if pipeline.state != "setup":
                raise ErrorResponse(400, "Pipeline is not in setup phase.")
            pipeline.config = ctx.call["configuration"]
            ctx.store.engine.continue_(pipeline, ctx.call.get("parameters", {}))
            return {"message": "Accepted."}
    raise ErrorResponse(404, "Pipeline not found")
