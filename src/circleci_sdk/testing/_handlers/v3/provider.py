"""`v3.connections` and `v3.repositories`: the GitHub App of an organization."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles
from circleci_sdk.testing._handlers.organizations import installation_id
from circleci_sdk.testing._wire.messages import ErrorResponse

from .envelope import counted, entity, id_of, one, page

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject

_PROVIDER: Final = "github_app"


@handles("v3.connections.list")
def list_connections(ctx: RequestContext) -> object:
    organization = ctx.organization()
    if not organization.has_github_app:
        return counted([])
    attributes = {
        "provider": _PROVIDER,
        "external_id": str(installation_id(organization)),
        "login": organization.name,
        "repository_selection": "all",
    }
    return counted([entity(id_of(organization.id, _PROVIDER), attributes)])


@handles("v3.connections.setup")
def setup(ctx: RequestContext) -> object:
    ctx.organization()
    state = ctx.store.ids.secret()
    url = f"https://github.com/apps/circleci-app/installations/new?state={state}"
    return one(entity(None, {"next_step": "redirect", "url": url, "state_token": state}))


@handles("v3.repositories.list")
def list_repositories(ctx: RequestContext) -> object:
    organization = ctx.organization()
    if {"page_token", "page_size"} <= ctx.call.args.keys():
        raise ErrorResponse(400, "The cursor has the size of the page; give only one of them.")
    size, _, token = ctx.call.get("page_token", "").partition("-")
    if size.isdecimal():
        ctx = replace(ctx, call=replace(ctx.call, page_size=int(size), args={**ctx.call.args, "page_token": token}))
    connected = organization.has_github_app and ctx.call["provider"] == _PROVIDER
    found = page(ctx, ctx.store.projects_of(organization) if connected else [], _show_repository)
    following = found["page"]["next"]
    return {**found, "page": {"next": f"{ctx.call.page_size}-{following}" if following else None}}


def _show_repository(project: FakeProject) -> JsonObject:
    owner = project.organization.name
    return entity(
        None,
        {
            "repo_id": str(project.number),
            "repo_full_name": f"{owner}/{project.name}",
            "repo_name": project.name,
            "owner": owner,
            "default_branch": project.default_branch,
            "is_private": True,
            "provider": _PROVIDER,
        },
    )
