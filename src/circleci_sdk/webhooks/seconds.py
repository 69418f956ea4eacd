"""Checks of arguments that are numbers of seconds."""

from __future__ import annotations

from math import isfinite

from circleci_sdk._core.errors import InvalidArgumentError


def check_seconds(place: str, name: str, value: object, *, optional: bool = False, least: float | None = None) -> None:
    """A finite number above 0, or from `least` up; with `optional` also None."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) else -1
    if (optional and value is None) or (number > 0 if least is None else number >= least):
        return
    expected = "above 0" if least is None else f"from {least:g} up"
    raise InvalidArgumentError(
        f"{place}: {name}: expected seconds {expected}{' or None' if optional else ''}, got {value!r}."
    )
