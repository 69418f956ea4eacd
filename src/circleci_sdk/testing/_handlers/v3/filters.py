"""The filter language of searches: `field == "text"`, joined by ` and `."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._wire.messages import ErrorResponse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_TERM: Final = re.compile(r'\s*(?P<field>[a-z_.]+)\s*==\s*"(?P<text>(?:[^"\\]|\\["\\])*)"\s*')
_AND: Final = re.compile(r"and\b")
_ESCAPED: Final = re.compile(r'\\(["\\])')


def read_filter(text: str, fields: Collection[str]) -> list[tuple[str, str]]:
    """The fields of a filter and the texts that they must equal. Raises `ErrorResponse` with 400 for other filters."""
    return list(_terms(text, fields)) if text.strip() else []


def _terms(text: str, fields: Collection[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while True:
        term = _TERM.match(text, at)
        if term is None or term["field"] not in fields:
            raise ErrorResponse(400, f"Cannot read the filter at position {at}.", title="Invalid Filter")
        yield term["field"], _ESCAPED.sub(r"\1", term["text"])
        at = term.end()
        if at == len(text):
            return
        joint = _AND.match(text, at)
        if joint is None:
            raise ErrorResponse(400, f"Cannot read the filter at position {at}.", title="Invalid Filter")
        at = joint.end()
