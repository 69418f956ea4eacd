"""What a search for runs is asked for, and what it finds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from circleci_sdk._core.checks import AWARE, check, one_of
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.arguments import check_filter, check_list, check_project_slug
from circleci_sdk.helpers._shared.partial import Partial

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.versions import ApiVersion

SearchStatus: TypeAlias = Literal[
    "canceled", "error", "failed", "failing", "not_run", "on_hold", "queued", "running", "success", "unauthorized"
]
"""The status of a run in a search."""

DAYS: Final = 90
"""Days before now that are searched by default."""
STATUSES: Final[tuple[str, ...]] = get_args(SearchStatus)
_REVISION: Final = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FoundRun(Partial):
    """A run that a search has found. `circleci.runs.attach(found.id)` waits for it, watches it or acts on it.

    Attributes:
        id: its id, the id of its pipeline in v2.
        project_slug: its project.
        number: the number of its pipeline in the project, None if it is not known.
        branch: its branch, None for a tag.
        tag: its tag, None for a branch.
        revision: the SHA of its commit, None if it is not known.
        created_at: its start.
        status: its status at the time of the search, such as `success`, `failed` or `running`; None if it is not known,
            and in results of v2, which has no such status.
        api: the version of the API that found it.
    """

    id: str
    project_slug: str
    number: int | None
    branch: str | None
    tag: str | None
    revision: str | None
    created_at: datetime
    status: SearchStatus | None
    api: ApiVersion


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What to search for, in the projects of these slugs."""

    project_slugs: tuple[str, ...]
    branch: str | Unset = UNSET
    revision: str | Unset = UNSET
    status: str | Unset = UNSET
    since: datetime | Unset = UNSET
    until: datetime | Unset = UNSET

    @property
    def expression(self) -> str:
        """The filter of a search by v3."""
        fields = {"branch": self.branch, "revision": self.revision}
        named = {f"pipeline.git.{name}": value for name, value in fields.items()} | {"pipeline.status": self.status}
        return " and ".join(f"{name} == {_quoted(value)}" for name, value in named.items() if value is not UNSET)

    def window(self, now: float) -> tuple[datetime, datetime]:
        """The time to search in."""
        until = datetime.fromtimestamp(now, UTC) if self.until is UNSET else self.until
        return until - timedelta(days=DAYS) if self.since is UNSET else self.since, until


def check_query(
    project_slugs: Sequence[object],
    branch: str | Unset,
    revision: str | Unset,
    status: str | Unset,
    since: datetime | Unset,
    until: datetime | Unset,
) -> RunQuery:
    """The query of the arguments of `runs.search`, checked."""
    method = "runs.search"
    listed = check_list(method, "project_slugs", project_slugs)
    slugs = tuple(dict.fromkeys(check_project_slug(method, one, "project_slugs") for one in listed))
    if not slugs:
        raise InvalidArgumentError(f"{method}: project_slugs: expected at least one project, got none.")
    check_filter(method, "branch", branch)
    check_filter(method, "revision", revision)
    if status is not UNSET:
        check(method, status=(status, one_of(*STATUSES)))
    for name, moment in {"since": since, "until": until}.items():
        if moment is not UNSET:
            check(method, **{name: (moment, AWARE)})
    if revision is not UNSET and not is_full_revision(revision):
        raise InvalidArgumentError(
            f"{method}: revision: expected the 40 digits of a commit, got {len(revision)} characters; runs.find takes "
            "the first 7 too."
        )
    return RunQuery(slugs, branch, revision, status, since, until)


def is_full_revision(revision: str) -> bool:
    """Whether it is a whole SHA."""
    return _REVISION.fullmatch(revision) is not None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
