"""What to read of a history, and from where. Pure functions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from circleci_sdk._core.checks import AWARE, Accepted, check, one_of, several
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk.helpers._shared.arguments import check_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from circleci_sdk._core.unset import Unset

Include: TypeAlias = Literal["workflows", "jobs", "tests"]
"""What `History.records` yields besides pipelines."""
_KINDS: Final = ("workflows", "jobs", "tests")


@dataclass(frozen=True, slots=True)
class Position:
    """Where to resume: the page in progress, and the number of the last pipeline whose records were all yielded."""

    page: str | None = None
    below: int | None = None

    def __str__(self) -> str:
        return json.dumps({"page": self.page, "below": self.below})

    @classmethod
    def parse(cls, text: object) -> Position:
        """The position of a cursor. Raises `InvalidArgumentError` for another text."""
        cursor = check_text("history.records", "cursor", text)
        try:
            data = json.loads(cursor)
            page, below = data["page"], data["below"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise InvalidArgumentError("history.records: cursor: expected a value of Records.cursor.") from None
        if not isinstance(page, str | None) or not isinstance(below, int | None):
            raise InvalidArgumentError("history.records: cursor: expected a value of Records.cursor.")
        return cls(page, below)


@dataclass(frozen=True, slots=True)
class Query:
    """What to read. `since` is None for no limit."""

    project_slug: str
    since: datetime | None
    branch: str | Unset
    include: frozenset[str]
    concurrency: int
    timeout: float | None


def check_since(method: str, since: object) -> None:
    """Raise for what is no datetime with a time zone."""
    check(method, since=(since, AWARE))


def check_include(method: str, include: object) -> None:
    """Raise for what is no collection of kinds."""
    noun = f"a collection of {', '.join(_KINDS)}"
    check(method, include=(include, several(noun, Accepted("anything", lambda value: True), in_order=False)))
    for kind in cast("Collection[object]", include):
        check(method, include=(kind, Accepted(noun, one_of(*_KINDS).admits, quotes=True)))
