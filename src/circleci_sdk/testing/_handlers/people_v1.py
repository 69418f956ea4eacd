"""`v1.users` and `v1.organizations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.store import HOSTS, SHORT_VCS

from .context import RequestContext, handles, millis
from .runs_v1 import identity

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject


@handles("v1.users.me")
def me(ctx: RequestContext) -> object:
    user = ctx.user
    followed = [each for each in ctx.store.projects.values() if ctx.can_see(each) and each.followed]
    return {
        "login": user.login,
        "name": user.name,
        "avatar_url": user.avatar_url,
        "admin": False,
        "all_emails": [f"{user.login}@example.com"],
        "selected_email": f"{user.login}@example.com",
        "analytics_id": user.id,
        "basic_email_prefs": "smart",
        "bitbucket": None,
        "bitbucket_authorized": False,
        "containers": 1,
        "created_at": millis(ctx.now),
        "days_left_in_trial": 0,
        "dev_admin": False,
        "enrolled_betas": [],
        "github_id": user.number,
        "github_oauth_scopes": ["user:email", "repo"],
        "gravatar_id": None,
        "heroku_api_key": user.heroku_key and "xxxx",
        "identities": {"github": identity(user, flag="is_user")},
        "in_beta_program": False,
        "num_projects_followed": len(followed),
        "organization_prefs": {},
        "parallelism": 1,
        "plan": None,
        "pusher_id": user.id,
        "trial_end": millis(ctx.now),
        "projects": {_vcs_url(each): {"emails": "default", "on_dashboard": True} for each in followed},
        "sign_in_count": 1,
    }


def _vcs_url(project: FakeProject) -> str:
    vcs, owner, repository = project.slug.split("/")
    return f"{HOSTS[vcs]}/{owner}/{repository}"


@handles("v1.users.list_repos")
def list_repos(ctx: RequestContext) -> object:
    vcs = SHORT_VCS.get(ctx.call["vcs_type"], "")
    projects = [each for each in ctx.store.projects.values() if ctx.can_see(each) and each.slug.startswith(f"{vcs}/")]
    start = (max(1, ctx.call.get("page", 1)) - 1) * ctx.call.page_size
    return [_show_repo(project) for project in projects[start : start + ctx.call.page_size]]


def _show_repo(project: FakeProject) -> JsonObject:
    _, owner, repository = project.slug.split("/")
    return {
        "name": repository,
        "username": owner,
        "vcs_type": project.organization.vcs_type,
        "vcs_url": _vcs_url(project),
        "admin": True,
        "following": project.followed,
        "has_followers": project.followed,
        "fork": False,
        "language": "Python",
        "created_at": millis(project.created_at),
        "pushed_at": millis(project.created_at),
        "owner": {
            "login": owner,
            "name": owner,
            "external_id": project.number,
            "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
        },
    }


@handles("v1.users.create_ssh_key")
def create_ssh_key(ctx: RequestContext) -> object:
    ctx.user.ssh_keys += 1
    return ""


@handles("v1.users.set_heroku_key")
def set_heroku_key(ctx: RequestContext) -> object:
    ctx.user.heroku_key = ctx.call["apikey"]
    return ""


@handles("v1.organizations.get_settings")
def get_settings(ctx: RequestContext) -> object:
    return {"feature_flags": ctx.organization("org_slug").feature_flags}


@handles("v1.organizations.update_settings")
def update_settings(ctx: RequestContext) -> object:
    ctx.organization("org_slug").feature_flags.update(ctx.call["feature_flags"])
    return ""
