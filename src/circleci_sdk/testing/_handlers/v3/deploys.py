"""`v3.deploy_components`, `v3.deploy_environments`, `v3.deployments` and `v3.deploy_settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._handlers.context import RequestContext, handles, present
from circleci_sdk.testing._handlers.deploys import ROLLBACK_SECONDS, make_live
from circleci_sdk.testing._store.store import NIL_UUID
from circleci_sdk.testing._wire.messages import ErrorResponse

from .envelope import entity, id_of, newest, one, page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk.testing._store.records import FakeItem, JsonObject


@handles("v3.deploy_components.list")
def list_components(ctx: RequestContext) -> object:
    return page(ctx, _components(ctx), _show_component)


@handles("v3.deploy_components.get")
def get_component(ctx: RequestContext) -> object:
    return one(_show_component(ctx.stored("components", "component_id", "Component not found")[1]))


@handles("v3.deploy_components.list_versions")
def list_versions(ctx: RequestContext) -> object:
    organization, component = ctx.stored("components", "component_id", "Component not found")
    environment = ctx.call.get("environment_id")
    versions: list[JsonObject] = organization.versions[component.id]

    def show(version: JsonObject) -> JsonObject:
        attributes = {"name": version["name"], "created_at": version["last_deployed_at"]}
        return entity(id_of(component.id, "version", _place(version)), attributes, component=component.id)

    return newest(ctx, versions, show, lambda each: environment in (None, each["environment_id"]))


@handles("v3.deploy_environments.list")
def list_environments(ctx: RequestContext) -> object:
    organization = ctx.organization()
    environments = list(organization.environments.values())
    return page(ctx, environments, lambda each: _show_environment(organization.id, each))


@handles("v3.deploy_environments.get")
def get_environment(ctx: RequestContext) -> object:
    organization, environment = ctx.stored("environments", "environment_id", "Environment not found")
    return one(_show_environment(organization.id, environment))


@handles("v3.deployments.list")
def list_deployments(ctx: RequestContext) -> object:
    organization = ctx.organization()
    found = [(each, version) for each in _components(ctx) for version in organization.versions[each.id]]
    found.sort(key=lambda pair: str(pair[1]["last_deployed_at"]))
    return newest(ctx, found, lambda pair: _show_deployment(*pair))


@handles("v3.deployments.rollback")
def rollback(ctx: RequestContext) -> object:
    project, call = ctx.project_by_id(), ctx.call
    organization = project.organization
    component = organization.components.get(call["component_id"])
    environment = organization.environments.get(call["environment_id"])
    if component is None or environment is None or component.shown["project_id"] != project.id:
        raise ErrorResponse(404, "Component or environment not found.")
    here = [each for each in organization.versions[component.id] if each["environment_id"] == environment.id]
    target = next((each for each in here if each["name"] == call["target_version"]), None)
    live = next((each["name"] for each in here if each["is_live"]), None)
    if target is None or live != call["current_version"]:
        version = call["target_version"] if target is None else call["current_version"]
        raise ErrorResponse(400, f"{version} is not a version deployed to {environment.shown['name']}.")
    under_way = (component.id, environment.id)
    if under_way in organization.rollbacks:
        raise ErrorResponse(409, "A rollback of this component is under way.")
    organization.rollbacks.add(under_way)

    def end() -> None:
        organization.rollbacks.discard(under_way)
        make_live(organization, component, target)

    ctx.store.clock.call_later(ROLLBACK_SECONDS, end)
    return one(
        entity(
            ctx.store.ids.uuid(),
            {"rollback_type": "agent"},
            project=project.id,
            deploy_component=component.id,
            deploy_environment=environment.id,
        )
    )


@handles("v3.deploy_settings.get")
def get_settings(ctx: RequestContext) -> object:
    project = ctx.project_by_id()
    return one(entity(project.id, {}, project=project.id))


def _components(ctx: RequestContext) -> list[FakeItem]:
    project = ctx.call.get("project_id")
    return [each for each in ctx.organization().components.values() if project in (None, each.shown["project_id"])]


def _show_component(component: FakeItem) -> JsonObject:
    attributes = {"name": component.shown["name"], "type": "service"}
    return entity(component.id, attributes, project=component.shown["project_id"])


def _show_environment(organization_id: str, environment: FakeItem) -> JsonObject:
    return entity(environment.id, {"name": environment.shown["name"]}, org=organization_id)


def _show_deployment(component: FakeItem, version: Mapping[str, Any]) -> JsonObject:
    moment = version["last_deployed_at"]
    runs = present(**{name: version[f"{name}_id"] for name in ("pipeline", "workflow")})
    return entity(
        id_of(component.id, "deployment", _place(version)),
        {
            "type": "deployment",
            "status": "succeeded",
            "target_version": {"name": version["name"]},
            "is_rollback": False,
            "created_at": moment,
            "ended_at": moment,
        },
        deploy_component={"id": component.id, "attributes": {"name": component.shown["name"]}},
        deploy_environment=version["environment_id"],
        **{name: id for name, id in runs.items() if id != NIL_UUID},
    )


def _place(version: Mapping[str, Any]) -> str:
    return f"{version['environment_id']}/{version['name']}/{version['last_deployed_at']}"
