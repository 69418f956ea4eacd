"""Reads JSON that does not fit its type field by field: what fits is read, what does not is a mismatch.

Only the path of failure comes here. A model that is read like this has no value for a field that does not fit; its raw
value is kept among the unknown fields, so that the dump has it.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from types import GenericAlias
from typing import Any, cast, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import to_json

from circleci_sdk._core.mismatches import Mismatch, Place

from .entities import layout_of, on_the_wire
from .model import Model, Unread
from .shapes import adapter_of, expected, fields_of, has_choice, json_type, members_of, models_in, resolved
from .unreadable import Hidden, NoObject, built, no_object


class UnfitError(Exception):
    """A value that cannot be read as its type, not even in parts."""


def read_fields(
    declared: Any, raw: object, error: ValidationError | None, label: str, *, secret: bool, hide: bool, key: str | None
) -> tuple[Any, tuple[Mismatch, ...]]:
    """The value, with its mismatches. Raises `UnfitError` for another outer type.

    `raw` is the parsed JSON; with a `key` that of a body with the value. `error` is the failure to read it as a whole,
    or None to choose among the members of a union in any case. `secret` keeps all raw values that do not fit out of
    `repr` and pickles, `hide` the keys of maps out of the places of mismatches.
    """
    reader = _Reader(label, secret, hide, key)
    if error is None:
        return reader.parts(declared, raw, Place(), ()), tuple(reader.found)
    return reader.value(declared, raw, Place(), _locations(error)), tuple(reader.found)


Locations = Sequence[tuple[int | str, ...]]
"""Where a value does not fit, inside of it."""


def _locations(error: ValidationError) -> Locations:
    # The error quotes the input, so nothing else of it is kept. A value without a location does not fit as a whole.
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [one["loc"] for one in details if one["loc"]]


def _below(locations: Locations, keys: Container[int | str]) -> Locations:
    return [location[1:] for location in locations if location[0] in keys and location[1:]]


class _Reader:
    def __init__(self, label: str, secret: bool, hide: bool, key: str | None) -> None:
        self.found: list[Mismatch] = []
        self._label = label
        self._secret = secret
        self._hide = hide
        self._key = key

    def value(
        self,
        declared: Any,
        raw: object,
        place: Place,
        unfit: Locations = (),
        *,
        path: tuple[str, ...] = (),
        strict: bool = False,
    ) -> Any:
        """The value at a place, or at the path below it. `unfit` is empty as long as it is not known."""
        if not unfit:
            adapter = adapter_of(on_the_wire(declared, None if place or path else self._key), strict=strict)
            if isinstance(raw, float) and raw.is_integer():
                raw = int(raw)  # in JSON 2.0 is an integer too
            try:
                return adapter.validate_json(to_json(raw))
            except ValidationError as error:
                unfit = _locations(error)
        return self.parts(declared, raw, place.below(*path) if path else place, unfit)

    def parts(self, declared: Any, raw: object, place: Place, unfit: Locations) -> Any:
        """A value that does not fit as a whole."""
        declared = resolved(declared)
        origin, arguments = get_origin(declared), get_args(declared)
        if models_in(declared):
            if members := members_of(declared):
                return self._best(members, raw, place)
            if origin is list and isinstance(raw, list):
                return self._list(arguments[0], cast("list[object]", raw), place, unfit)
            if isinstance(raw, dict):
                fields = cast("dict[str, object]", raw)
                if origin is None:
                    return self._model(declared, fields, place, unfit)
                if origin is dict:
                    return {
                        key: self._item(arguments[1], item, place.below("*" if self._hide else key, varies=True))
                        for key, item in fields.items()
                    }
        raise UnfitError

    def _list(self, declared: Any, raw: list[object], place: Place, unfit: Locations) -> list[Any]:
        """A list of objects. The items that fit are read all at once."""
        odd = {location[0] for location in unfit}
        fitting = to_json([item for index, item in enumerate(raw) if index not in odd])
        values = iter(adapter_of(on_the_wire(GenericAlias(list, declared))).validate_json(fitting))
        return [
            self._item(declared, item, place.below(index, varies=True), _below(unfit, (index,)))
            if index in odd
            else next(values)
            for index, item in enumerate(raw)
        ]

    def _item(self, declared: Any, raw: object, place: Place, unfit: Locations = ()) -> Any:
        """An item of a list of objects. What is no object becomes a model without any field."""
        try:
            return self.value(declared, raw, place, unfit)
        except UnfitError:
            mismatch = self._note(place, declared, json_type(raw))
        model = models_in(declared)[0]
        unset = dict.fromkeys(model.model_fields, mismatch)
        kept = _kept(raw, secret=self._secret)
        return no_object(model, Unread(self._label, (mismatch,), unset, {}, frozenset(), kept))

    def _best(self, members: tuple[Any, ...], raw: object, place: Place) -> Any:
        """The member of a union of which most is read; of several, the one with the fewest mismatches."""
        tried: list[tuple[int, int, Any, list[Mismatch]]] = []
        before = self.found
        for member in members:
            self.found = []
            try:
                value = self.value(member, raw, place)
            except UnfitError:
                continue
            tried.append((-len(names_read(value)), len(self.found), value, self.found))
        self.found = before
        if not tried:
            raise UnfitError
        *_, value, found = min(tried, key=lambda one: one[:2])
        self.found += found
        return value

    def _model(self, model: type[Model], raw: dict[str, object], place: Place, unfit: Locations) -> Model:
        first = len(self.found)
        odd: dict[tuple[str, ...], Mismatch] = {}
        kept: dict[str, Any] = {}
        if layout := layout_of(model, None if place else self._key):
            (raw, unknown, groups), unfit = layout.spread(raw), ()
            for at, name in groups.items():
                odd[at] = self._note(place.below(*at), dict, json_type(unknown[name]))
                kept[name] = _kept(unknown.pop(name), secret=self._secret)
            raw |= unknown
        values: dict[str, Any] = {}
        unset: dict[str, Mismatch] = {}
        aside: dict[str, Any] = {}
        given: set[str] = set()
        rest = dict(raw)
        for field in fields_of(model):
            key = next((key for key in field.keys if key in raw), None)
            before = len(self.found)
            path = layout.paths[field.name] if layout else field.path
            if key is None:
                if (group := next((at for at in odd if at == path[: len(at)]), None)) is not None:
                    unset[field.name] = odd[group]
                elif field.required:
                    unset[field.name] = self._note(place.below(*path), field.type, "missing")
                else:
                    values[field.name] = field.default
                continue
            try:
                here = _below(unfit, field.keys)
                value = self.value(field.type, raw[key], place, here, path=path, strict=field.strict)
            except UnfitError:
                unset[field.name] = self._note(place.below(*path), field.type, json_type(raw[key]))
                del rest[key]
                kept[key] = _kept(raw[key], secret=field.secret or self._secret)
                continue
            given.add(field.name)
            if len(self.found) > before and (has_choice(field.type) or _has_no_object(value)):
                aside[field.name] = kept[key] = value
                for one in models_in(field.type):
                    one.model_rebuild()  # pydantic 2.12 cannot dump a model whose build is deferred among extra fields
            else:
                values[field.name] = value
            del rest[key]
        secrets = {key for field in fields_of(model) if field.secret for key in field.keys}
        unknown = {key: _kept(item, secret=self._secret or key in secrets) for key, item in rest.items()}
        unread = Unread(self._label, tuple(self.found[first:]), unset, aside, frozenset(kept))
        return built(model, values, given | unknown.keys(), {**kept, **unknown}, unread)

    def _note(self, place: Place, declared: Any, received: str) -> Mismatch:
        mismatch = Mismatch(place, expected(declared), received)
        self.found.append(mismatch)
        return mismatch


def _kept(raw: object, *, secret: bool) -> object:
    return Hidden(raw) if secret else raw


def _has_no_object(value: object) -> bool:
    items: object = list(cast("dict[str, object]", value).values()) if isinstance(value, dict) else value
    return isinstance(items, list) and any(isinstance(item, NoObject) for item in cast("list[object]", items))


def names_read(value: object) -> set[str]:
    """The declared fields that the response had, and that were read."""
    if not isinstance(value, Model):
        return set()
    given = value.model_fields_set.intersection(type(value).model_fields)
    return {name for name in given if hasattr(value, name)}
