"""Compares the reading of a mutated response with that of the original: only the mutated place may differ.

The comparison descends to the innermost field that holds the mutated place, compares everything beside the way, and the
field itself with its expected reading.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast, get_args, get_origin

from pydantic import BaseModel

from tests.support.declared_types import declared_type, field_of, members, nouns
from tests.support.expected_reading import (
    MISSING,
    Expected,
    Fits,
    Items,
    Reading,
    Unfit,
    differences,
    dump_of,
    dumped,
    expected,
    item_reading,
    mismatches,
)
from tests.support.mutations import DELETED, Json, Mutation, Place, dotted
from tests.support.names import FIELD_NAMES

_ABSENT: Final[Any] = object()
UNAVAILABLE: Final = "unavailable"
"""Stands for the value of a field that cannot be read."""


@dataclass(slots=True)
class Comparison:
    """The differences found, and the reading that was expected at `owner`, the place of the mutated field."""

    mutation: Mutation
    found: list[str] = field(default_factory=list[str])
    owner: Place = ()
    raw_owner: Place = ()
    reading: Reading | None = None
    declared: Any = None
    holder: Any = None
    """The model that has the mutated field."""

    @property
    def expected(self) -> Sequence[Expected]:
        return [] if self.reading is None else mismatches(self.reading, self.owner)

    def value(self, before: Any, after: Any, declared: Any, raw: Json, at: Place = (), way: Place = ()) -> None:
        """Compare two values. `at` is their place by Python names, `way` the one by keys; the mutation is below."""
        key = self.mutation.place[len(way)]
        last = len(way) + 1 == len(self.mutation.place)
        here, there = (*at, key), (*way, key)
        match before:
            case BaseModel():
                self._model(before, after, raw, at, way)
            case list():
                assert isinstance(key, int)
                one, other = before, after
                self._same(one[:key] + one[key + 1 :], other[:key] + other[key + 1 :], at)
                [item] = _arguments(declared, list)
                if not last and isinstance(raw[key], dict):
                    self.value(one[key], other[key], item, raw[key], here, there)
                else:
                    self._compare(item_reading(item, self._new(raw[key], there)), other[key], item, here, there)
            case dict():
                entries, others = cast(dict[str, Any], before), cast(dict[str, Any], after)
                self._same(_without(entries, key), _without(others, key), at)
                [entry] = _arguments(declared, dict)
                if last and self.mutation.kind == DELETED:
                    self._compare(None, others.get(str(key), _ABSENT), entry, here, there)
                elif not last and descends(entries[str(key)], raw[key]):
                    self.value(entries[str(key)], others[str(key)], entry, raw[key], here, there)
                else:
                    self._compare(item_reading(entry, self._new(raw[key], there)), others[str(key)], entry, here, there)
            case _:
                raise AssertionError(f"{dotted(at)}: {before!r} has no parts")

    def _model(self, before: BaseModel, after: Any, raw: Mapping[str, Json], at: Place, way: Place) -> None:
        key = str(self.mutation.place[len(way)])
        last = len(way) + 1 == len(self.mutation.place)
        model, there = type(before), (*way, key)
        if type(after) is not model:
            self.found.append(f"{dotted(at)}: expected a {model.__name__}, got {after!r:.200}")
            return
        self.holder = after
        name = field_of(model, key)
        for other in model.model_fields:
            if other != name:
                self._same(_get(before, other), _get(after, other), (*at, other))
        self._same(_without(before.model_extra or {}, key), _without(after.model_extra or {}, key), at)
        if before.model_fields_set - {name, key} != after.model_fields_set - {name, key}:
            self.found.append(f"{dotted(at)}: other fields are set")
        if name is None:
            self._extra(key, raw[key], after, (*at, key), there)
            return
        here, declared = (*at, name), declared_type(model.model_fields[name])
        if last and self.mutation.kind == DELETED:
            required = model.model_fields[name].is_required()
            reading = Unfit(None, nouns(declared), MISSING) if required else None
            default = _ABSENT if required else model.model_fields[name].get_default()
            if reading is None:
                self._same(default, _get(after, name), here)
            self._compare(reading, _get(after, name), declared, here, there)
        elif not last and descends(_get(before, name), raw[key]):
            self.value(_get(before, name), _get(after, name), declared, raw[key], here, there)
        else:
            self._compare(expected(declared, self._new(raw[key], there)), _get(after, name), declared, here, there)
            if isinstance(self.reading, Unfit) and key not in (after.model_extra or {}):
                self.found.append(f"{dotted(here)}: the key is not in model_extra")

    def _extra(self, key: str, raw: Json, after: BaseModel, at: Place, way: Place) -> None:
        """An undeclared field is kept as it came."""
        found = (after.model_extra or {}).get(key, _ABSENT)
        if len(way) == len(self.mutation.place) and self.mutation.kind == DELETED:
            self._compare(None, found, Any, at, way)
            self._same(_ABSENT, found, at)
        else:
            self._compare(expected(Any, self._new(raw, way)), found, Any, at, way)

    def _compare(self, reading: Reading | None, actual: Any, declared: Any, at: Place, way: Place) -> None:
        """The mutated field is found. Without a reading it was deleted and need not be there."""
        self.owner, self.raw_owner, self.reading, self.declared = at, way, reading, declared
        if isinstance(reading, Unfit):
            if actual != UNAVAILABLE:
                self.found.append(f"{dotted(at)}: {actual!r:.200} is available")
        elif reading is not None:
            self.found += differences(reading, actual, at)

    def items(self, declared: Any, raw: Sequence[Json], items: Sequence[Any]) -> None:
        """All items of a page were replaced."""
        reading = Items([item_reading(declared, item) for item in raw])
        self._compare(reading, items, list[declared], ("items",), ("items",))

    def field_of_page(self, reading: Reading | None, actual: Any, declared: Any, name: str, key: str) -> None:
        """A field of a page was replaced or deleted."""
        self._compare(reading, actual, declared, (name,), (key,))

    def _new(self, raw: Json, way: Place) -> Json:
        return Mutation(self.mutation.place[len(way) :], self.mutation.kind).apply(raw)

    def _same(self, before: Any, after: Any, at: Place) -> None:
        if not same(before, after):
            self.found.append(f"{dotted(at)}: {before!r:.200} became {after!r:.200} beside the mutation")


def descends(value: Any, raw: Json) -> bool:
    """Whether parts of a value are fields of their own: those of models, lists of models and maps of models."""
    match value:
        case BaseModel():
            return isinstance(raw, dict)
        case list():
            return bool(value) and all(isinstance(item, BaseModel) for item in value)
        case dict():
            return bool(value) and all(isinstance(item, BaseModel) for item in cast(dict[str, Any], value).values())
        case _:
            return False


def _arguments(declared: Any, kind: type) -> Sequence[Any]:
    """The types of the items of the lists, or of the values of the maps, in a type."""
    return [get_args(member)[-1] for member in members(declared) if get_origin(member) is kind]


def _get(model: BaseModel, name: str) -> Any:
    return getattr(model, name, UNAVAILABLE)


def _without(values: Mapping[Any, Any], key: object) -> dict[Any, Any]:
    return {name: value for name, value in values.items() if name != key}


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of one type."""
    return type(one) is type(other) and one == other


# Dumps.


def normalized(data: Json) -> Json:
    """A dump with the keys of Python: spellings of keys are no differences."""
    match data:
        case dict():
            return {
                FIELD_NAMES.get(key, key.replace("-", "_")): normalized(value)
                for key, value in cast(dict[str, Json], data).items()
            }
        case list():
            return [normalized(item) for item in data]
        case _:
            return data


def with_part(data: Json, way: Sequence[str | int], part: Json) -> Json:
    """A copy of a normalized dump with another part; `_ABSENT` removes it."""
    if not way:
        return part
    key, *rest = way
    key = FIELD_NAMES.get(key, key.replace("-", "_")) if isinstance(key, str) else key
    copied: Any = data.copy()
    if not rest and part is _ABSENT:
        copied.pop(key, None)
    else:
        copied[key] = with_part(copied.get(key) if isinstance(copied, dict) else copied[key], rest, part)
    return copied


def part_of_dump(comparison: Comparison) -> Json:
    """The dump of the mutated field, without defaults."""
    reading = comparison.reading
    if reading is None or (isinstance(reading, Unfit) and reading.received == MISSING):
        return _ABSENT
    return normalized(dumped(reading))


def part_of_whole_dump(comparison: Comparison) -> Json | None:
    """The dump of the mutated field with all defaults; None where that is not simple to tell."""
    reading = comparison.reading
    match reading:
        case Fits(value):
            return normalized(dump_of(comparison.declared, value))
        case Unfit(raw, _, received):
            return _ABSENT if received == MISSING else normalized(raw)
        case _:
            return None
