"""Which artifacts are downloaded, and to which paths. Pure functions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._downloads.files import safe_parts
from circleci_sdk.helpers._shared.available import if_available

if TYPE_CHECKING:
    from circleci_sdk.v2.models import Artifact, Workflow

Match: TypeAlias = str | Sequence[str] | Callable[["Artifact"], bool]
"""Which artifacts: a pattern, several patterns, or a function."""


def plan(method: str, items: Iterable[tuple[Artifact, Path]]) -> list[tuple[Artifact, Path]]:
    """The path of each artifact; `items` are artifacts, each with the folder that it goes to.

    Raises `InvalidArgumentError` for unsafe names and for two artifacts with one path, `FieldUnavailableError` for an
    artifact without a path, index or URL.
    """
    taken: dict[str, Artifact] = {}
    planned: list[tuple[Artifact, Path]] = []
    for artifact, folder in items:
        url = artifact.url  # read before any download, also where it is not compared
        path = folder.joinpath(str(artifact.node_index), *safe_parts(artifact.path))
        other = taken.setdefault(os.path.normcase(path), artifact)
        if other is artifact:
            planned.append((artifact, path))
        elif other.url != url:
            raise InvalidArgumentError(
                f"{method}: {other.path!r} and {artifact.path!r} have the same path on disk, {path}. "
                "Leave one of them out with match=."
            )
    return planned


def matches(match: Match | Unset, artifact: Artifact) -> bool:
    """Whether an artifact is selected."""
    if match is UNSET:
        return True
    if callable(match):
        return match(artifact)
    patterns = [match] if isinstance(match, str) else match
    return any(matches_pattern(pattern, artifact.path) for pattern in patterns)


def matches_pattern(pattern: str, path: str) -> bool:
    """Whether a path matches a pattern.

    `*` stops at slashes, `**` matches any folders, a pattern without a slash applies to the name of the file alone.
    """
    names = path.strip("/").split("/")
    parts = pattern.strip("/").split("/")
    return _matches(parts, names[-1:] if len(parts) == 1 and parts[0] != "**" else names)


def _matches(parts: Sequence[str], names: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_matches(parts[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _matches(parts[1:], names[1:])


def pick_workflows(workflows: Sequence[Workflow], name: str | Unset) -> list[Workflow]:
    """The workflows of this name, or all but setup workflows; newest first, and last those of an unavailable age."""
    chosen = [one for one in workflows if (_tag_of(one) != "setup" if name is UNSET else _name_of(one) == name)]
    return sorted(chosen, key=_created_at, reverse=True)


def _tag_of(workflow: Workflow) -> str | None:
    return if_available(lambda: workflow.tag)


def _name_of(workflow: Workflow) -> str | None:
    return if_available(lambda: workflow.name)


def _created_at(workflow: Workflow) -> datetime:
    return if_available(lambda: workflow.created_at) or datetime.min.replace(tzinfo=UTC)
