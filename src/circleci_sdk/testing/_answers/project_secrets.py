"""`v2.projects` again: environment variables and checkout keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from circleci_sdk.testing._state.ids import fingerprints
from circleci_sdk.testing._state.projects import CheckoutKey
from circleci_sdk.testing._state.things import EnvVar
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers, millis

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.things import JsonObject

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@answers("v2.projects.list_env_vars")
def list_env_vars(desk: Desk) -> object:
    variables = desk.project().env_vars
    return desk.page([variables[name] for name in sorted(variables)], _show_env_var)


@answers("v2.projects.get_env_var")
def get_env_var(desk: Desk) -> object:
    variable = desk.project().env_vars.get(desk.call["name"])
    if variable is None:
        raise Refusal(404, "Environment variable not found.")
    return _show_env_var(variable)


@answers("v2.projects.set_env_var")
def set_env_var(desk: Desk) -> object:
    return _show_env_var(keep_env_var(desk, desk.project()))


@answers("v2.projects.delete_env_var")
def delete_env_var(desk: Desk) -> object:
    if desk.project().env_vars.pop(desk.call["name"], None) is None:
        raise Refusal(404, "Environment variable not found.")
    return {"message": "Environment variable deleted."}


def keep_env_var(desk: Desk, project: FakeProject) -> EnvVar:
    """Create or replace the variable that the call holds."""
    name: str = desk.call["name"]
    if not _VARIABLE.fullmatch(name):
        raise Refusal(400, "Environment variable names must be letters, digits and underscores.")
    project.env_vars[name] = EnvVar(name, desk.call["value"], desk.now, desk.now)
    return project.env_vars[name]


def _show_env_var(variable: EnvVar) -> JsonObject:
    return {"name": variable.name, "value": variable.masked, "created_at": millis(variable.created_at)}


@answers("v2.projects.list_checkout_keys")
def list_checkout_keys(desk: Desk) -> object:
    project = _with_keys(desk)
    digest = desk.call.get("digest", "md5")
    return desk.page(list(project.checkout_keys.values()), lambda key: _show_key(key, digest))


@answers("v2.projects.create_checkout_key")
def create_checkout_key(desk: Desk) -> object:
    project = _with_keys(desk)
    user_key = "bitbucket-user-key" if project.slug.startswith("bb/") else "github-user-key"
    kind = "deploy-key" if desk.call["key_type"] == "deploy-key" else user_key
    return _show_key(keep_checkout_key(desk, project, kind), "md5")


@answers("v2.projects.get_checkout_key")
def get_checkout_key(desk: Desk) -> object:
    fingerprint: str = desk.call["fingerprint"]
    digest = "sha256" if fingerprint.startswith("SHA256:") else "md5"
    return _show_key(find_checkout_key(desk, _with_keys(desk)), digest)


@answers("v2.projects.delete_checkout_key")
def delete_checkout_key(desk: Desk) -> object:
    project = _with_keys(desk)
    del project.checkout_keys[find_checkout_key(desk, project).md5]
    return {"message": "Checkout key deleted."}


def _with_keys(desk: Desk) -> FakeProject:
    project = desk.project()
    if project.slug.startswith("circleci/"):
        raise Refusal(400, "Checkout keys are not supported for this kind of project.")
    return project


def keep_checkout_key(desk: Desk, project: FakeProject, kind: str) -> CheckoutKey:
    """A new key; it becomes the preferred one."""
    public_key = desk.world.ids.ssh_key()
    md5, sha256 = fingerprints(public_key)
    for other in project.checkout_keys.values():
        other.preferred = False
    project.checkout_keys[md5] = CheckoutKey(public_key, kind, md5, sha256, desk.now, preferred=True)
    return project.checkout_keys[md5]


def find_checkout_key(desk: Desk, project: FakeProject) -> CheckoutKey:
    """The key of a fingerprint, of either digest. A missing one gives 404."""
    fingerprint: str = desk.call["fingerprint"]
    for key in project.checkout_keys.values():
        if fingerprint in (key.md5, key.sha256, key.sha256.removeprefix("SHA256:")):
            return key
    raise Refusal(404, "checkout key not found")


def _show_key(key: CheckoutKey, digest: str) -> JsonObject:
    return {
        "public_key": key.public_key + "\n",
        "type": key.kind,
        "fingerprint": key.sha256 if digest == "sha256" else key.md5,
        "preferred": key.preferred,
        "created_at": millis(key.created_at),
    }
