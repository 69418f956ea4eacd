"""`v2.contexts`: contexts, their variables and restrictions. What is missing answers 403 here, like what is hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._state.things import EnvVar, FakeContext, Restriction
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers, millis, present

if TYPE_CHECKING:
    from circleci_sdk.testing._state.things import JsonObject

MOST_VARIABLES = 100


@answers("v2.contexts.list")
def list_(desk: Desk) -> object:
    if desk.call.get("owner_type") == "account":
        raise Refusal(400, "Invalid owner type - only organization is supported at present")
    organization = desk.allowed_organization("owner_id" if "owner_id" in desk.call.args else "owner_slug")
    name: str | None = desk.call.get("name")
    contexts = [context for context in organization.contexts.values() if name is None or context.name == name]
    if desk.call.get("include_env_vars"):
        return desk.page(
            contexts,
            lambda each: {**_show(each), "environment_variables": [_show_env_var(each, var) for var in _sorted(each)]},
        )
    return desk.page(contexts, _show)


@answers("v2.contexts.create")
def create(desk: Desk) -> object:
    owner: dict[str, Any] = desk.call["owner"]
    if owner.get("type") == "account":
        raise Refusal(400, "Invalid owner type - only organization is supported at present")
    organization = desk.world.organization(str(owner.get("id") or owner.get("slug")))
    if organization is None or organization.hidden:
        raise Refusal(403, "Forbidden")
    name: str = desk.call["name"]
    if not name.strip():
        raise Refusal(400, "The name of a context cannot be empty.")
    if any(context.name == name for context in organization.contexts.values()):
        raise Refusal(400, "A context with this name already exists.")
    return _show(desk.world.add_context(organization, name, {}))


@answers("v2.contexts.get")
def get(desk: Desk) -> object:
    return _show(desk.context())


@answers("v2.contexts.delete")
def delete(desk: Desk) -> object:
    context = desk.context()
    del context.organization.contexts[context.id]
    return {"message": "Context deleted."}


@answers("v2.contexts.list_env_vars")
def list_env_vars(desk: Desk) -> object:
    context = desk.context()
    return desk.page(_sorted(context), lambda var: _show_env_var(context, var))


@answers("v2.contexts.set_env_var")
def set_env_var(desk: Desk) -> object:
    context, name = desk.context(), desk.call["name"]
    before = context.env_vars.get(name)
    if before is None and len(context.env_vars) >= MOST_VARIABLES:
        raise Refusal(400, f"A context holds at most {MOST_VARIABLES} environment variables.")
    created = before.created_at if before else desk.now
    context.env_vars[name] = EnvVar(name, desk.call["value"], created, desk.now)
    shown = _show_env_var(context, context.env_vars[name])
    del shown["truncated_value"]  # only lists show it
    return shown


@answers("v2.contexts.delete_env_var")
def delete_env_var(desk: Desk) -> object:
    context = desk.context()
    if context.env_vars.pop(desk.call["name"], None) is None:
        raise Refusal(404, "Environment variable not found.")
    return {"message": "Environment variable deleted."}


@answers("v2.contexts.list_restrictions")
def list_restrictions(desk: Desk) -> object:
    context = desk.context()
    return desk.page(list(context.restrictions.values()), lambda each: _show_restriction(context, each))


@answers("v2.contexts.create_restriction")
def create_restriction(desk: Desk) -> object:
    context = desk.context()
    kind, value = desk.call["restriction_type"], desk.call["restriction_value"]
    name = ""
    if kind == "project":
        project = context.organization.projects.get(value)
        if project is None:
            raise Refusal(400, "The project of the restriction is not in the organization.")
        name = project.name
    if kind == "group":
        group = context.organization.groups.get(value)
        if group is None and value != context.organization.id:
            raise Refusal(400, "The group of the restriction is not in the organization.")
        name = "All members" if group is None else group.shown["name"]
    if any((each.kind, each.value) == (kind, value) for each in context.restrictions.values()):
        raise Refusal(409, "The context has this restriction already.")
    restriction = Restriction(desk.world.ids.uuid(), kind, value, name)
    context.restrictions[restriction.id] = restriction
    return _show_restriction(context, restriction)


@answers("v2.contexts.delete_restriction")
def delete_restriction(desk: Desk) -> object:
    if desk.context().restrictions.pop(desk.call["restriction_id"], None) is None:
        raise Refusal(404, "Restriction not found.")
    return {"message": "Context restriction deleted."}


def _sorted(context: FakeContext) -> list[EnvVar]:
    return [context.env_vars[name] for name in sorted(context.env_vars)]


def _show(context: FakeContext) -> JsonObject:
    return {"id": context.id, "name": context.name, "created_at": millis(context.created_at)}


def _show_env_var(context: FakeContext, var: EnvVar) -> JsonObject:
    return {
        "variable": var.name,
        "context_id": context.id,
        "created_at": millis(var.created_at),
        "updated_at": millis(var.updated_at),
        "truncated_value": var.masked[4:],
    }


def _show_restriction(context: FakeContext, restriction: Restriction) -> JsonObject:
    return present(
        context_id=context.id,
        id=restriction.id,
        project_id=restriction.value if restriction.kind == "project" else None,
        name=restriction.name or None,
        restriction_type=restriction.kind,
        restriction_value=restriction.value,
    )
