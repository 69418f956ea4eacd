"""`v2.deploys`: components, environments, versions and rollbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import FakeOrganization
    from circleci_sdk.testing._store.records import FakeItem, JsonObject

ROLLBACK_SECONDS = 5.0


@handles("v2.deploys.list_components")
def list_components(ctx: RequestContext) -> object:
    organization = ctx.organization()
    project, name = ctx.call.get("project_id"), ctx.call.get("component_name")
    components = [
        each
        for each in organization.components.values()
        if (project is None or each.shown["project_id"] == project) and (name is None or each.shown["name"] == name)
    ]
    return ctx.page(components, lambda each: each.shown)


@handles("v2.deploys.get_component")
def get_component(ctx: RequestContext) -> object:
    return ctx.stored("components", "component_id", "Component not found")[1].shown


@handles("v2.deploys.list_component_versions")
def list_component_versions(ctx: RequestContext) -> object:
    organization, component = ctx.stored("components", "component_id", "Component not found")
    environment = ctx.call.get("environment_id")
    versions = [
        version
        for version in reversed(organization.versions[component.id])
        if environment is None or version["environment_id"] == environment
    ]
    return ctx.page(versions, lambda version: version)


@handles("v2.deploys.list_environments")
def list_environments(ctx: RequestContext) -> object:
    return ctx.page(list(ctx.organization().environments.values()), lambda each: each.shown)


@handles("v2.deploys.get_environment")
def get_environment(ctx: RequestContext) -> object:
    return ctx.stored("environments", "environment_id", "Environment not found")[1].shown


@handles("v2.deploys.rollback")
def rollback(ctx: RequestContext) -> object:
    project = ctx.project("project_id")
    organization, call = project.organization, ctx.call
    component = _named(organization.components, call["component_name"], "Component not found", project.id)
    environment = _named(organization.environments, call["environment_name"], "Environment not found")
    here = [each for each in organization.versions[component.id] if each["environment_id"] == environment.id]
    target = next((each for each in here if each["name"] == call["target_version"]), None)
    if target is None:
        raise ErrorResponse(404, "Version not found")
    live = next((each["name"] for each in here if each["is_live"]), None)
    if live != call["current_version"] or live == call["target_version"]:
        raise ErrorResponse(409, f"The live version is {live}.")
    ctx.store.clock.call_later(ROLLBACK_SECONDS, lambda: make_live(organization, component, target))
    return {"id": ctx.store.ids.uuid(), "rollback_type": "PIPELINE"}


def _named(items: dict[str, FakeItem], name: str, message: str, project_id: str | None = None) -> FakeItem:
    for each in items.values():
        if each.shown["name"] == name and project_id in (None, each.shown.get("project_id")):
            return each
    raise ErrorResponse(404, message)


def make_live(organization: FakeOrganization, component: FakeItem, target: JsonObject) -> None:
    """Make a version the live one of its component in its environment."""
    for each in organization.versions[component.id]:
        if each["environment_id"] == target["environment_id"]:
            each["is_live"] = each is target
