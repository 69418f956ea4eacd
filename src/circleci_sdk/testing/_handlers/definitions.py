"""`v2.pipeline_definitions` and `v2.triggers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._store.records import FakeItem
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject


@handles("v2.pipeline_definitions.list")
def list_definitions(ctx: RequestContext) -> object:
    return {"items": [each.shown for each in ctx.project("project_id").pipeline_definitions.values()]}


@handles("v2.pipeline_definitions.create")
def create_definition(ctx: RequestContext) -> object:
    project = ctx.project("project_id")
    shown: JsonObject = {
        "name": ctx.call["name"],
        "description": ctx.call.get("description", ""),
        "config_source": _source(project, ctx.call["config_source"]),
        "checkout_source": _source(project, ctx.call["checkout_source"]),
    }
    return add_definition(ctx, project, shown).shown


def add_definition(ctx: RequestContext, project: FakeProject, shown: JsonObject) -> FakeItem:
    """A new pipeline definition."""
    id = ctx.store.ids.uuid()
    made = FakeItem(id, {"id": id, "created_at": millis(ctx.now), **shown}, ctx.now, ctx.now)
    project.pipeline_definitions[id] = made
    return made


@handles("v2.pipeline_definitions.get")
def get_definition(ctx: RequestContext) -> object:
    return _definition(ctx).shown


@handles("v2.pipeline_definitions.update")
def update_definition(ctx: RequestContext) -> object:
    project, definition = ctx.project("project_id"), _definition(ctx)
    for name in ("name", "description"):
        if name in ctx.call.args:
            definition.shown[name] = ctx.call[name]
    for name in ("config_source", "checkout_source"):
        if name in ctx.call.args:
            definition.shown[name] = {**definition.shown[name], **_source(project, ctx.call[name])}
    return definition.shown


@handles("v2.pipeline_definitions.delete")
def delete_definition(ctx: RequestContext) -> object:
    project, definition = ctx.project("project_id"), _definition(ctx)
    del project.pipeline_definitions[definition.id]
    for id, owner in list(project.trigger_definitions.items()):
        if owner == definition.id:
            del project.trigger_definitions[id], project.triggers[id]
    return {"message": "Pipeline definition deleted."}


def _definition(ctx: RequestContext) -> FakeItem:
    definition = ctx.project("project_id").pipeline_definitions.get(ctx.call["pipeline_definition_id"])
    if definition is None:
        raise ErrorResponse(404, "Pipeline definition not found")
    return definition


def _source(project: FakeProject, sent: dict[str, Any]) -> JsonObject:
    shown = dict(sent)
    if "repo" in shown:
        shown["repo"] = show_repository(project, shown["repo"]["external_id"])
    return shown


def show_repository(project: FakeProject, external_id: str) -> JsonObject:
    """The repository of a project. The fake accepts each id of one."""
    return {"full_name": f"{project.organization.name}/{project.name}", "external_id": external_id}


@handles("v2.triggers.list")
def list_triggers(ctx: RequestContext) -> object:
    project, definition = ctx.project("project_id"), _definition(ctx)
    return {
        "items": [
            project.triggers[id].shown for id, owner in project.trigger_definitions.items() if owner == definition.id
        ]
    }


@handles("v2.triggers.create")
def create_trigger(ctx: RequestContext) -> object:
    project, definition = ctx.project("project_id"), _definition(ctx)
    sent: dict[str, Any] = ctx.call["event_source"]
    provider = sent["provider"]
    if provider in ("webhook", "schedule"):
        for name in ("checkout_ref", "config_ref"):
            if name not in ctx.call.args:
                raise ErrorResponse(400, f"Missing required field '{name}'.")
    if provider == "schedule" and not sent.get("schedule", {}).get("cron_expression"):
        raise ErrorResponse(400, "Missing required field 'event_source.schedule.cron_expression'.")
    if provider not in ("webhook", "schedule") and "repo" not in sent:
        raise ErrorResponse(400, "Missing required field 'event_source.repo'.")
    if ctx.call.get("event_preset") == "only-branch-delete":
        raise ErrorResponse(400, "The event preset 'only-branch-delete' cannot be used.")
    shown: JsonObject = {
        "name": ctx.call.get("event_name", ""),
        "description": "",
        "event_source": _event_source(ctx, project, sent),
    }
    made = add_trigger(ctx, project, definition.id, shown | _changes(ctx))
    response = {name: value for name, value in made.shown.items() if name != "created_at"}
    if provider == "webhook":  # the address with its secret is shown this once
        webhook = {**made.shown["event_source"]["webhook"], "url": _webhook_url(made.id, made.secret)}
        response["event_source"] = {**made.shown["event_source"], "webhook": webhook}
    return response


def add_trigger(ctx: RequestContext, project: FakeProject, definition: str, shown: JsonObject) -> FakeItem:
    """A new trigger of a pipeline definition, with a secret address if it is a webhook."""
    id, secret = ctx.store.ids.uuid(), ctx.store.ids.secret()
    made = FakeItem(id, {"id": id, "created_at": millis(ctx.now), **shown}, ctx.now, ctx.now, secret)
    if "webhook" in shown["event_source"]:
        shown["event_source"]["webhook"]["url"] = _webhook_url(id, "**REDACTED**")
    project.triggers[id] = made
    project.trigger_definitions[id] = definition
    return made


@handles("v2.triggers.get")
def get_trigger(ctx: RequestContext) -> object:
    return _trigger(ctx).shown


@handles("v2.triggers.update")
def update_trigger(ctx: RequestContext) -> object:
    trigger = _trigger(ctx)
    changes = _changes(ctx)
    trigger.shown.update(changes)
    if "event_name" in changes:
        trigger.shown["name"] = changes["event_name"]
    if not ctx.call.get("disabled", True):
        trigger.shown.pop("disabled", None)
    sent: dict[str, Any] = ctx.call.get("event_source", {})
    source = trigger.shown["event_source"]
    if "sender" in sent.get("webhook", {}):
        source.setdefault("webhook", {})["sender"] = sent["webhook"]["sender"]
    if "cron_expression" in sent.get("schedule", {}):
        source.setdefault("schedule", {})["cron_expression"] = sent["schedule"]["cron_expression"]
    return trigger.shown


@handles("v2.triggers.delete")
def delete_trigger(ctx: RequestContext) -> object:
    project, trigger = ctx.project("project_id"), _trigger(ctx)
    del project.triggers[trigger.id], project.trigger_definitions[trigger.id]
    return {"message": "Trigger deleted."}


def _trigger(ctx: RequestContext) -> FakeItem:
    trigger = ctx.project("project_id").triggers.get(ctx.call["trigger_id"])
    if trigger is None:
        raise ErrorResponse(404, "Trigger not found")
    return trigger


def _changes(ctx: RequestContext) -> JsonObject:
    names = ("event_name", "event_preset", "checkout_ref", "config_ref", "parameters")
    found: JsonObject = {name: ctx.call[name] for name in names if name in ctx.call.args}
    if ctx.call.get("disabled"):
        found["disabled"] = True  # false is left out
    return found


def _event_source(ctx: RequestContext, project: FakeProject, sent: dict[str, Any]) -> JsonObject:
    shown: JsonObject = {"provider": sent["provider"]}
    if "repo" in sent:
        shown["repo"] = show_repository(project, sent["repo"]["external_id"])
    if sent["provider"] == "webhook":
        shown["webhook"] = {"url": "", "sender": sent.get("webhook", {}).get("sender", "")}
    if sent["provider"] == "schedule":
        shown["schedule"] = {
            "cron_expression": sent["schedule"]["cron_expression"],
            "attribution_actor": {"id": ctx.user.id},
        }
    return shown


def _webhook_url(id: str, secret: str) -> str:
    return f"https://internal.circleci.com/private/soc/e/{id}?secret={secret}"
