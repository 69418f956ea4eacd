"""What tolerant reading makes of a JSON value: derived from a declared type with plain pydantic, not from the SDK.

`expected(declared, raw)` gives the reading of a value, `differences(reading, actual)` the differences to the value that
a call returned. The declared types are the public annotations of the models.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, cast, get_args, get_origin

from pydantic import AliasChoices, BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from circleci_sdk import FieldUnavailableError
from tests.support.mutations import Json, Place, dotted, encoded, json_type

MISSING: Final = "missing"
_ABSENT: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Expected:
    """One mismatch: its place below the value, the JSON types that were expected, and the one that came."""

    place: Place
    expected: frozenset[str]
    received: str


@dataclass(frozen=True, slots=True)
class Fits:
    """A value of the declared type."""

    value: Any
    dumped: Json


@dataclass(frozen=True, slots=True)
class Unfit:
    """No value of the declared type. `received` is a JSON type, or `missing`."""

    raw: Json
    expected: frozenset[str]
    received: str


@dataclass(frozen=True, slots=True)
class Bare:
    """A model without any field, in place of an item that is no object."""

    raw: Json
    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Object:
    """A model whose fields were read one by one. `keys` are the keys of the fields in the raw object."""

    raw: Mapping[str, Json]
    model: type[BaseModel]
    fields: Mapping[str, Reading]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of models, read one by one."""

    items: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Entries:
    """A map of models, read one by one."""

    entries: Mapping[str, Reading]


Reading: TypeAlias = Fits | Unfit | Bare | Object | Items | Entries


def expected(declared: Any, raw: Json) -> Reading:
    """The reading of a value of this declared type."""
    number = int(raw) if isinstance(raw, float) and raw.is_integer() else raw  # JSON has no other integers
    try:
        value = _adapter(declared).validate_json(encoded(number))
    except ValidationError:
        pass
    else:
        return Fits(value, dump_of(declared, value, exclude_unset=True))
    candidates = [reading for member in members(declared) for reading in _parts(member, raw)]
    return min(candidates, key=_preference, default=_unfit(declared, raw))


def _preference(reading: Reading) -> tuple[int, int]:
    """Of the members of a union the one is taken of which most fields are read, then the one with fewer mismatches."""
    fields = reading.fields.values() if isinstance(reading, Object) else ()
    return -sum(not isinstance(part, Unfit) for part in fields), len(mismatches(reading))


def _parts(member: Any, raw: Json) -> Iterator[Reading]:
    """The reading of an object or an array of objects, part by part."""
    origin = get_origin(member)
    if isinstance(raw, dict):
        if is_model(member):
            yield _object(member, cast(dict[str, Json], raw))
        elif origin is dict and models_in(get_args(member)[1]):
            entries = cast(dict[str, Json], raw)
            yield Entries({key: item_reading(get_args(member)[1], entry) for key, entry in entries.items()})
    elif isinstance(raw, list) and origin is list and models_in(get_args(member)[0]):
        yield Items([item_reading(get_args(member)[0], item) for item in raw])


def item_reading(declared: Any, raw: Json) -> Reading:
    """The reading of an item of a list or a map of objects."""
    reading = expected(declared, raw)
    return Bare(raw, models_in(declared)[0]) if isinstance(reading, Unfit) else reading


def _object(model: type[BaseModel], raw: Mapping[str, Json]) -> Object:
    fields: dict[str, Reading] = {}
    keys: dict[str, str] = {}
    for name, field in model.model_fields.items():
        key = next((key for key in spellings(name, field) if key in raw), None)
        if key is not None:
            keys[name] = key
            fields[name] = expected(declared_type(field), raw[key])
        elif field.is_required():
            fields[name] = Unfit(_ABSENT, nouns(declared_type(field)), MISSING)
    return Object(raw, model, fields, keys)


def _unfit(declared: Any, raw: Json) -> Unfit:
    return Unfit(raw, nouns(declared), json_type(raw))


# Declared types.


@cache
def _adapter(declared: Any) -> TypeAdapter[Any]:
    """A number is no string and no boolean. Models are strict themselves."""
    return TypeAdapter(declared, config=None if models_in(declared) else {"strict": True})


def declared_type(field: FieldInfo) -> Any:
    """The type of a field with its metadata."""
    return Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation


def spellings(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The keys of a field on the wire, and its name."""
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias or field.alias]
    return tuple(dict.fromkeys([*(choice for choice in choices if isinstance(choice, str)), name]))


def field_of(model: type[BaseModel], key: str) -> str | None:
    """The name of the field that a key belongs to."""
    return next((name for name, field in model.model_fields.items() if key in spellings(name, field)), None)


def members(declared: Any) -> Sequence[Any]:
    """The members of a union without None, flat; of any other type the type itself."""
    if hasattr(declared, "__value__"):
        return members(declared.__value__)
    if get_origin(declared) in {Union, types.UnionType}:
        return [inner for member in get_args(declared) for inner in members(member)]
    if get_origin(declared) is Annotated and get_args(declared)[0] is not datetime:
        return members(get_args(declared)[0])
    return [] if declared is types.NoneType else [declared]


def is_model(declared: Any) -> bool:
    return isinstance(declared, type) and issubclass(declared, BaseModel)


def models_in(declared: Any) -> Sequence[type[BaseModel]]:
    """The models among the members of a type."""
    return [member for member in members(declared) if is_model(member)]


def nouns(declared: Any) -> frozenset[str]:
    """The JSON types of a declared type."""
    return frozenset([_noun(member) for member in members(declared)] + (["null"] if _is_nullable(declared) else []))


def _is_nullable(declared: Any) -> bool:
    try:
        _adapter(declared).validate_json(b"null")
    except ValidationError:
        return False
    return True


def nouns_in(expected: str) -> frozenset[str]:
    """The JSON types in the text of a mismatch. Of a string it may list the admitted values."""
    parts = expected.split(" or ")
    return frozenset("string" if part.startswith("one of ") or part == "empty string" else part for part in parts)


def _noun(member: Any) -> str:
    origin = get_origin(member)
    if origin is Annotated and get_args(member)[0] is datetime:
        return "timestamp"
    if origin is Literal or (isinstance(member, type) and issubclass(member, str)):
        return "string"
    if origin is list:
        return "array"
    if origin is dict or is_model(member):
        return "object"
    return {bool: "boolean", int: "integer", float: "number"}[member]


# Readings.


def mismatches(reading: Reading, place: Place = ()) -> Sequence[Expected]:
    """All mismatches in a reading, below `place`. Fields go by their names in Python."""
    match reading:
        case Fits():
            return []
        case Unfit(_, nouns, received):
            return [Expected(place, nouns, received)]
        case Bare(raw, _):
            return [Expected(place, frozenset({"object"}), json_type(raw))]
        case Object():
            parts: Sequence[tuple[str | int, Reading]] = list(reading.fields.items())
        case Items():
            parts = list(enumerate(reading.items))
        case Entries():
            parts = list(reading.entries.items())
    return [found for key, part in parts for found in mismatches(part, (*place, key))]


def differences(reading: Reading, actual: Any, place: Place = ()) -> Iterator[str]:
    """Differences between a reading and the value that a call returned."""
    match reading:
        case Fits(value):
            if type(actual) is not type(value) or actual != value:
                yield f"{dotted(place)}: expected {value!r:.200}, got {actual!r:.200}"
        case Unfit():
            yield f"{dotted(place)}: {actual!r:.200} is available"
        case Bare(_, model):
            yield from _in_bare(model, actual, place)
        case Object():
            yield from _in_object(reading, actual, place)
        case Items(items):
            if not isinstance(actual, list) or len(actual) != len(items):
                yield f"{dotted(place)}: expected a list of {len(items)}, got {actual!r:.200}"
                return
            for number, (item, value) in enumerate(zip(items, actual, strict=True)):
                yield from differences(item, value, (*place, number))
        case Entries(entries):
            if not isinstance(actual, dict) or list(cast(dict[str, Any], actual)) != list(entries):
                yield f"{dotted(place)}: expected a dict with {list(entries)}, got {actual!r:.200}"
                return
            for key, entry in entries.items():
                yield from differences(entry, cast(dict[str, Any], actual)[key], (*place, key))


def _in_bare(model: type[BaseModel], actual: Any, place: Place) -> Iterator[str]:
    if not isinstance(actual, model):
        yield f"{dotted(place)}: expected a {model.__name__} without fields, got {actual!r:.200}"
        return
    for name in model.model_fields:
        yield from unavailable(actual, name, place)


def _in_object(reading: Object, actual: Any, place: Place) -> Iterator[str]:
    if type(actual) is not reading.model:
        yield f"{dotted(place)}: expected a {reading.model.__name__}, got {actual!r:.200}"
        return
    for name in reading.model.model_fields:
        part = reading.fields.get(name)
        if isinstance(part, Unfit):
            yield from unavailable(actual, name, (*place, name))
        elif part is not None:
            yield from differences(part, getattr(actual, name, "unavailable"), (*place, name))
        elif getattr(actual, name, _ABSENT) != reading.model.model_fields[name].get_default():
            yield f"{dotted((*place, name))}: expected its default"
    extra = {key: raw for key, raw in reading.raw.items() if key not in reading.keys.values()}
    kept = {key: value for key, value in (actual.model_extra or {}).items() if key in extra}
    if kept != extra:
        yield f"{dotted(place)}: lost {sorted(extra.keys() - kept.keys()) or 'values'} in model_extra"


def unavailable(model: Any, name: str, place: Place) -> Iterator[str]:
    """What differs from a field that is unavailable."""
    if hasattr(model, name):
        yield f"{dotted(place)}: hasattr is True, the field is {getattr(model, name)!r:.200}"
    if getattr(model, name, _ABSENT) is not _ABSENT:
        yield f"{dotted(place)}: getattr gives no default"
    try:
        getattr(model, name)
    except FieldUnavailableError as error:
        if error.place != dotted(place):
            yield f"{dotted(place)}: the error has the place {error.place!r}"
    except AttributeError as error:
        yield f"{dotted(place)}: raised {error!r}"


def dumped(reading: Reading) -> Json:
    """The dump of a reading with wire names: raw values where nothing fits. Defaults are left out."""
    match reading:
        case Fits():
            return reading.dumped
        case Unfit(raw) | Bare(raw):
            return raw
        case Object():
            return dict(reading.raw) | {key: dumped(reading.fields[name]) for name, key in reading.keys.items()}
        case Items(items):
            return [dumped(item) for item in items]
        case Entries(entries):
            return {key: dumped(entry) for key, entry in entries.items()}


def dump_of(declared: Any, value: Any, **options: Any) -> Json:
    """The dump of a value of a declared type with wire names. Infinity, which JSON does not have, stays."""
    return _dumper(declared).dump_python(value, mode="json", by_alias=True, **options)


@cache
def _dumper(declared: Any) -> TypeAdapter[Any]:
    return _adapter(declared) if is_model(declared) else TypeAdapter(declared, config={"ser_json_inf_nan": "constants"})
