"""`v2.organizations` and `v2.groups`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.records import FakeItem
from circleci_sdk.testing._store.store import SHORT_VCS
from circleci_sdk.testing._wire.messages import ErrorResponse, Response

from .context import RequestContext, handles, present

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import FakeOrganization
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject

MOST_GROUPS = 100


@handles("v2.organizations.create")
def create(ctx: RequestContext) -> object:
    vcs, name = ctx.call["vcs_type"], ctx.call["name"]
    if not name.strip() or "/" in name:
        raise ErrorResponse(400, "Invalid organization name.")
    if vcs == "circleci":
        organization = ctx.store.add_organization(f"circleci/{ctx.store.ids.short()}", name=name)
        return _show(organization)
    # Organizations of code hosts exist there already.
    slug = f"{SHORT_VCS[vcs]}/{name}"
    found = ctx.store.organization(slug)
    if found is not None and found.hidden:
        raise ErrorResponse(404, "Org not found.")
    return _show(found or ctx.store.add_organization(slug))


@handles("v2.organizations.get")
def get(ctx: RequestContext) -> object:
    return _show(ctx.organization("org_slug_or_id"))


@handles("v2.organizations.delete")
def delete(ctx: RequestContext) -> object:
    organization = ctx.organization("org_slug_or_id")
    ctx.store.clock.call_later(1.0, lambda: ctx.store.remove_organization(organization))
    return {"message": "Organization is being deleted."}


def _show(organization: FakeOrganization) -> JsonObject:
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "vcs_type": organization.vcs_type,
    }


@handles("v2.organizations.list_orb_allow_list_entries")
def list_orb_allow_list_entries(ctx: RequestContext) -> object:
    entries = ctx.organization("org_slug_or_id").orb_urls
    return ctx.page(list(entries.values()), lambda entry: entry.shown)


@handles("v2.organizations.create_orb_allow_list_entry")
def create_orb_allow_list_entry(ctx: RequestContext) -> object:
    organization = ctx.organization("org_slug_or_id")
    id = ctx.store.ids.uuid()
    shown = {"id": id, "name": ctx.call["name"], "prefix": ctx.call["prefix"], "auth": ctx.call["auth"]}
    organization.orb_urls[id] = FakeItem(id, shown, ctx.now, ctx.now)
    return {"id": id, "message": "URL orb allow-list entry created."}


@handles("v2.organizations.delete_orb_allow_list_entry")
def delete_orb_allow_list_entry(ctx: RequestContext) -> object:
    id = ctx.call["allow_list_entry_id"]
    ctx.organization("org_slug_or_id").orb_urls.pop(id, None)  # a missing entry is no error
    return {"id": id, "message": "URL orb allow-list entry removed."}


@handles("v2.organizations.get_github_app_installation")
def get_github_app_installation(ctx: RequestContext) -> object:
    organization = ctx.organization("org_id")
    if not organization.has_github_app:
        raise ErrorResponse(404, "Organization not found.")
    return {
        "id": installation_id(organization),
        "target_type": "Organization",
        "login": organization.name,
        "repository_selection": "all",
    }


def installation_id(organization: FakeOrganization) -> int:
    """The number of the installation of the GitHub App in an organization."""
    return int(organization.id[:6], 16) + 1


@handles("v2.organizations.list_github_app_repositories")
def list_github_app_repositories(ctx: RequestContext) -> object:
    organization = ctx.organization("org_id")
    projects = ctx.store.projects_of(organization) if organization.has_github_app else []
    start = (ctx.call.get("page", 1) - 1) * ctx.call.page_size
    shown = [_show_repository(project) for project in projects[start : start + ctx.call.page_size]]
    return {"items": shown, "total_count": len(projects)}


def _show_repository(project: FakeProject) -> JsonObject:
    owner = project.organization.name
    return {
        "id": project.number,
        "repo_full_name": f"{owner}/{project.name}",
        "repo_name": project.name,
        "owner": owner,
        "default_branch": project.default_branch,
        "private": True,
    }


@handles("v2.groups.list")
def list_groups(ctx: RequestContext) -> object:
    groups = ctx.allowed_organization().groups
    # The API ignores both paging parameters and returns all groups at once.
    return {
        "items": [group.shown for group in groups.values()],
        "next_page_token": None,
        "total_count": len(groups),
    }


@handles("v2.groups.create")
def create_group(ctx: RequestContext) -> object:
    organization = ctx.allowed_organization()
    name = ctx.call["name"]
    if len(organization.groups) >= MOST_GROUPS:
        raise ErrorResponse(409, f"An organization has at most {MOST_GROUPS} groups.")
    if any(group.shown["name"] == name for group in organization.groups.values()):
        raise ErrorResponse(409, "A group with this name already exists.")
    id = ctx.store.ids.uuid()
    shown = present(id=id, name=name, description=ctx.call.get("description", ""))
    organization.groups[id] = FakeItem(id, shown, ctx.now, ctx.now)
    return shown


@handles("v2.groups.get")
def get_group(ctx: RequestContext) -> object:
    return _group(ctx).shown


@handles("v2.groups.delete")
def delete_group(ctx: RequestContext) -> object:
    del ctx.allowed_organization().groups[_group(ctx).id]
    return Response(204)


def _group(ctx: RequestContext) -> FakeItem:
    group = ctx.allowed_organization().groups.get(ctx.call["group_id"])
    if group is None:
        raise ErrorResponse(403, "Forbidden")
    return group
