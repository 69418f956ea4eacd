"""Finds what a response has beyond its documentation: unknown fields and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from circleci_sdk._core.mismatches import DriftKind, Mismatch, Place

from .model import Model, UnknownStr, unread_of
from .shapes import fields_of, json_type
from .unreadable import Hidden

_ROOT: Final = Place()


def unknown_in(data: object, place: Place = _ROOT) -> Iterator[tuple[DriftKind, Mismatch]]:
    """The unknown fields and values in decoded data at this place."""
    if isinstance(data, UnknownStr):
        yield "unknown_value", Mismatch(place, "a documented value", "string")
    elif isinstance(data, list):
        for index, item in enumerate(cast("list[object]", data)):
            yield from unknown_in(item, place.below(index, varies=True))
    elif isinstance(data, dict):
        for key, item in cast("dict[str, object]", data).items():
            yield from unknown_in(item, place.below(key, varies=True))
    elif isinstance(data, Model):
        unread, paths = unread_of(data), {field.name: field.path for field in fields_of(type(data))}
        for name, value in {**data.__dict__, **(unread.aside if unread else {})}.items():
            yield from unknown_in(value, place.below(*paths[name]))
        for key, value in (data.model_extra or {}).items():
            if unread is None or key not in unread.kept:
                raw = value.raw if isinstance(value, Hidden) else value
                at = place.below(*key.pattern.split(".") if isinstance(key, Place) else (key,))
                yield "unknown_field", Mismatch(at, "no field", json_type(raw))
