"""Which artifacts are downloaded, and to which paths. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, get_args

from circleci_sdk._core.checks import PLAIN_FUNCTION, STR, Accepted, is_text, several
from circleci_sdk._core.errors import CircleCIError, FieldUnavailableError, InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._downloads.names import Limits, on_disk, safe_parts
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.callbacks import call_back
from circleci_sdk.helpers._shared.skipped import Skipped

if TYPE_CHECKING:
    from circleci_sdk.v2.models import Artifact, Workflow

Match: TypeAlias = str | Sequence[str] | Callable[["Artifact"], bool]
"""Which artifacts: a pattern, several patterns, or a function."""
MATCH: Final = Accepted(
    "a pattern, several, or a function",
    lambda value: value is UNSET or is_text(value) or PLAIN_FUNCTION.admits(value) or several("", STR).admits(value),
    " Leave it out for all.",
)


def _is_status(value: object) -> bool:
    from circleci_sdk._core.serialization.model import UnknownStr
    from circleci_sdk.v2.models import JobStatus, WorkflowStatus

    known = {text for alias in (JobStatus, WorkflowStatus) for text in get_args(get_args(alias.__value__)[0])}
    return value is UNSET or type(value) is UnknownStr or (is_text(value) and value in known)


STATUS: Final = Accepted(
    "a status of a workflow or job",
    _is_status,
    " Leave it out for `success`. Wrap a value that is missing here in UnknownStr(...).",
    quotes=True,
)


_USUAL: Final = Limits()


class Listed(NamedTuple):
    """An artifact with the folder it goes to, inside of the destination, and the identity of its job."""

    artifact: Artifact
    folder: Callable[[], str]
    job: str


class Planned(NamedTuple):
    """An artifact with its address, its path on disk, and its identity in the record of the folder."""

    artifact: Artifact
    url: str
    path: Path
    identity: str


def plan(method: str, dest: Path, items: Iterable[Listed], limits: Limits = _USUAL) -> list[Planned | Skipped]:
    """The path of each artifact, or why it has none.

    Its name is unsafe or too long, its path on disk is that of an earlier one or of its folder, or fields are
    unavailable.
    """
    files: dict[tuple[str, ...], str] = {}
    folders: set[tuple[str, ...]] = set()
    planned: list[Planned | Skipped] = []
    for number, (artifact, folder, job) in enumerate(items):
        try:
            url = artifact.url
            inside = folder()
            parts = (*(safe_parts(inside) if inside else ()), str(artifact.node_index), *safe_parts(artifact.path))
            path = dest.joinpath(*parts)
            key = tuple(on_disk(part) for part in parts)
            above = [key[:length] for length in range(1, len(key))]
            if files.get(key) == url:
                continue  # listed twice
            if key in files:
                raise InvalidArgumentError(f"another artifact has the same path on disk, {path}")
            if key in folders:
                raise InvalidArgumentError(f"another artifact needs a folder of the same path on disk, {path}")
            for place in above:
                if place in files:
                    taken = dest.joinpath(*parts[: len(place)])
                    raise InvalidArgumentError(f"another artifact is a file in the place of its folder, {taken}")
            limits.check(path, parts)
        except CircleCIError as error:
            name = if_available(lambda one: one.path, artifact) or f"items.{number}"
            planned.append(Skipped(method, name, error))
            continue
        files[key] = url
        folders.update(above)
        planned.append(Planned(artifact, url, path, f"{job} {artifact.node_index} {artifact.path}"))
    return planned


async def selected(match: Match | Unset, artifact: Artifact) -> bool:
    """Whether an artifact is selected, or may be: one without a path is reported."""
    try:
        return await matches(match, artifact)
    except FieldUnavailableError:
        return True


async def matches(match: Match | Unset, artifact: Artifact) -> bool:
    """Whether an artifact is selected."""
    if match is UNSET:
        return True
    if callable(match):
        return await call_back(match, artifact)
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
