"""Which secrets and places are meant: names, values and slugs as users and API v1.1 write them, checked and read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from uuid import UUID

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.options import is_text

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk.v1.models import Project

_NAME: Final = re.compile(r"[^\s=\0]+")
_HOSTS: Final = {"github": "gh", "bitbucket": "bb", "circleci": "circleci"}
_STANDALONE: Final = re.compile(r"(?:https?:)?//circleci\.com/([^/]+)/([^/]+)/?")


def check_name(name: str) -> str:
    """The name, if a variable may have it."""
    if not is_text(name) or not _NAME.fullmatch(name):
        raise InvalidArgumentError(f"secrets: {name!r} is no name for a variable.")
    return name


def check_value(name: str, value: str | SecretStr) -> SecretStr:
    """The value, out of sight. It is never quoted."""
    from pydantic import SecretStr

    hidden = value if isinstance(value, SecretStr) else SecretStr(value) if is_text(value) else None
    if hidden is None or not hidden.get_secret_value():
        raise InvalidArgumentError(f"secrets: the value of {name} is empty, or no text.")
    return hidden


def is_id(text: str | UUID) -> bool:
    """Whether it is a UUID."""
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


def slug_of(project: Project) -> str | None:
    """The slug that v2 takes for a project of v1.1, or None if it cannot be told."""
    if standalone := _STANDALONE.fullmatch(project.vcs_url):
        return f"circleci/{standalone[1]}/{standalone[2]}"
    vcs = _HOSTS.get(project.vcs_type or "")
    if vcs is None:
        vcs = next((short for name, short in _HOSTS.items() if f"//{name}." in project.vcs_url), None)
    return None if vcs is None else f"{vcs}/{project.username}/{project.reponame}"


def belongs(project: str, org: str) -> bool:
    """Whether a project is in an organization, by their slugs."""
    vcs, _, name = org.partition("/")
    return project.rpartition("/")[0].casefold() == f"{_HOSTS.get(vcs, vcs)}/{name}".casefold()
