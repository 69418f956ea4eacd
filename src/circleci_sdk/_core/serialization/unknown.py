"""Finds what a response has beyond its documentation: unknown fields and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from circleci_sdk._core.mismatches import DriftKind, Mismatch, Place

from .entities import layout_of
from .model import Model, UnknownStr, unread_of
from .shapes import fields_of, json_type
from .unreadable import Hidden

_ROOT: Final = Place()


def unknown_in(data: object, place: Place = _ROOT, key: str | None = None) -> Iterator[tuple[DriftKind, Mismatch]]:
    """The unknown fields and values in decoded data at this place, or at a key of a body there."""
    if isinstance(data, UnknownStr):
        yield "unknown_value", Mismatch(place, "a documented value", "string")
    elif isinstance(data, list):
        for index, item in enumerate(cast("list[object]", data)):
            yield from unknown_in(item, place.below(index, varies=True))
    elif isinstance(data, dict):
        for name, item in cast("dict[str, object]", data).items():
            yield from unknown_in(item, place.below(name, varies=True))
    elif isinstance(data, Model):
        unread, layout = unread_of(data), layout_of(type(data), key)
        paths = layout.paths if layout else {field.name: field.path for field in fields_of(type(data))}
        for name, value in {**data.__dict__, **(unread.aside if unread else {})}.items():
            yield from unknown_in(value, place.below(*paths[name]))
        for name, value in (data.model_extra or {}).items():
            if unread is None or name not in unread.kept:
                raw = value.raw if isinstance(value, Hidden) else value
                at = place.below(name.pattern if isinstance(name, Place) else name)
                yield "unknown_field", Mismatch(at, "no field", json_type(raw))
