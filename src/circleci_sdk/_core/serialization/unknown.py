"""Finds what a response has beyond its documentation: unknown fields and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from circleci_sdk._core.mismatches import DriftKind, Mismatch
from circleci_sdk._core.pagination import Page

from .model import Model, UnknownStr
from .shapes import fields_of, json_type


def unknown_in(data: object, place: str = "") -> Iterator[tuple[DriftKind, Mismatch]]:
    """The unknown fields and values in decoded data."""
    if isinstance(data, UnknownStr):
        yield "unknown_value", Mismatch(place[1:], "a documented value", "string")
    elif isinstance(data, Page):
        yield from unknown_in(cast("Page[object]", data).items, ".items")
    elif isinstance(data, list):
        for index, item in enumerate(cast("list[object]", data)):
            yield from unknown_in(item, f"{place}.{index}")
    elif isinstance(data, Model):
        for name, value in data.__dict__.items():
            yield from unknown_in(value, f"{place}.{name}")
        documented = {key for field in fields_of(type(data)) for key in field.keys}
        for key, value in (data.model_extra or {}).items():
            if key not in documented:  # else it is the raw value of a mismatch
                yield "unknown_field", Mismatch(f"{place}.{key}"[1:], "no field", json_type(value))
