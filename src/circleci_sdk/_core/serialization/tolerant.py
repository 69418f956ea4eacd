"""Reads JSON that does not fit its type field by field: what fits is read, what does not is a mismatch.

Only the path of failure comes here. A model that is read like this has no value for a field that does not fit; its raw
value is kept among the unknown fields, so that the dump has it.
"""

from __future__ import annotations

from typing import Any, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import to_json

from circleci_sdk._core.mismatches import Mismatch

from .model import Model, Unread
from .shapes import adapter_of, expected, fields_of, has_choice, json_type, members_of, models_in, resolved
from .unreadable import Hidden, NoObject, built, no_object


class UnfitError(Exception):
    """A value that cannot be read as its type, not even in parts."""


def read_fields(declared: Any, raw: object, operation: str, *, secret: bool) -> tuple[Any, tuple[Mismatch, ...]]:
    """The value, with its mismatches. Raises `UnfitError` for another outer type.

    `secret` keeps all raw values that do not fit out of `repr` and pickles.
    """
    reader = _Reader(operation, secret)
    return reader.parts(declared, raw, ""), tuple(reader.found)


class _Reader:
    def __init__(self, operation: str, secret: bool) -> None:
        self.found: list[Mismatch] = []
        self._operation = operation
        self._secret = secret

    def parts(self, declared: Any, raw: object, place: str) -> Any:
        """A value that does not fit as a whole."""
        declared = resolved(declared)
        origin, arguments = get_origin(declared), get_args(declared)
        if models_in(declared):
            if members := members_of(declared):
                return self._best(members, raw, place)
            if origin is list and isinstance(raw, list):
                items = cast("list[object]", raw)
                return [self._item(arguments[0], item, f"{place}.{index}") for index, item in enumerate(items)]
            if isinstance(raw, dict):
                fields = cast("dict[str, object]", raw)
                if origin is None:
                    return self._model(declared, fields, place)
                if origin is dict:
                    return {key: self._item(arguments[1], item, f"{place}.{key}") for key, item in fields.items()}
        raise UnfitError

    def _value(self, declared: Any, raw: object, place: str) -> Any:
        try:
            return adapter_of(declared).validate_json(to_json(raw))
        except ValidationError:
            pass  # this error quotes the input: it is not kept as the context of another one
        return self.parts(declared, raw, place)

    def _item(self, declared: Any, raw: object, place: str) -> Any:
        """An item of a list of objects. What is no object becomes a model without any field."""
        try:
            return self._value(declared, raw, place)
        except UnfitError:
            mismatch = self._note(place, declared, json_type(raw))
        unread = Unread(self._operation, mismatch.place, (mismatch,), {}, self._kept(raw, self._secret))
        return no_object(models_in(declared)[0], unread)

    def _best(self, members: tuple[Any, ...], raw: object, place: str) -> Any:
        """The member of a union of which most is read; of several, the one with the fewest mismatches."""
        tried: list[tuple[int, int, Any, list[Mismatch]]] = []
        before = self.found
        for member in members:
            self.found = []
            try:
                value = self._value(member, raw, place)
            except UnfitError:
                continue
            tried.append((-len(names_read(value)), len(self.found), value, self.found))
        self.found = before
        if not tried:
            raise UnfitError
        *_, value, found = min(tried, key=lambda one: one[:2])
        self.found += found
        return value

    def _model(self, model: type[Model], raw: dict[str, object], place: str) -> Model:
        first = len(self.found)
        values: dict[str, Any] = {}
        aside: dict[str, Any] = {}
        given: set[str] = set()
        rest = dict(raw)
        for field in fields_of(model):
            key = next((key for key in field.keys if key in raw), None)
            where, before = f"{place}.{field.name}", len(self.found)
            if key is None:
                if field.required:
                    self._note(where, field.type, "missing")
                else:
                    values[field.name] = field.default
                continue
            try:
                value = self._value(field.type, raw[key], where)
            except UnfitError:
                self._note(where, field.type, json_type(raw[key]))
                rest[key] = self._kept(raw[key], field.secret)
                continue
            given.add(field.name)
            if _has_no_object(value) or (len(self.found) > before and has_choice(field.type)):
                aside[field.name] = rest[key] = value
            else:
                values[field.name] = value
                del rest[key]
        return built(model, values, given, rest, Unread(self._operation, place[1:], tuple(self.found[first:]), aside))

    def _note(self, place: str, declared: Any, received: str) -> Mismatch:
        mismatch = Mismatch(place[1:], expected(declared), received)
        self.found.append(mismatch)
        return mismatch

    def _kept(self, raw: object, secret: bool) -> object:
        return Hidden(raw) if secret or self._secret else raw


def _has_no_object(value: object) -> bool:
    items: object = list(cast("dict[str, object]", value).values()) if isinstance(value, dict) else value
    return isinstance(items, list) and any(isinstance(item, NoObject) for item in cast("list[object]", items))


def names_read(value: object) -> set[str]:
    """The declared fields that the response had, and that were read."""
    if not isinstance(value, Model):
        return set()
    given = value.model_fields_set.intersection(type(value).model_fields)
    return {name for name in given if hasattr(value, name)}
