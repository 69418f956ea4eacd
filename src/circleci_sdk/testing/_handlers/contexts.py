"""`v2.contexts`: contexts, their variables and restrictions. Missing and hidden ones both give 403."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._store.records import FakeEnvVar, FakeRestriction
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis, present
from .names import MOST_CONTEXTS, MOST_VARIABLES, check_context_name, check_variable

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import FakeContext, FakeOrganization
    from circleci_sdk.testing._store.records import JsonObject


@handles("v2.contexts.list")
def list_(ctx: RequestContext) -> object:
    if ctx.call.get("owner_type") == "account":
        raise ErrorResponse(400, "Invalid owner type - only organization is supported at present")
    organization = ctx.allowed_organization("owner_id" if "owner_id" in ctx.call.args else "owner_slug")
    name: str | None = ctx.call.get("name")
    contexts = [context for context in organization.contexts.values() if name is None or context.name == name]
    if ctx.call.get("include_env_vars"):
        return ctx.page(
            contexts,
            lambda each: {
                **_show(each),
                "environment_variables": [_show_env_var(each, var) for var in sorted_env_vars(each)],
            },
        )
    return ctx.page(contexts, _show)


@handles("v2.contexts.create")
def create(ctx: RequestContext) -> object:
    owner: dict[str, Any] = ctx.call["owner"]
    if owner.get("type") == "account":
        raise ErrorResponse(400, "Invalid owner type - only organization is supported at present")
    organization = ctx.store.organization(str(owner.get("id") or owner.get("slug")))
    if organization is None or organization.hidden:
        raise ErrorResponse(403, "Forbidden")
    return _show(new_context(ctx, organization, ctx.call["name"]))


def new_context(ctx: RequestContext, organization: FakeOrganization, name: str) -> FakeContext:
    """A new context, if its name is valid and free."""
    check_context_name(name)
    if len(organization.contexts) >= MOST_CONTEXTS:
        raise ErrorResponse(400, f"An organization has at most {MOST_CONTEXTS} contexts.")
    if any(context.name == name for context in organization.contexts.values()):
        raise ErrorResponse(400, "A context with this name already exists.")
    return ctx.store.add_context(organization, name, {})


@handles("v2.contexts.get")
def get(ctx: RequestContext) -> object:
    return _show(ctx.context())


@handles("v2.contexts.delete")
def delete(ctx: RequestContext) -> object:
    context = ctx.context()
    del context.organization.contexts[context.id]
    return {"message": "Context deleted."}


@handles("v2.contexts.list_env_vars")
def list_env_vars(ctx: RequestContext) -> object:
    context = ctx.context()
    shown = [_show_env_var(context, var) for var in sorted_env_vars(context)]
    # The token of a larger context leads nowhere: no parameter takes it.
    token = ctx.store.ids.secret() if len(shown) > MOST_VARIABLES else None
    return {"items": shown[:MOST_VARIABLES], "next_page_token": token}


@handles("v2.contexts.set_env_var")
def set_env_var(ctx: RequestContext) -> object:
    context, name = ctx.context(), ctx.call["name"]
    change_env_var(ctx, context, name, ctx.call["value"])
    shown = _show_env_var(context, context.env_vars[name])
    del shown["truncated_value"]  # only lists show it
    return shown


def change_env_var(ctx: RequestContext, context: FakeContext, name: str, value: str) -> None:
    """Create or replace a variable, if its name and its value are valid."""
    check_variable(name, value)
    before = context.env_vars.get(name)
    if before is None and len(context.env_vars) >= MOST_VARIABLES:
        raise ErrorResponse(400, f"A context holds at most {MOST_VARIABLES} environment variables.")
    created = before.created_at if before else ctx.now
    context.env_vars[name] = FakeEnvVar(name, value, created, ctx.now)


@handles("v2.contexts.delete_env_var")
def delete_env_var(ctx: RequestContext) -> object:
    context = ctx.context()
    if context.env_vars.pop(ctx.call["name"], None) is None:
        raise ErrorResponse(404, "Environment variable not found.")
    return {"message": "Environment variable deleted."}


@handles("v2.contexts.list_restrictions")
def list_restrictions(ctx: RequestContext) -> object:
    context = ctx.context()
    return ctx.page(list(context.restrictions.values()), lambda each: _show_restriction(context, each))


@handles("v2.contexts.create_restriction")
def create_restriction(ctx: RequestContext) -> object:
    context = ctx.context()
    made = new_restriction(ctx, context, ctx.call["restriction_type"], ctx.call["restriction_value"])
    return _show_restriction(context, made)


def new_restriction(ctx: RequestContext, context: FakeContext, kind: str, value: str) -> FakeRestriction:
    """A new restriction, if what it names exists."""
    name = ""
    if kind == "project":
        project = context.organization.projects.get(value)
        if project is None:
            raise ErrorResponse(400, "The project of the restriction is not in the organization.")
        name = project.name
    if kind == "group":
        group = context.organization.groups.get(value)
        if group is None and value != context.organization.id:
            raise ErrorResponse(400, "The group of the restriction is not in the organization.")
        name = "All members" if group is None else group.shown["name"]
    if any((each.kind, each.value) == (kind, value) for each in context.restrictions.values()):
        raise ErrorResponse(409, "The context has this restriction already.")
    restriction = FakeRestriction(ctx.store.ids.uuid(), kind, value, name)
    context.restrictions[restriction.id] = restriction
    return restriction


@handles("v2.contexts.delete_restriction")
def delete_restriction(ctx: RequestContext) -> object:
    if ctx.context().restrictions.pop(ctx.call["restriction_id"], None) is None:
        raise ErrorResponse(404, "Restriction not found.")
    return {"message": "Context restriction deleted."}


def sorted_env_vars(context: FakeContext) -> list[FakeEnvVar]:
    """The variables of a context by name."""
    return [context.env_vars[name] for name in sorted(context.env_vars)]


def _show(context: FakeContext) -> JsonObject:
    return {"id": context.id, "name": context.name, "created_at": millis(context.created_at)}


def _show_env_var(context: FakeContext, var: FakeEnvVar) -> JsonObject:
    return {
        "variable": var.name,
        "context_id": context.id,
        "created_at": millis(var.created_at),
        "updated_at": millis(var.updated_at),
        "truncated_value": var.masked[4:],
    }


def _show_restriction(context: FakeContext, restriction: FakeRestriction) -> JsonObject:
    return present(
        context_id=context.id,
        id=restriction.id,
        project_id=restriction.value if restriction.kind == "project" else None,
        name=restriction.name or None,
        restriction_type=restriction.kind,
        restriction_value=restriction.value,
    )
