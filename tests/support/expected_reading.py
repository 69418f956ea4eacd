"""What tolerant reading makes of a JSON value: derived from a declared type with plain pydantic, not from the SDK.

`expected(declared, raw)` gives the reading of a value, `differences(reading, actual)` the differences to the value that
a call returned. The declared types are the public annotations of the models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias, cast, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from circleci_sdk import FieldUnavailableError
from tests.support.declared_types import (
    adapter,
    declared_type,
    flattened,
    is_entity,
    is_model,
    members,
    models_in,
    nouns,
    path_of,
    spellings,
    spread,
)
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
    """No value of the declared type. `received` is a JSON type, or `missing`.

    `at` is the place below the object, if that is not the place of the field: that of an object around it.
    """

    raw: Json
    expected: frozenset[str]
    received: str
    at: Place = ()


@dataclass(frozen=True, slots=True)
class Bare:
    """A model without any field, in place of an item that is no object."""

    raw: Json
    model: type[BaseModel]


@dataclass(frozen=True, slots=True)
class Object:
    """A model whose fields were read one by one. `keys` are the keys of the fields in the raw object.

    The raw object of an entity of API v3 is flat, see `spread`; `way` leads to it in a body.
    """

    raw: Mapping[str, Json]
    model: type[BaseModel]
    fields: Mapping[str, Reading]
    keys: Mapping[str, str]
    way: Place = ()


@dataclass(frozen=True, slots=True)
class Items:
    """A list of models, read one by one."""

    items: Sequence[Reading]


@dataclass(frozen=True, slots=True)
class Entries:
    """A map of models, read one by one."""

    entries: Mapping[str, Reading]


Reading: TypeAlias = Fits | Unfit | Bare | Object | Items | Entries


def expected(declared: Any, raw: Json, key: str = "") -> Reading:
    """The reading of a value of this declared type; with a key that of a body with an entity."""
    number = int(raw) if isinstance(raw, float) and raw.is_integer() else raw  # JSON has no other integers
    flat, whole = flattened(declared, number, key)
    try:
        value = adapter(declared).validate_json(encoded(flat)) if whole else None
    except ValidationError:
        whole = False
    if whole:
        return Fits(value, dump_of(declared, value, exclude_unset=True))
    candidates = [reading for member in members(declared) for reading in _parts(member, raw, key)]
    return min(candidates, key=_preference, default=_unfit(declared, raw))


def _preference(reading: Reading) -> tuple[int, int]:
    """Of the members of a union the one is taken of which most fields are read, then the one with fewer mismatches."""
    fields = reading.fields.values() if isinstance(reading, Object) else ()
    return -sum(not isinstance(part, Unfit) for part in fields), len(mismatches(reading))


def _parts(member: Any, raw: Json, key: str = "") -> Iterator[Reading]:
    """The reading of an object or an array of objects, part by part."""
    origin = get_origin(member)
    if isinstance(raw, dict):
        if is_model(member):
            yield _object(member, cast(dict[str, Json], raw), key)
        elif origin is dict and models_in(get_args(member)[1]):
            entries = cast(dict[str, Json], raw)
            yield Entries({name: item_reading(get_args(member)[1], entry) for name, entry in entries.items()})
    elif isinstance(raw, list) and origin is list and models_in(get_args(member)[0]):
        yield Items([item_reading(get_args(member)[0], item) for item in raw])


def item_reading(declared: Any, raw: Json) -> Reading:
    """The reading of an item of a list or a map of objects."""
    reading = expected(declared, raw)
    return Bare(raw, models_in(declared)[0]) if isinstance(reading, Unfit) else reading


def _object(model: type[BaseModel], raw: Mapping[str, Json], outer: str = "") -> Object:
    fields: dict[str, Reading] = {}
    keys: dict[str, str] = {}
    odd: Mapping[Place, Json] = {}
    way: Place = (outer,) if outer else ()
    if outer or is_entity(model):
        raw, odd = spread(model, raw, outer)
    for name, field in model.model_fields.items():
        around = next((at for at in odd if at == (*way, *path_of(name, field))[: len(at)]), None)
        if around is not None:
            fields[name] = Unfit(_ABSENT, frozenset({"object"}), json_type(odd[around]), around)
            continue
        key = next((key for key in spellings(name, field) if key in raw), None)
        if key is not None:
            keys[name] = key
            fields[name] = expected(declared_type(field), raw[key])
        elif field.is_required():
            fields[name] = Unfit(_ABSENT, nouns(declared_type(field)), MISSING)
    return Object(raw, model, fields, keys, way)


def _unfit(declared: Any, raw: Json) -> Unfit:
    return Unfit(raw, nouns(declared), json_type(raw))


# Readings.


def mismatches(reading: Reading, place: Place = ()) -> Sequence[Expected]:
    """All mismatches in a reading, below `place`. Fields go by their names in Python."""
    match reading:
        case Fits():
            return []
        case Unfit(_, nouns, received, _):
            return [Expected(place, nouns, received)]
        case Bare(raw, _):
            return [Expected(place, frozenset({"object"}), json_type(raw))]
        case Object():
            parts: Sequence[tuple[Place, Reading]] = [
                (place_of(reading, name), part) for name, part in reading.fields.items()
            ]
        case Items():
            parts = [((number,), item) for number, item in enumerate(reading.items)]
        case Entries():
            parts = [((key,), entry) for key, entry in reading.entries.items()]
    return [found for way, part in parts for found in mismatches(part, (*place, *way))]


def place_of(reading: Object, name: str) -> Place:
    """The place of a field in a response, below the object."""
    part = reading.fields.get(name)
    around = part.at if isinstance(part, Unfit) else ()
    return around or (*reading.way, *path_of(name, reading.model.model_fields[name]))


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
        part, here = reading.fields.get(name), (*place, *place_of(reading, name))
        if isinstance(part, Unfit):
            yield from unavailable(actual, name, here)
        elif part is not None:
            yield from differences(part, getattr(actual, name, "unavailable"), here)
        elif getattr(actual, name, _ABSENT) != reading.model.model_fields[name].get_default():
            yield f"{dotted(here)}: expected its default"
    extra = {key: raw for key, raw in reading.raw.items() if key not in reading.keys.values()}
    kept = {key: getattr(value, "raw", value) for key, value in (actual.model_extra or {}).items() if key in extra}
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
    if isinstance(value, BaseModel):  # an adapter dumps infinity in a value of any type as null
        return value.model_dump(mode="json", by_alias=True, **options)
    return _dumper(declared).dump_python(value, mode="json", by_alias=True, **options)


@cache
def _dumper(declared: Any) -> TypeAdapter[Any]:
    return adapter(declared) if is_model(declared) else TypeAdapter(declared, config={"ser_json_inf_nan": "constants"})
