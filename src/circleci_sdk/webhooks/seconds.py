"""Checks of arguments that are numbers of seconds."""

from __future__ import annotations

from circleci_sdk._core.checks import SECONDS, check, number, or_none


def check_seconds(place: str, name: str, value: object, *, optional: bool = False, least: float | None = None) -> None:
    """A finite number above 0, or from `least` up; with `optional` also None."""
    accepted = SECONDS if least is None else number(least=least, noun=f"seconds from {least:g} up")
    check(place, **{name: (value, or_none(accepted) if optional else accepted)})
