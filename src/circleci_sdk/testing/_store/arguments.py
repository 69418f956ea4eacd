"""What the parameters of this package accept, beyond what all do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from circleci_sdk._core.checks import AWARE, STR, Accepted, is_number, is_printable, is_text, several
from circleci_sdk._core.serialization.slugs import ProjectSlug

_LONGEST: Final = 1e10
"""Seconds, about 300 years. The clock ends with the year 9999."""

NUMBER: Final = Accepted("a number", lambda value: is_number(value) and abs(value) <= _LONGEST)
INT: Final = Accepted(
    "an int",  # each message can show it
    lambda value: isinstance(value, int) and not isinstance(value, bool) and is_printable(value),
)
ID: Final = Accepted("str or UUID", lambda value: isinstance(value, str | UUID))
PROJECT: Final = Accepted("str, ProjectSlug or UUID", lambda value: isinstance(value, str | ProjectSlug | UUID))
MOMENT: Final = Accepted(
    "a datetime with a time zone, in the years 1970 to 9000",
    lambda value: AWARE.admits(value) and 1970 <= cast("datetime", value).year <= 9000,
)
NAMES: Final = several("a list of names", STR)


def mapping_of(accepted: Accepted, key: Accepted = STR) -> Accepted:
    """A mapping of such values, by names."""

    def admits(value: object) -> bool:
        if not isinstance(value, Mapping):
            return False
        items = cast("Mapping[object, object]", value).items()
        return all(key.admits(name) and accepted.admits(one) for name, one in items)

    return Accepted(f"a mapping of names to {accepted.noun}", admits)


def pair_of(first: Accepted, second: Accepted) -> Accepted:
    """A pair of such values."""

    def admits(value: object) -> bool:
        if not isinstance(value, tuple):
            return False
        parts = cast("tuple[object, ...]", value)
        return len(parts) == 2 and first.admits(parts[0]) and second.admits(parts[1])

    return Accepted(f"pairs of {first.noun} and {second.noun}", admits)


REQUIRES: Final = Accepted(
    "a list of names, or a mapping from names to outcomes",
    lambda value: NAMES.admits(value) or mapping_of(NAMES).admits(value),
)
PLACES: Final = Accepted(
    "a place or several", lambda value: is_text(value) or several("places", STR, in_order=False).admits(value)
)
