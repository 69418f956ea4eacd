"""`v3.contexts`: contexts, their variables and restrictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._handlers import contexts as v2
from circleci_sdk.testing._handlers.context import RequestContext, handles, millis, present
from circleci_sdk.testing._wire.messages import ErrorResponse, Response

from .envelope import entity, one, page

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import FakeContext
    from circleci_sdk.testing._store.records import FakeEnvVar, FakeRestriction, JsonObject


@handles("v3.contexts.list")
def list_(ctx: RequestContext) -> object:
    part = ctx.call.get("name", "").lower()
    contexts = [each for each in ctx.organization().contexts.values() if part in each.name.lower()]
    return page(ctx, contexts, lambda each: entity(each.id, _attributes(each)))


@handles("v3.contexts.create")
def create(ctx: RequestContext) -> object:
    return one(_show(v2.new_context(ctx, ctx.organization(), ctx.call["name"])))


@handles("v3.contexts.get")
def get(ctx: RequestContext) -> object:
    return one(_show(_context(ctx)))


@handles("v3.contexts.delete")
def delete(ctx: RequestContext) -> object:
    context = _context(ctx)
    del context.organization.contexts[context.id]
    return Response(204)


@handles("v3.contexts.list_env_vars")
def list_env_vars(ctx: RequestContext) -> object:
    context = _context(ctx)
    return page(ctx, v2.sorted_env_vars(context), lambda var: _show_env_var(context, var))


@handles("v3.contexts.set_env_var")
def set_env_var(ctx: RequestContext) -> object:
    context = _context(ctx)
    v2.change_env_var(ctx, context, ctx.call["name"], ctx.call["value"])
    return one(_show_env_var(context, context.env_vars[ctx.call["name"]]))


@handles("v3.contexts.delete_env_var")
def delete_env_var(ctx: RequestContext) -> object:
    if _context(ctx).env_vars.pop(ctx.call["name"], None) is None:
        raise ErrorResponse(404, "Environment variable not found.")
    return Response(204)


@handles("v3.contexts.list_restrictions")
def list_restrictions(ctx: RequestContext) -> object:
    context = _context(ctx)
    return page(ctx, list(context.restrictions.values()), lambda each: _show_restriction(context, each))


@handles("v3.contexts.create_restriction")
def create_restriction(ctx: RequestContext) -> object:
    context = _context(ctx)
    made = v2.new_restriction(ctx, context, ctx.call["restriction_type"], ctx.call["match_pattern"])
    return one(_show_restriction(context, made))


@handles("v3.contexts.delete_restriction")
def delete_restriction(ctx: RequestContext) -> object:
    if _context(ctx).restrictions.pop(ctx.call["restriction_id"], None) is None:
        raise ErrorResponse(404, "Restriction not found.")
    return Response(204)


def _context(ctx: RequestContext) -> FakeContext:
    """The context of an argument. A missing one gives 404, where v2 gives 403."""
    for context in ctx.store.contexts():
        if context.id == ctx.call["context_id"]:
            return context
    raise ErrorResponse(404, "Context not found.")


def _attributes(context: FakeContext) -> JsonObject:
    return {"name": context.name, "created_at": millis(context.created_at)}


def _show(context: FakeContext) -> JsonObject:
    return entity(context.id, _attributes(context), org=context.organization.id)


def _show_env_var(context: FakeContext, var: FakeEnvVar) -> JsonObject:
    attributes = {
        "name": var.name,
        "truncated_value": var.masked[4:],
        "created_at": millis(var.created_at),
        "updated_at": millis(var.updated_at),
    }
    return entity(None, attributes, context=context.id)


def _show_restriction(context: FakeContext, restriction: FakeRestriction) -> JsonObject:
    kind, value = restriction.kind, restriction.value
    return entity(
        restriction.id,
        present(restriction_type=kind, match_pattern=value, name=restriction.name or None),
        context=context.id,
        project=value if kind == "project" else None,
        group=value if kind == "group" else None,
    )
