"""`v1.projects`: projects, variables, keys and tokens as API v1.1 knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.ids import fingerprints
from circleci_sdk.testing._state.projects import ProjectToken
from circleci_sdk.testing._state.world import HOSTS
from circleci_sdk.testing._wire.messages import Refusal, Reply

from .desk import Desk, answers, millis
from .project_secrets import find_checkout_key, keep_checkout_key, keep_env_var

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import CheckoutKey, FakeProject
    from circleci_sdk.testing._state.things import JsonObject

_NOT_FOUND_AT_GITHUB = '{"message":"Not Found","documentation_url":"https://developer.github.com/v3/repos/#get"}'
_NOTIFICATIONS = (
    "campfire_notify_prefs",
    "campfire_room",
    "campfire_subdomain",
    "campfire_token",
    "flowdock_api_token",
    "heroku_deploy_user",
    "irc_channel",
    "irc_keyword",
    "irc_notify_prefs",
    "irc_password",
    "irc_server",
    "irc_username",
    "slack_api_token",
    "slack_channel",
    "slack_channel_override",
    "slack_notify_prefs",
    "slack_subdomain",
    "slack_webhook_url",
)
_FLAGS = {
    "autocancel-builds": "autocancel_builds",
    "build-fork-prs": "build_fork_prs",
    "build-prs-only": "build_prs_only",
    "forks-receive-secret-env-vars": "forks_receive_secret_env_vars",
    "oss": "oss",
    "set-github-status": "set_github_status",
}


def _at_code_host(desk: Desk) -> FakeProject:
    """The project, or the answer of the code host, which some routes pass through."""
    try:
        return desk.project()
    except Refusal:
        raise Refusal(404, _NOT_FOUND_AT_GITHUB) from None


@answers("v1.projects.list")
def list_(desk: Desk) -> object:
    return [show_project(each) for each in desk.world.projects.values() if desk.sees(each) and each.followed]


@answers("v1.projects.follow")
def follow(desk: Desk) -> object:
    desk.project().followed = True
    return {"following": True, "first_build": None}


@answers("v1.projects.unfollow")
def unfollow(desk: Desk) -> object:
    desk.project().followed = False
    return {"following": False}


@answers("v1.projects.enable")
def enable(desk: Desk) -> object:
    project = desk.project()
    project.enabled = True
    return _show_settings(project)


@answers("v1.projects.disable")
def disable(desk: Desk) -> object:
    project = desk.project()
    project.enabled = False
    return _show_settings(project)


@answers("v1.projects.get_settings")
def get_settings(desk: Desk) -> object:
    project = desk.project()
    digest = desk.call.get("ssh_key_digest", "md5")
    keys = [
        {"hostname": key["hostname"], "public_key": key["public_key"], "fingerprint": key[digest]}
        for key in project.ssh_keys.values()
    ]
    return {**_show_settings(project), "ssh_keys": keys}


@answers("v1.projects.update_settings")
def update_settings(desk: Desk) -> object:
    project = desk.project()
    for flag, value in desk.call["feature_flags"].items():
        if flag in _FLAGS:
            project.settings[_FLAGS[flag]] = value
        else:
            project.feature_flags[flag] = value
    return ""


def _show_settings(project: FakeProject) -> JsonObject:
    """A project where its settings are asked for: one key is spelled otherwise there."""
    shown = show_project(project)
    return {"vcs-type" if name == "vcs_type" else name: value for name, value in shown.items()}


def show_project(project: FakeProject) -> JsonObject:
    """A project with its settings."""
    vcs, owner, repository = project.slug.split("/")
    flags = {flag: project.settings[name] for flag, name in _FLAGS.items()}
    return {
        **dict.fromkeys(_NOTIFICATIONS),
        "vcs_url": f"{HOSTS[vcs]}/{owner}/{repository}",
        "vcs_type": project.organization.vcs_type,
        "username": owner,
        "reponame": repository,
        "default_branch": project.default_branch,
        "followed": project.followed,
        "following": project.followed,
        "has_usable_key": True,
        "oss": project.settings["oss"],
        "parallel": 1,
        "language": None,
        "branches": {},
        "scopes": ["write-settings", "view-builds", "read-settings", "trigger-builds", "all", "status"],
        "feature_flags": {**flags, **project.feature_flags},
        "ssh_keys": [],
        "aws": {"keypair": None},
        "compile": "",
        "dependencies": "",
        "extra": "",
        "setup": "",
        "test": "",
    }


@answers("v1.projects.list_env_vars")
def list_env_vars(desk: Desk) -> object:
    variables = _at_code_host(desk).env_vars
    return [{"name": name, "value": variables[name].masked} for name in sorted(variables)]


@answers("v1.projects.get_env_var")
def get_env_var(desk: Desk) -> object:
    variable = _at_code_host(desk).env_vars.get(desk.call["name"])
    if variable is None:
        raise Refusal(404, "env var not found")
    return {"name": variable.name, "value": variable.masked}


@answers("v1.projects.set_env_var")
def set_env_var(desk: Desk) -> object:
    variable = keep_env_var(desk, _at_code_host(desk))
    return {"name": variable.name, "value": variable.masked}


@answers("v1.projects.delete_env_var")
def delete_env_var(desk: Desk) -> object:
    # The old API says ok to a variable that was never there, too.
    _at_code_host(desk).env_vars.pop(desk.call["name"], None)
    return {"message": "ok"}


@answers("v1.projects.list_checkout_keys")
def list_checkout_keys(desk: Desk) -> object:
    digest = desk.call.get("digest", "md5")
    return [_show_key(key, digest) for key in desk.project().checkout_keys.values()]


@answers("v1.projects.create_checkout_key")
def create_checkout_key(desk: Desk) -> object:
    return _show_key(keep_checkout_key(desk, desk.project(), desk.call["key_type"]), "md5")


@answers("v1.projects.get_checkout_key")
def get_checkout_key(desk: Desk) -> object:
    return _show_key(find_checkout_key(desk, desk.project()), "md5")


@answers("v1.projects.delete_checkout_key")
def delete_checkout_key(desk: Desk) -> object:
    project = desk.project()
    del project.checkout_keys[find_checkout_key(desk, project).md5]
    return {"message": "ok"}


def _show_key(key: CheckoutKey, digest: str) -> JsonObject:
    return {
        "public_key": key.public_key + "\n",
        "type": "github-user-key" if key.kind.endswith("user-key") else "deploy-key",
        "fingerprint": key.sha256 if digest == "sha256" else key.md5,
        "login": None,
        "preferred": key.preferred,
        "time": millis(key.created_at),
    }


@answers("v1.projects.create_ssh_key")
def create_ssh_key(desk: Desk) -> object:
    project = desk.project()
    if "PRIVATE KEY" not in desk.call["private_key"]:
        raise Refusal(400, "it looks like private key is invalid key.  Double check")
    public_key = desk.world.ids.ssh_key()
    md5, sha256 = fingerprints(public_key)
    hostname = desk.call.get("hostname")
    project.ssh_keys[md5] = {"hostname": hostname, "public_key": public_key, "md5": md5, "sha256": sha256}
    return Reply(201, "")


@answers("v1.projects.delete_ssh_key")
def delete_ssh_key(desk: Desk) -> object:
    desk.project().ssh_keys.pop(desk.call["fingerprint"], None)
    return ""


@answers("v1.projects.list_tokens")
def list_tokens(desk: Desk) -> object:
    return [_show_token(token) | {"token": None} for token in desk.project().tokens.values()]


@answers("v1.projects.create_token")
def create_token(desk: Desk) -> object:
    project = desk.project()
    token = ProjectToken(desk.world.ids.uuid(), desk.call["label"], desk.call["scope"], desk.world.ids.secret())
    project.tokens[token.id] = token
    return _show_token(token)


def _show_token(token: ProjectToken) -> JsonObject:
    return {"id": token.id, "label": token.label, "scope": token.scope, "token": token.token}


@answers("v1.projects.delete_build_cache")
def delete_build_cache(desk: Desk) -> object:
    desk.project()
    return {"status": "build dependency caches deleted"}
