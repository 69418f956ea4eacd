"""Checks of the arguments that several helpers take. Pure functions.

Each error begins with the public method and the parameter: `runs.start: branch: expected str, got None.`
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Final, cast
from uuid import UUID

from circleci_sdk._core.checks import (
    FILTER,
    PLAIN_FUNCTION,
    TEXT,
    TIMEOUT,
    Accepted,
    at_least,
    check,
    got,
    or_none,
)
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.serialization.slugs import ProjectSlug, slug_segments

_VCS: Final = re.compile("gh|github|bb|bitbucket|circleci", re.IGNORECASE)


PATH: Final = Accepted("a non-empty str or os.PathLike", lambda value: _is_path(value))
ID: Final = Accepted("str or UUID", lambda value: isinstance(value, UUID) or TEXT.admits(value))
PROJECT: Final = Accepted("str or ProjectSlug", lambda value: isinstance(value, ProjectSlug) or ID.admits(value))
CALLBACK: Final = or_none(PLAIN_FUNCTION)


def _is_path(value: object) -> bool:
    text = os.fspath(cast("os.PathLike[str]", value)) if isinstance(value, str | os.PathLike) else None
    return isinstance(text, str) and text != "" and "\0" not in text


def check_text(method: str, name: str, value: object, remedy: str = "") -> str:
    """A string that is not empty."""
    check(method, **{name: (value, Accepted(TEXT.noun, TEXT.admits, remedy))})
    return cast("str", value)


def check_filter(method: str, name: str, value: object) -> None:
    """A string that is not empty, or UNSET for no filter."""
    check(method, **{name: (value, FILTER)})


def check_count(method: str, name: str, value: object, *, least: int = 1, optional: bool = False) -> None:
    """An integer from `least` up; with `optional` also None."""
    check(method, **{name: (value, or_none(at_least(least)) if optional else at_least(least))})


def check_timeout(method: str, value: object) -> None:
    """A number of seconds above 0, or None for no limit."""
    check(method, timeout=(value, TIMEOUT))


def is_id(value: object) -> bool:
    """Whether it is a UUID, as an object or in a string."""
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def check_project_slug(method: str, value: object, name: str = "project_slug") -> str:
    """A project slug, or the id of a project, without surrounding white space."""
    if not isinstance(value, str | ProjectSlug | UUID):
        raise InvalidArgumentError(f"{method}: {name}: expected str or ProjectSlug, got {got(value)}.")
    text = str(value).strip()
    if is_id(text):
        return text
    return "/".join(slug_segments(text, f"{method}: {name}", count=3))


def check_org(method: str, value: object, name: str = "org") -> str:
    """The slug or the id of an organization, without surrounding white space."""
    if not isinstance(value, str | UUID):
        raise InvalidArgumentError(f"{method}: {name}: expected the slug or id of an organization, got {got(value)}.")
    text = str(value).strip()
    if is_id(text):
        return text
    parts = text.split("/")
    if len(parts) == 3 and all(parts) and _VCS.fullmatch(parts[0]):
        raise InvalidArgumentError(
            f"{method}: {name}: {text!r} is the slug of a project; the organization is {'/'.join(parts[:2])!r}."
        )
    return "/".join(slug_segments(text, f"{method}: {name}", count=2))


def check_list(method: str, name: str, values: object, expected: str = "a list") -> tuple[object, ...]:
    """The items of a sequence that is no string."""
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise InvalidArgumentError(f"{method}: {name}: expected {expected}, got {got(values)}.")
    return tuple(cast("Sequence[object]", values))


def check_orgs(method: str, name: str, values: object) -> tuple[str, ...]:
    """Organizations by slug or id."""
    return tuple(check_org(method, value, name) for value in check_list(method, name, values))
