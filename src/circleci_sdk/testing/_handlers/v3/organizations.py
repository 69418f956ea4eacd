"""`v3.organizations`, `v3.groups` and `v3.users`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._handlers.context import RequestContext, handles
from circleci_sdk.testing._store.records import ORGANIZATION_SETTINGS

from .envelope import all_of, entity, one, page

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import FakeOrganization
    from circleci_sdk.testing._store.records import JsonObject


@handles("v3.organizations.list")
def list_(ctx: RequestContext) -> object:
    organization = ctx.store.organization(ctx.call["slug"])
    found = [organization] if organization is not None and not organization.hidden else []
    return page(ctx, found, lambda each: entity(each.id))


@handles("v3.organizations.get_settings")
def get_settings(ctx: RequestContext) -> object:
    return _settings(ctx.organization())


@handles("v3.organizations.update_settings")
def update_settings(ctx: RequestContext) -> object:
    organization = ctx.organization()
    organization.settings |= {name: ctx.call[name] for name in ORGANIZATION_SETTINGS if name in ctx.call.args}
    return _settings(organization)


def _settings(organization: FakeOrganization) -> JsonObject:
    return one(entity(None, dict(organization.settings)))


@handles("v3.groups.list")
def list_groups(ctx: RequestContext) -> object:
    groups = ctx.organization().groups.values()
    return all_of(entity(group.id, {"name": group.shown["name"]}) for group in groups)


@handles("v3.users.list")
def list_users(ctx: RequestContext) -> object:
    user = ctx.own_user()
    shown = {"name": user.name, "login": user.login, "avatar_url": user.avatar_url}
    return page(ctx, [user], lambda each: entity(each.id, shown))
