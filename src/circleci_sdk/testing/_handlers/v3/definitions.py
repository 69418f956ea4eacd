"""`v3.pipelines` and `v3.triggers`: the pipeline definitions of v2 and their triggers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles, millis, present
from circleci_sdk.testing._handlers.definitions import add_definition, add_trigger, show_repository
from circleci_sdk.testing._wire.messages import ErrorResponse

from .envelope import counted, entity, one

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import FakeItem, JsonObject

_HOSTED: Final = "circleci"
"""The provider of config files that CircleCI stores."""


@handles("v3.pipelines.list")
def list_pipelines(ctx: RequestContext) -> object:
    project = ctx.project_by_id()
    return counted(_show_pipeline(project, each) for each in project.pipeline_definitions.values())


@handles("v3.pipelines.create")
def create_pipeline(ctx: RequestContext) -> object:
    project, config, checkout = ctx.project_by_id(), ctx.call["config"], ctx.call["checkout"]
    kind = config["type"]
    if kind not in ("vcs", "hosted") or kind not in config:
        raise ErrorResponse(400, "Field 'config' needs 'vcs' or 'hosted', as its type says.")
    if "vcs" not in checkout:
        raise ErrorResponse(400, "Missing required field 'checkout.vcs'.")
    shown = {
        "name": ctx.call["name"],
        "description": ctx.call.get("description", ""),
        "config_source": {**_source(project, config[kind]), "file_path": config["file_path"]},
        "checkout_source": _source(project, checkout["vcs"]),
    }
    return one(_show_pipeline(project, add_definition(ctx, project, shown)))


def _source(project: FakeProject, sent: Mapping[str, Any]) -> JsonObject:
    """A source as v2 stores it."""
    repo = show_repository(project, sent["repo_id"]) if "repo_id" in sent else None
    return present(provider=sent["provider"], repo=repo)


def _show_pipeline(project: FakeProject, item: FakeItem) -> JsonObject:
    config, checkout = item.shown["config_source"], item.shown["checkout_source"]
    hosted = config["provider"] == _HOSTED
    attributes = present(
        name=item.shown["name"],
        description=item.shown["description"] or None,
        created_at=millis(item.created_at),
        config={
            "type": "hosted" if hosted else "vcs",
            "file_path": config["file_path"],
            **({"hosted": {"provider": _HOSTED}} if hosted else {"vcs": _vcs(config)}),
        },
        checkout={"type": "vcs", "vcs": _vcs(checkout)},
    )
    return entity(item.id, attributes, project=project.id)


def _vcs(source: Mapping[str, Any]) -> JsonObject:
    repo = source.get("repo", {})
    return present(provider=source["provider"], repo_id=repo.get("external_id"), repo_full_name=repo.get("full_name"))


@handles("v3.triggers.list")
def list_triggers(ctx: RequestContext) -> object:
    project = ctx.project_by_id()
    definition = ctx.call["pipeline_id"]
    if definition not in project.pipeline_definitions:
        raise ErrorResponse(404, "Pipeline not found.")
    return counted(
        _show_trigger(project, definition, project.triggers[id])
        for id, owner in project.trigger_definitions.items()
        if owner == definition
    )


@handles("v3.triggers.create")
def create_trigger(ctx: RequestContext) -> object:
    project, definition = _owner(ctx, ctx.call["pipeline_id"])
    event: dict[str, Any] = ctx.call.get("event") or {"type": "vcs", "vcs": {"provider": "github_app"}}
    kind = event["type"]
    if kind == "vcs" and "vcs" not in event:
        raise ErrorResponse(400, "Missing required field 'event.vcs'.")
    source: JsonObject = {"provider": event["vcs"]["provider"] if kind == "vcs" else kind}
    if kind == "vcs" and "repo_id" in event["vcs"]:
        source["repo"] = show_repository(project, event["vcs"]["repo_id"])
    if kind == "webhook":
        source["webhook"] = {"url": "", "sender": event.get("webhook", {}).get("source", "")}
    if kind == "schedule":
        source["schedule"] = event.get("schedule", {})
    shown = present(
        name=event.get("webhook", {}).get("name", ""),
        description="",
        event_source=source,
        event_preset=event.get("filter", {}).get("preset"),
        config_ref=ctx.call.get("config_ref"),
        checkout_ref=ctx.call.get("checkout_ref"),
        disabled=True if ctx.call["is_disabled"] else None,
    )
    return one(_show_trigger(project, definition, add_trigger(ctx, project, definition, shown)))


def _owner(ctx: RequestContext, definition: str) -> tuple[FakeProject, str]:
    """The project of a pipeline definition. The project of the query is not needed, and must not be another."""
    for project in ctx.store.projects.values():
        known = definition in project.pipeline_definitions and ctx.can_see(project)
        if known and ctx.call.get("project_id") in (None, project.id):
            return project, definition
    raise ErrorResponse(404, "Pipeline not found.")


def _show_trigger(project: FakeProject, definition: str, item: FakeItem) -> JsonObject:
    shown, source = item.shown, item.shown["event_source"]
    provider, preset = source["provider"], shown.get("event_preset")
    event: JsonObject = {"type": provider if provider in ("webhook", "schedule") else "vcs"}
    match event["type"]:
        case "vcs":
            event["vcs"] = _vcs(source)
        case "webhook":
            event["webhook"] = present(name=shown["name"] or None, source=source["webhook"]["sender"] or None)
        case _:
            event["schedule"] = source["schedule"]
    if preset:
        event["filter"] = {"preset": preset}
    attributes = present(
        is_disabled=bool(shown.get("disabled")),
        created_at=millis(item.created_at),
        event=event,
        config=_ref(shown.get("config_ref")),
        checkout=_ref(shown.get("checkout_ref")),
    )
    return entity(item.id, attributes, project=project.id, pipeline=definition)


def _ref(ref: str | None) -> JsonObject | None:
    return None if ref is None else {"ref": ref}
