"""`v1.users` and `v1.organizations`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.world import HOSTS, SHORT_VCS

from .desk import Desk, answers, millis
from .runs_v1 import identity

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.things import JsonObject


@answers("v1.users.me")
def me(desk: Desk) -> object:
    user = desk.user
    followed = [each for each in desk.world.projects.values() if desk.sees(each) and each.followed]
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
        "created_at": millis(desk.now),
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
        "trial_end": millis(desk.now),
        "projects": {_vcs_url(each): {"emails": "default", "on_dashboard": True} for each in followed},
        "sign_in_count": 1,
    }


def _vcs_url(project: FakeProject) -> str:
    vcs, owner, repository = project.slug.split("/")
    return f"{HOSTS[vcs]}/{owner}/{repository}"


@answers("v1.users.list_repos")
def list_repos(desk: Desk) -> object:
    vcs = SHORT_VCS.get(desk.call["vcs_type"], "")
    projects = [each for each in desk.world.projects.values() if desk.sees(each) and each.slug.startswith(f"{vcs}/")]
    start = (max(1, desk.call.get("page", 1)) - 1) * desk.call.page_size
    return [_show_repo(project) for project in projects[start : start + desk.call.page_size]]


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


@answers("v1.users.create_ssh_key")
def create_ssh_key(desk: Desk) -> object:
    desk.user.ssh_keys += 1
    return ""


@answers("v1.users.set_heroku_key")
def set_heroku_key(desk: Desk) -> object:
    desk.user.heroku_key = desk.call["apikey"]
    return ""


@answers("v1.organizations.get_settings")
def get_settings(desk: Desk) -> object:
    return {"feature_flags": desk.organization("org_slug").feature_flags}


@answers("v1.organizations.update_settings")
def update_settings(desk: Desk) -> object:
    desk.organization("org_slug").feature_flags.update(desk.call["feature_flags"])
    return ""
