"""Names and values of variables, checked, and slugs of projects as API v1.1 has them. Pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.checks import Accepted, check, is_text, several
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk.helpers._shared.arguments import ID, PROJECT
from circleci_sdk.helpers._shared.available import if_available

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk.v1.models import Project

_NAME: Final = re.compile(r"[^\s=\0]+")
_VARIABLE: Final = Accepted(
    "the name of a variable (no white space, no =)",
    lambda value: is_text(value) and _NAME.fullmatch(value) is not None,
    quotes=True,
)
_HOSTS: Final = {"github": "gh", "bitbucket": "bb", "circleci": "circleci"}
_STANDALONE: Final = re.compile(r"(?:https?:)?//circleci\.com/([^/]+)/([^/]+)/?")


def check_name(method: str, name: str, argument: str = "name") -> str:
    """A name that a variable may have."""
    check(method, **{argument: (name, _VARIABLE)})
    return name


def check_targets(method: str, contexts: object, projects: object) -> None:
    """Lists of targets; a string would be read character by character."""
    check(
        method,
        contexts=(contexts, several("a list of str or UUID", ID)),
        projects=(projects, several("a list of str or ProjectSlug", PROJECT)),
    )


def check_value(method: str, name: str, value: str | SecretStr) -> SecretStr:
    """The value, wrapped. No error text contains it."""
    from pydantic import SecretStr

    hidden = value if isinstance(value, SecretStr) else SecretStr(value) if is_text(value) else None
    if hidden is None or not hidden.get_secret_value():
        raise InvalidArgumentError(f"{method}: the value of {name}: expected a non-empty str or SecretStr.")
    return hidden


def slug_of(project: Project) -> str | None:
    """The v2 slug of a project of v1.1; None if it is unknown."""
    url = if_available(lambda: project.vcs_url) or ""
    if standalone := _STANDALONE.fullmatch(url):
        return f"circleci/{standalone[1]}/{standalone[2]}"
    vcs = _HOSTS.get(if_available(lambda: project.vcs_type or "") or "")
    if vcs is None:
        vcs = next((short for name, short in _HOSTS.items() if f"//{name}." in url), None)
    owner, name = if_available(lambda: project.username), if_available(lambda: project.reponame)
    return f"{vcs}/{owner}/{name}" if vcs and owner and name else None


def belongs(project: str, org: str) -> bool:
    """Whether a project belongs to an organization, by their slugs."""
    vcs, _, name = org.partition("/")
    return project.rpartition("/")[0].casefold() == f"{_HOSTS.get(vcs, vcs)}/{name}".casefold()
