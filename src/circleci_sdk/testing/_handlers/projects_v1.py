"""`v1.projects`: projects, variables, keys and tokens of API v1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.ids import fingerprints
from circleci_sdk.testing._store.records import FakeProjectToken
from circleci_sdk.testing._store.store import HOSTS
from circleci_sdk.testing._wire.messages import ErrorResponse, Response
from circleci_sdk.testing._wire.spec import spec_of

from .branches_v1 import has_branches, show_branches
from .context import RequestContext, handles, millis
from .project_secrets import add_checkout_key, find_checkout_key, store_env_var

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import FakeCheckoutKey, JsonObject

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


def _at_code_host(ctx: RequestContext) -> FakeProject:
    """The project; without one the error response of the code host, which some routes forward."""
    try:
        return ctx.project()
    except ErrorResponse:
        raise ErrorResponse(404, _NOT_FOUND_AT_GITHUB) from None


@handles("v1.projects.list")
def list_(ctx: RequestContext) -> object:
    followed = [each for each in ctx.store.projects.values() if ctx.can_see(each) and each.followed]
    if not has_branches(ctx):
        return [show_project(each) for each in followed]
    return [{**show_project(each), "branches": show_branches(each)} for each in followed]


@handles("v1.projects.follow")
def follow(ctx: RequestContext) -> object:
    ctx.project().followed = True
    return {"following": True, "first_build": None}


@handles("v1.projects.unfollow")
def unfollow(ctx: RequestContext) -> object:
    ctx.project().followed = False
    return {"following": False}


@handles("v1.projects.enable")
def enable(ctx: RequestContext) -> object:
    project = ctx.project()
    project.enabled = True
    return _show_settings(ctx, project)


@handles("v1.projects.disable")
def disable(ctx: RequestContext) -> object:
    project = ctx.project()
    project.enabled = False
    return _show_settings(ctx, project)


@handles("v1.projects.get_settings")
def get_settings(ctx: RequestContext) -> object:
    project = ctx.project()
    digest = ctx.call.get("ssh_key_digest", "md5")
    keys = [
        {"hostname": key["hostname"], "public_key": key["public_key"], "fingerprint": key[digest]}
        for key in project.ssh_keys.values()
    ]
    return {**_show_settings(ctx, project), "ssh_keys": keys}


@handles("v1.projects.update_settings")
def update_settings(ctx: RequestContext) -> object:
    project = ctx.project()
    changes: JsonObject = ctx.call["feature_flags"]
    # The body is a free map, the response is not: its listed flags have types.
    listed = spec_of("v1").schema("ProjectFeatureFlags")["properties"]
    for flag, value in changes.items():
        if listed.get(flag, {}).get("type") == "boolean" and not isinstance(value, bool):
            raise ErrorResponse(400, f"Field 'feature_flags.{flag}' must be a boolean.")
    for flag, value in changes.items():
        if flag in _FLAGS:
            project.settings[_FLAGS[flag]] = value
        else:
            project.feature_flags[flag] = value
    return ""


def _show_settings(ctx: RequestContext, project: FakeProject) -> JsonObject:
    """A project in the response of its settings, which has another spelling of one key."""
    shown = {"vcs-type" if name == "vcs_type" else name: value for name, value in show_project(project).items()}
    return {**shown, "branches": show_branches(project, settings=True)} if has_branches(ctx) else shown


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


@handles("v1.projects.list_env_vars")
def list_env_vars(ctx: RequestContext) -> object:
    variables = _at_code_host(ctx).env_vars
    return [{"name": name, "value": variables[name].masked} for name in sorted(variables)]


@handles("v1.projects.get_env_var")
def get_env_var(ctx: RequestContext) -> object:
    variable = _at_code_host(ctx).env_vars.get(ctx.call["name"])
    if variable is None:
        raise ErrorResponse(404, "env var not found")
    return {"name": variable.name, "value": variable.masked}


@handles("v1.projects.set_env_var")
def set_env_var(ctx: RequestContext) -> object:
    variable = store_env_var(ctx, _at_code_host(ctx))
    return {"name": variable.name, "value": variable.masked}


@handles("v1.projects.delete_env_var")
def delete_env_var(ctx: RequestContext) -> object:
    # v1.1 also returns success for a missing variable.
    _at_code_host(ctx).env_vars.pop(ctx.call["name"], None)
    return {"message": "ok"}


@handles("v1.projects.list_checkout_keys")
def list_checkout_keys(ctx: RequestContext) -> object:
    digest = ctx.call.get("digest", "md5")
    return [_show_key(key, digest) for key in ctx.project().checkout_keys.values()]


@handles("v1.projects.create_checkout_key")
def create_checkout_key(ctx: RequestContext) -> object:
    return _show_key(add_checkout_key(ctx, ctx.project(), ctx.call["key_type"]), "md5")


@handles("v1.projects.get_checkout_key")
def get_checkout_key(ctx: RequestContext) -> object:
    return _show_key(find_checkout_key(ctx, ctx.project()), "md5")


@handles("v1.projects.delete_checkout_key")
def delete_checkout_key(ctx: RequestContext) -> object:
    project = ctx.project()
    del project.checkout_keys[find_checkout_key(ctx, project).md5]
    return {"message": "ok"}


def _show_key(key: FakeCheckoutKey, digest: str) -> JsonObject:
    return {
        "public_key": key.public_key + "\n",
        "type": "github-user-key" if key.kind.endswith("user-key") else "deploy-key",
        "fingerprint": key.sha256 if digest == "sha256" else key.md5,
        "login": None,
        "preferred": key.preferred,
        "time": millis(key.created_at),
    }


@handles("v1.projects.create_ssh_key")
def create_ssh_key(ctx: RequestContext) -> object:
    project = ctx.project()
    if "PRIVATE KEY" not in ctx.call["private_key"]:
        raise ErrorResponse(400, "it looks like private key is invalid key.  Double check")
    public_key = ctx.store.ids.ssh_key()
    md5, sha256 = fingerprints(public_key)
    hostname = ctx.call.get("hostname")
    project.ssh_keys[md5] = {"hostname": hostname, "public_key": public_key, "md5": md5, "sha256": sha256}
    return Response(201, "")


@handles("v1.projects.delete_ssh_key")
def delete_ssh_key(ctx: RequestContext) -> object:
    ctx.project().ssh_keys.pop(ctx.call["fingerprint"], None)
    return ""


@handles("v1.projects.list_tokens")
def list_tokens(ctx: RequestContext) -> object:
    return [_show_token(token) | {"token": None} for token in ctx.project().tokens.values()]


@handles("v1.projects.create_token")
def create_token(ctx: RequestContext) -> object:
    project = ctx.project()
    token = FakeProjectToken(ctx.store.ids.uuid(), ctx.call["label"], ctx.call["scope"], ctx.store.ids.secret())
    project.tokens[token.id] = token
    return _show_token(token)


def _show_token(token: FakeProjectToken) -> JsonObject:
    return {"id": token.id, "label": token.label, "scope": token.scope, "token": token.token}


@handles("v1.projects.delete_build_cache")
def delete_build_cache(ctx: RequestContext) -> object:
    ctx.project()
    return {"status": "build dependency caches deleted"}
