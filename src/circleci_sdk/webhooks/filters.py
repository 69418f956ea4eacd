"""Which events a handler wants: a pure decision."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.serialization.slugs import ProjectSlug

from .events import branch_of, project_slug_of, status_of

if TYPE_CHECKING:
    from .kinds import Event

Projects: TypeAlias = str | ProjectSlug | Collection[str | ProjectSlug]
Texts: TypeAlias = str | Collection[str]

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Filter:
    """What an event has to be. None admits anything, also events that have no such thing."""

    kind: type[Any]
    projects: frozenset[str] | None = None
    branches: tuple[str, ...] | None = None
    statuses: frozenset[str] | None = None

    @classmethod
    def of(cls, kind: type[Any], project: Projects | None, branch: Texts | None, status: Texts | None) -> Filter:
        """The filter that a user describes. Raises `InvalidArgumentError` for one that nothing can pass."""
        from .kinds import KINDS

        if kind not in KINDS:
            names = ", ".join(known.__name__ for known in KINDS)
            raise InvalidArgumentError(f"on: it takes a class of events ({names}), not {kind!r}.")
        if KINDS[kind] is None and not project is branch is status is None:
            raise InvalidArgumentError(f"on: {kind.__name__} has no project, branch or status to choose by.")
        chosen = None if status is None else frozenset(_texts("status", status))
        if chosen is not None:
            _check_statuses(kind, chosen, KINDS[kind] or ())
        return cls(
            kind,
            None if project is None else frozenset(map(_project, _projects(project))),
            None if branch is None else tuple(_texts("branch", branch)),
            chosen,
        )

    def admits(self, event: Event) -> bool:
        """Whether the event is wanted."""
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
    """Whether two slugs name the same project; code hosts that tell upper and lower case apart are rare."""
    return _folded(one) == _folded(other)


def _names(event: Event) -> Iterable[str]:
    slug = project_slug_of(event)
    if slug is not None:
        yield _folded(slug)
    identity = getattr(getattr(event, "project", None), "id", None)
    if isinstance(identity, str):
        yield identity.lower()


def _check_statuses(kind: type[Any], statuses: Collection[str], known: Collection[str]) -> None:
    from circleci_sdk._core.serialization.model import UnknownStr

    for status in statuses:
        if known and status not in known and not isinstance(status, UnknownStr):
            raise InvalidArgumentError(
                f"status: {status!r} is none that {kind.__name__} is known to have ({', '.join(known)}). "
                "Wrap it in UnknownStr(...) if you know better."
            )


def _texts(place: str, value: Texts) -> list[str]:
    texts = [value] if isinstance(value, str) else list(value)
    if not texts or not all(texts):
        raise InvalidArgumentError(f"{place}: it takes a text or some of them, not {value!r}.")
    return texts


def _projects(value: Projects) -> list[str | ProjectSlug]:
    projects = [value] if isinstance(value, str | ProjectSlug) else list(value)
    if not projects:
        raise InvalidArgumentError("project: it takes a project or some of them, not an empty list.")
    return projects


def _project(value: str | ProjectSlug) -> str:
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value.lower()
    return _folded(str(ProjectSlug.parse(value) if isinstance(value, str) else value))


def _folded(slug: str) -> str:
    # Ids in the slugs of standalone projects do tell upper and lower case apart.
    return slug if slug.startswith("circleci/") else slug.lower()
