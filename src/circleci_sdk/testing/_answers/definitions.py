"""`v2.pipeline_definitions` and `v2.triggers`: what a pipeline is made of, and what starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._state.things import Stored
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers, millis

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.things import JsonObject


@answers("v2.pipeline_definitions.list")
def list_definitions(desk: Desk) -> object:
    return {"items": [each.shown for each in desk.project("project_id").pipeline_definitions.values()]}


@answers("v2.pipeline_definitions.create")
def create_definition(desk: Desk) -> object:
    project = desk.project("project_id")
    shown: JsonObject = {
        "id": desk.world.ids.uuid(),
        "name": desk.call["name"],
        "description": desk.call.get("description", ""),
        "created_at": millis(desk.now),
        "config_source": _source(project, desk.call["config_source"]),
        "checkout_source": _source(project, desk.call["checkout_source"]),
    }
    project.pipeline_definitions[shown["id"]] = Stored(shown["id"], shown, desk.now, desk.now)
    return shown


@answers("v2.pipeline_definitions.get")
def get_definition(desk: Desk) -> object:
    return _definition(desk).shown


@answers("v2.pipeline_definitions.update")
def update_definition(desk: Desk) -> object:
    project, definition = desk.project("project_id"), _definition(desk)
    for name in ("name", "description"):
        if name in desk.call.args:
            definition.shown[name] = desk.call[name]
    for name in ("config_source", "checkout_source"):
        if name in desk.call.args:
            definition.shown[name] = {**definition.shown[name], **_source(project, desk.call[name])}
    return definition.shown


@answers("v2.pipeline_definitions.delete")
def delete_definition(desk: Desk) -> object:
    project, definition = desk.project("project_id"), _definition(desk)
    del project.pipeline_definitions[definition.id]
    for id, owner in list(project.trigger_definitions.items()):
        if owner == definition.id:
            del project.trigger_definitions[id], project.triggers[id]
    return {"message": "Pipeline definition deleted."}


def _definition(desk: Desk) -> Stored:
    definition = desk.project("project_id").pipeline_definitions.get(desk.call["pipeline_definition_id"])
    if definition is None:
        raise Refusal(404, "Pipeline definition not found")
    return definition


def _source(project: FakeProject, sent: dict[str, Any]) -> JsonObject:
    shown = dict(sent)
    if "repo" in shown:
        shown["repo"] = _repository(project, shown["repo"])
    return shown


def _repository(project: FakeProject, sent: dict[str, Any]) -> JsonObject:
    return {"full_name": f"{project.organization.name}/{project.name}", "external_id": sent["external_id"]}


@answers("v2.triggers.list")
def list_triggers(desk: Desk) -> object:
    project, definition = desk.project("project_id"), _definition(desk)
    return {
        "items": [
            project.triggers[id].shown for id, owner in project.trigger_definitions.items() if owner == definition.id
        ]
    }


@answers("v2.triggers.create")
def create_trigger(desk: Desk) -> object:
    project, definition = desk.project("project_id"), _definition(desk)
    sent: dict[str, Any] = desk.call["event_source"]
    provider = sent["provider"]
    if provider in ("webhook", "schedule"):
        for name in ("checkout_ref", "config_ref"):
            if name not in desk.call.args:
                raise Refusal(400, f"Missing required field '{name}'.")
    if provider == "schedule" and not sent.get("schedule", {}).get("cron_expression"):
        raise Refusal(400, "Missing required field 'event_source.schedule.cron_expression'.")
    if provider not in ("webhook", "schedule") and "repo" not in sent:
        raise Refusal(400, "Missing required field 'event_source.repo'.")
    if desk.call.get("event_preset") == "only-branch-delete":
        raise Refusal(400, "The event preset 'only-branch-delete' cannot be used.")
    id, secret = desk.world.ids.uuid(), desk.world.ids.secret()
    shown: JsonObject = {
        "id": id,
        "name": desk.call.get("event_name", ""),
        "description": "",
        "created_at": millis(desk.now),
        "event_source": _event_source(desk, project, id, sent),
    }
    shown |= _changes(desk)
    project.triggers[id] = Stored(id, shown, desk.now, desk.now, secret)
    project.trigger_definitions[id] = definition.id
    answer = {name: value for name, value in shown.items() if name != "created_at"}
    if provider == "webhook":  # the address with its secret is shown this once
        webhook = {**shown["event_source"]["webhook"], "url": _webhook_url(id, secret)}
        answer["event_source"] = {**shown["event_source"], "webhook": webhook}
    return answer


@answers("v2.triggers.get")
def get_trigger(desk: Desk) -> object:
    return _trigger(desk).shown


@answers("v2.triggers.update")
def update_trigger(desk: Desk) -> object:
    trigger = _trigger(desk)
    changes = _changes(desk)
    trigger.shown.update(changes)
    if "event_name" in changes:
        trigger.shown["name"] = changes["event_name"]
    if not desk.call.get("disabled", True):
        trigger.shown.pop("disabled", None)
    sent: dict[str, Any] = desk.call.get("event_source", {})
    source = trigger.shown["event_source"]
    if "sender" in sent.get("webhook", {}):
        source.setdefault("webhook", {})["sender"] = sent["webhook"]["sender"]
    if "cron_expression" in sent.get("schedule", {}):
        source.setdefault("schedule", {})["cron_expression"] = sent["schedule"]["cron_expression"]
    return trigger.shown


@answers("v2.triggers.delete")
def delete_trigger(desk: Desk) -> object:
    project, trigger = desk.project("project_id"), _trigger(desk)
    del project.triggers[trigger.id], project.trigger_definitions[trigger.id]
    return {"message": "Trigger deleted."}


def _trigger(desk: Desk) -> Stored:
    trigger = desk.project("project_id").triggers.get(desk.call["trigger_id"])
    if trigger is None:
        raise Refusal(404, "Trigger not found")
    return trigger


def _changes(desk: Desk) -> JsonObject:
    names = ("event_name", "event_preset", "checkout_ref", "config_ref", "parameters")
    found: JsonObject = {name: desk.call[name] for name in names if name in desk.call.args}
    if desk.call.get("disabled"):
        found["disabled"] = True  # false is left out
    return found


def _event_source(desk: Desk, project: FakeProject, id: str, sent: dict[str, Any]) -> JsonObject:
    shown: JsonObject = {"provider": sent["provider"]}
    if "repo" in sent:
        shown["repo"] = _repository(project, sent["repo"])
    if sent["provider"] == "webhook":
        shown["webhook"] = {
            "url": _webhook_url(id, "**REDACTED**"),
            "sender": sent.get("webhook", {}).get("sender", ""),
        }
    if sent["provider"] == "schedule":
        shown["schedule"] = {
            "cron_expression": sent["schedule"]["cron_expression"],
            "attribution_actor": {"id": desk.user.id},
        }
    return shown


def _webhook_url(id: str, secret: str) -> str:
    return f"https://internal.circleci.com/private/soc/e/{id}?secret={secret}"
