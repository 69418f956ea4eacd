"""Filters of handlers: pure decisions about events."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import UUID

from circleci_sdk._core.checks import TEXT, check, got
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.serialization.slugs import ProjectSlug
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._shared.arguments import PROJECT

from .event_fields import branch_of, project_id_of, project_slug_of, status_of

if TYPE_CHECKING:
    from .event_types import Event
    from .types import Projects, Strings

_T = TypeVar("_T")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions for an event. None accepts any event, also one without that field.

    An event whose field is unavailable does not meet a condition for it.
    """

    kind: type[Any]
    projects: frozenset[str] | None = None
    branches: tuple[str, ...] | None = None
    statuses: frozenset[str] | None = None

    @classmethod
    def of(cls, kind: type[Any], project: Projects | Unset, branch: Strings | Unset, status: Strings | Unset) -> Filter:
        """The filter of arguments. Raises `InvalidArgumentError` for one that no event can pass."""
        from .event_types import EVENT_STATUSES

        if not isinstance(cast("object", kind), type) or kind not in EVENT_STATUSES:
            names = ", ".join(known.__name__ for known in EVENT_STATUSES)
            raise InvalidArgumentError(f"Router.on: kind: expected a class of events ({names}), got {got(kind)}.")
        if EVENT_STATUSES[kind] is None and not project is branch is status is UNSET:
            raise InvalidArgumentError(f"Router.on: {kind.__name__} has no project, branch or status to filter by.")
        chosen = None if status is UNSET else frozenset(_strings("status", status))
        if chosen is not None:
            _check_statuses(kind, chosen, EVENT_STATUSES[kind] or ())
        return cls(
            kind,
            None if project is UNSET else frozenset(map(_project, _projects(project))),
            None if branch is UNSET else tuple(_strings("branch", branch)),
            chosen,
        )

    def accepts(self, event: Event) -> bool:
        """Whether an event meets the conditions."""
        if not isinstance(event, self.kind):
            return False
        if self.statuses is not None and status_of(event) not in self.statuses:
            return False
        if self.branches is not None:
            branch = branch_of(event)
            if branch is None or not any(fnmatchcase(branch, pattern) for pattern in self.branches):
                return False
        return self.projects is None or not self.projects.isdisjoint(_names(event))


def same_project(one: str, other: str) -> bool:
    """Whether two slugs name the same project, without case, since hardly any code host is case-sensitive."""
    return _folded(one) == _folded(other)


def _names(event: Event) -> Iterable[str]:
    slug = project_slug_of(event)
    if slug is not None:
        yield _folded(slug)
    identity = project_id_of(event)
    if identity is not None:
        yield identity.lower()


def _check_statuses(kind: type[Any], statuses: Collection[str], known: Collection[str]) -> None:
    from circleci_sdk._core.serialization.model import UnknownStr

    for status in statuses:
        if known and status not in known and not isinstance(status, UnknownStr):
            raise InvalidArgumentError(
                f"Router.on: status: expected one of {', '.join(known)} for {kind.__name__}, got {status!r}. "
                "Wrap a value that is missing here in UnknownStr(...)."
            )


def _strings(argument: str, value: Strings) -> list[str]:
    strings = [value] if isinstance(value, str) else list(_collection(argument, "a string or several", value))
    if not strings or not all(map(TEXT.admits, strings)):
        shown = ", ".join(got(one, quotes=True) for one in strings) or "none"
        raise InvalidArgumentError(f"Router.on: {argument}: expected a string or several, got {shown}.")
    return strings


def _projects(value: Projects) -> list[str | ProjectSlug | UUID]:
    if isinstance(value, str | ProjectSlug | UUID):
        return [value]
    projects = list(_collection("project", "a project or several", value))
    if not projects:
        raise InvalidArgumentError("Router.on: project: expected a project or several, got an empty collection.")
    for project in projects:
        check("Router.on", project=(project, PROJECT))
    return projects


def _collection(argument: str, expected: str, value: Collection[_T]) -> Collection[_T]:
    if isinstance(cast("object", value), Collection):
        return value
    shown = got(value, quotes=True)
    raise InvalidArgumentError(
        f"Router.on: {argument}: expected {expected}, got {shown}. Leave it out, or pass UNSET, for no filter."
    )


def _project(value: str | ProjectSlug | UUID) -> str:
    if isinstance(value, UUID) or (isinstance(value, str) and _UUID.fullmatch(value)):
        return str(value).lower()
    return _folded(str(ProjectSlug.parse(value) if isinstance(value, str) else value))


def _folded(slug: str) -> str:
    # Ids in the slugs of standalone projects are case-sensitive.
    return slug if slug.startswith("circleci/") else slug.lower()
