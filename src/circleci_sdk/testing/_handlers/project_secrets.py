"""`v2.projects`: environment variables and checkout keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.ids import fingerprints
from circleci_sdk.testing._store.records import FakeCheckoutKey, FakeEnvVar
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis
from .names import check_variable

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject


@handles("v2.projects.list_env_vars")
def list_env_vars(ctx: RequestContext) -> object:
    variables = ctx.project().env_vars
    return ctx.page([variables[name] for name in sorted(variables)], _show_env_var)


@handles("v2.projects.get_env_var")
def get_env_var(ctx: RequestContext) -> object:
    variable = ctx.project().env_vars.get(ctx.call["name"])
    if variable is None:
        raise ErrorResponse(404, "Environment variable not found.")
    return _show_env_var(variable)


@handles("v2.projects.set_env_var")
def set_env_var(ctx: RequestContext) -> object:
    return _show_env_var(store_env_var(ctx, ctx.project()))


@handles("v2.projects.delete_env_var")
def delete_env_var(ctx: RequestContext) -> object:
    if ctx.project().env_vars.pop(ctx.call["name"], None) is None:
        raise ErrorResponse(404, "Environment variable not found.")
    return {"message": "Environment variable deleted."}


def store_env_var(ctx: RequestContext, project: FakeProject) -> FakeEnvVar:
    """Create or replace the variable of the call."""
    name: str = ctx.call["name"]
    check_variable(name, ctx.call["value"])
    project.env_vars[name] = FakeEnvVar(name, ctx.call["value"], ctx.now, ctx.now)
    return project.env_vars[name]


def _show_env_var(variable: FakeEnvVar) -> JsonObject:
    return {"name": variable.name, "value": variable.masked, "created_at": millis(variable.created_at)}


@handles("v2.projects.list_checkout_keys")
def list_checkout_keys(ctx: RequestContext) -> object:
    project = _with_keys(ctx)
    digest = ctx.call.get("digest", "md5")
    return ctx.page(list(project.checkout_keys.values()), lambda key: _show_key(key, digest))


@handles("v2.projects.create_checkout_key")
def create_checkout_key(ctx: RequestContext) -> object:
    project = _with_keys(ctx)
    user_key = "bitbucket-user-key" if project.slug.startswith("bb/") else "github-user-key"
    kind = "deploy-key" if ctx.call["key_type"] == "deploy-key" else user_key
    return _show_key(add_checkout_key(ctx, project, kind), "md5")


@handles("v2.projects.get_checkout_key")
def get_checkout_key(ctx: RequestContext) -> object:
    fingerprint: str = ctx.call["fingerprint"]
    digest = "sha256" if fingerprint.startswith("SHA256:") else "md5"
    return _show_key(find_checkout_key(ctx, _with_keys(ctx)), digest)


@handles("v2.projects.delete_checkout_key")
def delete_checkout_key(ctx: RequestContext) -> object:
    project = _with_keys(ctx)
    del project.checkout_keys[find_checkout_key(ctx, project).md5]
    return {"message": "Checkout key deleted."}


def _with_keys(ctx: RequestContext) -> FakeProject:
    project = ctx.project()
    if project.slug.startswith("circleci/"):
        raise ErrorResponse(400, "Checkout keys are not supported for this kind of project.")
    return project


def add_checkout_key(ctx: RequestContext, project: FakeProject, kind: str) -> FakeCheckoutKey:
    """Add a key. It becomes the preferred one."""
    public_key = ctx.store.ids.ssh_key()
    md5, sha256 = fingerprints(public_key)
    for other in project.checkout_keys.values():
        other.preferred = False
    project.checkout_keys[md5] = FakeCheckoutKey(public_key, kind, md5, sha256, ctx.now, preferred=True)
    return project.checkout_keys[md5]


def find_checkout_key(ctx: RequestContext, project: FakeProject) -> FakeCheckoutKey:
    """The key with a fingerprint of either digest. A missing one gives 404."""
    fingerprint: str = ctx.call["fingerprint"]
    for key in project.checkout_keys.values():
        if fingerprint in (key.md5, key.sha256, key.sha256.removeprefix("SHA256:")):
            return key
    raise ErrorResponse(404, "checkout key not found")


def _show_key(key: FakeCheckoutKey, digest: str) -> JsonObject:
    return {
        "public_key": key.public_key + "\n",
        "type": key.kind,
        "fingerprint": key.sha256 if digest == "sha256" else key.md5,
        "preferred": key.preferred,
        "created_at": millis(key.created_at),
    }
