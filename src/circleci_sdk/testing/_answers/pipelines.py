"""`v2.pipelines`: reading them and starting new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._wire.messages import Refusal, Reply

from .desk import Desk, answers, millis
from .runs_v2 import show_pipeline, show_workflow

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.runs import FakePipeline
    from circleci_sdk.testing._state.things import JsonObject


@answers("v2.pipelines.list")
def list_(desk: Desk) -> object:
    mine: bool = desk.call.get("mine", False)
    slug: str | None = desk.call.get("org_slug")
    if slug is None:
        organizations = [each for each in desk.world.organizations.values() if not each.hidden]
    else:
        organizations = [desk.organization("org_slug")]
    if len(organizations) == 1:
        pipelines = desk.world.pipelines_of(organizations[0])
    else:
        found = [pipeline for each in organizations for pipeline in desk.world.pipelines_of(each)]
        pipelines = sorted(found, key=lambda pipeline: pipeline.created_at)
    return desk.newest(
        pipelines,
        show_pipeline,
        lambda each: desk.sees(each.project) and (not mine or each.actor is desk.user),
    )


@answers("v2.pipelines.list_for_project")
def list_for_project(desk: Desk) -> object:
    project = desk.project()
    branch: str | None = desk.call.get("branch")
    pipelines = project.pipelines if branch is None else project.pipelines_by_branch.get(branch, [])
    return desk.newest(pipelines, show_pipeline)


@answers("v2.pipelines.list_mine")
def list_mine(desk: Desk) -> object:
    return desk.newest(desk.project().pipelines, show_pipeline, lambda each: each.actor is desk.user)


@answers("v2.pipelines.get")
def get(desk: Desk) -> object:
    return show_pipeline(desk.pipeline())


@answers("v2.pipelines.get_by_number")
def get_by_number(desk: Desk) -> object:
    pipeline = desk.project().pipeline(desk.call["pipeline_number"])
    if pipeline is None:
        raise Refusal(404, "Pipeline not found")
    return show_pipeline(pipeline)


@answers("v2.pipelines.get_config")
def get_config(desk: Desk) -> object:
    pipeline = desk.pipeline()
    shown: JsonObject = {"source": pipeline.config, "compiled": pipeline.config}
    if any(workflow.plan.setup for workflow in pipeline.workflows):
        shown |= {"setup_config": pipeline.config, "compiled_setup_config": pipeline.config}
    return shown


@answers("v2.pipelines.get_values")
def get_values(desk: Desk) -> object:
    pipeline = desk.pipeline()
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


@answers("v2.pipelines.list_workflows")
def list_workflows(desk: Desk) -> object:
    return desk.newest(desk.pipeline().workflows, show_workflow)


@answers("v2.pipelines.trigger")
def trigger(desk: Desk) -> object:
    project = desk.project()
    if project.slug.startswith("circleci/"):
        raise Refusal(400, "Use the endpoint for triggering pipeline runs with projects of this kind.")
    return _start(desk, project, desk.call.get("branch"), desk.call.get("tag"), desk.call.get("config", ""))


@answers("v2.pipelines.trigger_run")
def trigger_run(desk: Desk) -> object:
    project = desk.project()
    definition = desk.call.get("pipeline_definition_id")
    if definition is not None and definition not in project.pipeline_definitions:
        raise Refusal(404, "Pipeline definition not found")
    checkout: dict[str, Any] = desk.call.get("checkout", {})
    config: dict[str, Any] = desk.call.get("config", {})
    if {"branch", "tag"} <= checkout.keys():
        raise Refusal(400, "Give only one of 'checkout.branch', 'checkout.tag'.")
    return _start(desk, project, checkout.get("branch"), checkout.get("tag"), config.get("content", ""))


def _start(desk: Desk, project: FakeProject, branch: str | None, tag: str | None, config: str) -> object:
    where = branch if branch is not None or tag is not None else project.default_branch
    plan = project.next_plan(where)
    if plan.skipped is not None:
        return Reply(200, {"message": plan.skipped})
    pipeline = desk.world.engine.start(
        project,
        plan,
        actor=desk.user,
        trigger_type="api",
        branch=where,
        tag=tag,
        parameters=desk.call.get("parameters"),
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


@answers("v2.pipelines.continue_")
def continue_(desk: Desk) -> object:
    key = desk.call["continuation_key"]
    for pipeline in desk.world.pipelines.values():
        if pipeline.continuation_key == key and desk.sees(pipeline.project):
            if pipeline.state != "setup":
                raise Refusal(400, "Pipeline is not in setup phase.")
            pipeline.config = desk.call["configuration"]
            desk.world.engine.continue_(pipeline, desk.call.get("parameters", {}))
            return {"message": "Accepted."}
    raise Refusal(404, "Pipeline not found")
