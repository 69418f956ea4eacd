"""Parts of files: requests for the bytes from a place on, and what their responses say. Pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Headers

_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_LENGTH: Final = re.compile(r"bytes \*/(\d+)")


def range_headers(reached: int, etag: str) -> tuple[tuple[str, str], ...]:
    """The headers that ask for the bytes from a place on, of the same file if its tag is known."""
    ranged = ("Range", f"bytes={reached}-")
    return (ranged, ("If-Range", etag)) if etag else (ranged,)


def continues(headers: Headers, reached: int, etag: str) -> bool:
    """Whether a partial response begins where the last one ended, in the same file: both must have the same tag."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    return bool(etag) and found is not None and int(found[1]) == reached and headers.get("etag", etag) == etag


def whole_size(headers: Headers) -> int | None:
    """The size of the whole file by a partial response, or None."""
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
    return int(found[2]) if found is not None and found[2] != "*" else None


def size_without_range(headers: Headers) -> int | None:
    """The size of the file by a response that has nothing of it, since the range is behind its end, or None."""
    found = _LENGTH.fullmatch(headers.get("content-range", ""))
    return None if found is None else int(found[1])
