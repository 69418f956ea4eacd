"""`v2.projects`: projects and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.store import HOSTS
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, unordered
from .runs_v2 import PROVIDERS

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject

MOST_OVERRIDES = 100


def show_project(project: FakeProject) -> JsonObject:
    vcs, owner, repository = project.slug.split("/")
    organization = project.organization
    return {
        "slug": project.slug,
        "name": project.name,
        "id": project.id,
        "organization_name": organization.name,
        "organization_slug": organization.slug,
        "organization_id": organization.id,
        "vcs_info": {
            "vcs_url": f"//circleci.com/{owner}/{repository}"
            if vcs == "circleci"
            else f"{HOSTS[vcs]}/{owner}/{repository}",
            "provider": PROVIDERS[organization.vcs_type],
            "default_branch": project.default_branch,
        },
    }


@handles("v2.projects.get")
def get(ctx: RequestContext) -> object:
    return show_project(ctx.project())


@handles("v2.projects.delete")
def delete(ctx: RequestContext) -> object:
    ctx.store.remove_project(ctx.project())
    return {"message": "Project deleted"}


@handles("v2.projects.create")
def create(ctx: RequestContext) -> object:
    organization = ctx.organization("org_slug_or_id")
    if organization.vcs_type == "circleci":
        short = organization.slug.split("/")[1]
        project = ctx.store.add_project(
            f"circleci/{short}/{ctx.store.ids.short()}", name=ctx.call["name"], organization=organization
        )
        return show_project(project)
    known = ctx.store.project(f"{organization.slug}/{ctx.call['name']}")
    if known is None:
        raise ErrorResponse(404, f"{PROVIDERS[organization.vcs_type]} response: Not Found")
    return show_project(known)


@handles("v2.projects.create_from_repo")
def create_from_repo(ctx: RequestContext) -> object:
    slug: str = ctx.call["project_slug"]
    vcs, owner, _ = slug.split("/")
    if vcs == "circleci":
        raise ErrorResponse(405, "Method not allowed: only for projects of GitHub OAuth and Bitbucket Cloud.")
    organization = ctx.store.organization(f"{vcs}/{owner}")
    if organization is None or organization.hidden:
        raise ErrorResponse(404, "Project not found")
    project = ctx.store.project(slug) or ctx.store.add_project(slug)
    return {"advanced": project.settings}


@handles("v2.projects.get_settings")
def get_settings(ctx: RequestContext) -> object:
    return {"advanced": ctx.project().settings}


@handles("v2.projects.update_settings")
def update_settings(ctx: RequestContext) -> object:
    project = ctx.project()
    changes: JsonObject = dict(ctx.call["advanced"])
    if "oss" in changes:
        raise ErrorResponse(400, "Unexpected field 'advanced.oss'.")
    change_settings(project, changes)
    return {"advanced": project.settings}


def change_settings(project: FakeProject, changes: JsonObject) -> None:
    """Change settings of a project, as far as they may be changed."""
    overrides: list[str] = changes.pop("pr_only_branch_overrides", [])
    if len(overrides) > MOST_OVERRIDES:
        raise ErrorResponse(400, f"Field 'pr_only_branch_overrides' only supports up to {MOST_OVERRIDES} branches.")
    if overrides:  # an empty list changes nothing
        changes["pr_only_branch_overrides"] = unordered(overrides)
    standalone = project.organization.vcs_type == "circleci"
    forbidden = standalone and changes.get("forks_receive_secret_env_vars") is True
    if forbidden:
        del changes["forks_receive_secret_env_vars"]
    project.settings |= changes
    if forbidden:  # the other settings are changed all the same
        raise ErrorResponse(403, "Permission denied")
