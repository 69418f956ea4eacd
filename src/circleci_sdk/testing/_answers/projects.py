"""`v2.projects`: projects and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.world import HOSTS
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers
from .runs_v2 import PROVIDERS

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.things import JsonObject


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


@answers("v2.projects.get")
def get(desk: Desk) -> object:
    return show_project(desk.project())


@answers("v2.projects.delete")
def delete(desk: Desk) -> object:
    desk.world.remove_project(desk.project())
    return {"message": "Project deleted"}


@answers("v2.projects.create")
def create(desk: Desk) -> object:
    organization = desk.organization("org_slug_or_id")
    if organization.vcs_type == "circleci":
        short = organization.slug.split("/")[1]
        project = desk.world.add_project(
            f"circleci/{short}/{desk.world.ids.short()}", name=desk.call["name"], organization=organization
        )
        return show_project(project)
    known = desk.world.project(f"{organization.slug}/{desk.call['name']}")
    if known is None:
        raise Refusal(404, "Repository not found")
    return show_project(known)


@answers("v2.projects.create_from_repo")
def create_from_repo(desk: Desk) -> object:
    slug: str = desk.call["project_slug"]
    vcs, owner, _ = slug.split("/")
    if vcs == "circleci":
        raise Refusal(405, "Method not allowed: only for projects of GitHub OAuth and Bitbucket Cloud.")
    organization = desk.world.organization(f"{vcs}/{owner}")
    if organization is None or organization.hidden:
        raise Refusal(404, "Project not found")
    project = desk.world.project(slug) or desk.world.add_project(slug)
    return {"advanced": project.settings}


@answers("v2.projects.get_settings")
def get_settings(desk: Desk) -> object:
    return {"advanced": desk.project().settings}


@answers("v2.projects.update_settings")
def update_settings(desk: Desk) -> object:
    project = desk.project()
    changes: JsonObject = desk.call["advanced"]
    if "oss" in changes:
        raise Refusal(400, "Unexpected field 'advanced.oss'.")
    if not changes:
        raise Refusal(400, "No JSON fields found.")
    project.settings |= changes
    return {"advanced": project.settings}
