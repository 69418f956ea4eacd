"""`v3.projects`: projects and their settings, by other names than in v2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles
from circleci_sdk.testing._handlers.projects import change_settings
from circleci_sdk.testing._store.records import PROJECT_SETTINGS
from circleci_sdk.testing._wire.messages import Response

from .envelope import entity, one, page

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject

_NAMES: Final = {
    "enable_auto_cancel_redundant_workflows": "autocancel_builds",
    "enable_building_fork_prs": "build_fork_prs",
    "is_build_prs_only": "build_prs_only",
    "can_pass_secrets_to_fork_pr_jobs": "forks_receive_secret_env_vars",
    "can_set_github_status": "set_github_status",
    "is_ssh_disabled": "disable_ssh",
    "enable_dynamic_config": "setup_workflows",
    "is_admin_required_for_writing_settings": "write_settings_requires_admin",
    "is_oss": "oss",
    "pr_only_branch_overrides": "pr_only_branch_overrides",
}
"""Names of settings in v3 and in v2. The others of v3 are only there."""


@handles("v3.projects.list")
def list_(ctx: RequestContext) -> object:
    slug, name = ctx.call.get("slug"), ctx.call.get("name", "").lower()
    if slug is not None:
        project = ctx.store.project(slug)
        found = [project] if project is not None and ctx.can_see(project) else []
    else:
        found = [each for each in ctx.store.projects_of(ctx.organization()) if not each.hidden]
    shown = [each for each in found if name in each.name.lower()]
    if ctx.call.get("order_by") == "name":
        shown.sort(key=lambda project: project.name)
    return page(ctx, shown, _show)


@handles("v3.projects.get")
def get(ctx: RequestContext) -> object:
    return one(_show(ctx.project_by_id()))


@handles("v3.projects.delete_docker_layer_cache")
def delete_docker_layer_cache(ctx: RequestContext) -> object:
    ctx.project_by_id()
    return Response(204)


@handles("v3.projects.get_settings")
def get_settings(ctx: RequestContext) -> object:
    return _settings(ctx.project_by_id())


@handles("v3.projects.update_settings")
def update_settings(ctx: RequestContext) -> object:
    project = ctx.project_by_id()
    change_settings(project, {_NAMES[name]: value for name, value in ctx.call.args.items() if name in _NAMES})
    project.v3_settings |= {name: ctx.call[name] for name in PROJECT_SETTINGS if name in ctx.call.args}
    return _settings(project)


def _show(project: FakeProject) -> JsonObject:
    return entity(project.id, {"name": project.name}, org=project.organization.id)


def _settings(project: FakeProject) -> JsonObject:
    known = {name: project.settings[other] for name, other in _NAMES.items()}
    return one(entity(None, {**known, **project.v3_settings}))
