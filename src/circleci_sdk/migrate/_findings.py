"""What the command finds."""

from __future__ import annotations

from typing import NamedTuple

V1_PAGE = "docs/migration/v1-to-v2-and-v3.md"


class Finding(NamedTuple):
    """A call that ends, or a call of another client. `ends` is the first day without it, if that is known."""

    path: str
    line: int
    column: int
    title: str
    client: str | None
    is_ending: bool
    ends: str | None
    use: str | None
    remark: str | None
    page: str


class Note(NamedTuple):
    """A file that could not be read, or not as the language that it is in."""

    path: str
    sentence: str
