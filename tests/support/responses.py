"""Responses derived from the facts, with a unique value per field, and the expected Python results.

Every successful response of an operation has four variants, so that each field is present, present under its other
spelling, null, and absent:

    full    all fields, under the observed names
    other   all fields, under the documented names, with undocumented values for open enums
    null    required fields only, null where allowed
    bare    required fields only, without those missing in practice
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal, TypeAlias, cast

from tests.support.facts import Field, Operation, Shape, Success

Detail: TypeAlias = Literal["full", "other", "null", "bare"]
DETAILS: Final[tuple[Detail, ...]] = ("full", "other", "null", "bare")


@dataclass(frozen=True, slots=True)
class Same:
    """This value, of this type. `unknown`: whether it is an `UnknownStr`; None accepts both."""

    value: object
    type: type = object
    unknown: bool | None = False


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of this model with exactly these fields, all of them declared; without a name of any model."""

    model: str
    fields: Mapping[str, Expectation]


@dataclass(frozen=True, slots=True)
class Items:
    items: Sequence[Expectation]


@dataclass(frozen=True, slots=True)
class Entries:
    entries: Mapping[str, Expectation]


Expectation: TypeAlias = Same | Instance | Items | Entries
NOTHING: Final = Same(None, type(None))


@dataclass(frozen=True, slots=True)
class Sample:
    """One response: its status, its body, and the expected result.

    For a list, `expected` are the items; `page` creates the body of a page from them.
    """

    status: int
    body: bytes
    expected: Expectation


class MismatchError(AssertionError):
    """A value differs from the expected one; the message begins with its location."""


def samples(operation: Operation) -> list[Sample]:
    """The responses of an operation: every success in every variant; for a list one page with all variants."""
    maker = Maker()
    return [sample for success in operation.successes for sample in _samples(success, maker)]


def _samples(success: Success, maker: Maker) -> Iterator[Sample]:
    if success.shape is None:
        empty = (b"",) if success.status == 204 else (b'""', b"", b"done")
        yield from (Sample(success.status, body, NOTHING) for body in empty)
    elif success.form in {"object", "map"}:
        for detail in DETAILS:
            wire, expected = maker.value(success.shape, "", detail)
            yield Sample(success.status, json.dumps(wire).encode(), expected)
    else:
        made = [maker.value(success.shape, "", detail) for detail in DETAILS]
        body = [wire for wire, _ in made]
        yield Sample(success.status, json.dumps(body).encode(), Items([expected for _, expected in made]))


class Maker:
    """Creates values, each of them unique."""

    def __init__(self) -> None:
        self._count = 0

    def value(self, shape: Shape, name: str, detail: Detail) -> tuple[Any, Expectation]:
        """The value on the wire, and the expected Python value."""
        if shape.kind == "object":
            return self._object(shape, detail)
        if shape.kind == "union":
            variant = shape.variants[DETAILS.index(detail) % len(shape.variants)]
            return self.value(variant, name, detail)
        if shape.kind == "list" and shape.items:
            made = [self.value(shape.items, name, detail) for _ in range(2)]
            return [wire for wire, _ in made], Items([expected for _, expected in made])
        if shape.kind == "map" and shape.items:
            entries = {f"{name or 'key'}.{n}": self.value(shape.items, name, detail) for n in range(2)}
            wires = {key: wire for key, (wire, _) in entries.items()}
            return wires, Entries({key: expected for key, (_, expected) in entries.items()})
        return self._scalar(shape, name, detail)

    def _object(self, shape: Shape, detail: Detail) -> tuple[Any, Expectation]:
        wires: dict[str, Any] = {}
        expected: dict[str, Expectation] = {}
        for field in shape.fields:
            if _absent(field, detail):
                expected[field.name] = NOTHING
                continue
            spelling = field.spellings[-1 if detail in {"other", "bare"} else 0]
            if _null(field, detail):
                wires[spelling], expected[field.name] = None, NOTHING
            else:
                wires[spelling], expected[field.name] = self.value(field.shape, field.name, detail)
        if shape.model:
            return wires, Instance(shape.model, expected)
        return wires, Entries({field.spellings[0]: expected[field.name] for field in shape.fields})

    def _scalar(self, shape: Shape, name: str, detail: Detail) -> tuple[Any, Expectation]:
        self._count += 1
        number = self._count
        match shape.kind:
            case "integer":
                return number, Same(number, int)
            case "number":
                return number + 0.5, Same(number + 0.5, float)
            case "boolean":
                bit = bool(number >> DETAILS.index(detail) & 1)
                return bit, Same(bit, bool)
            case "id":
                text = f"{number:08x}-0000-4000-8000-000000000000"
                return text, Same(text, str)
            case "date-time":
                moment = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC) + timedelta(hours=number)
                zone = timezone(timedelta(hours=-7)) if detail == "other" else UTC
                text = moment.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                return text, Same(moment, datetime)
            case "any":
                value = number if name.endswith("id") else f"{name}-{number}"
                return value, Same(value)
            case _ if shape.known and shape.open and detail == "other":
                return f"unheard-of-{number}", Same(f"unheard-of-{number}", str, unknown=True)
            case _ if shape.known:
                return shape.known[number % len(shape.known)], Same(shape.known[number % len(shape.known)], str)
            case _:
                return f"{name}-{number} é", Same(f"{name}-{number} é", str, unknown=None)


def _absent(field: Field, detail: Detail) -> bool:
    return (detail == "bare" and (not field.required or field.missing)) or (
        detail == "null" and not field.required and not field.nullable
    )


def _null(field: Field, detail: Detail) -> bool:
    return detail in {"null", "bare"} and (field.nullable or field.missing)


def check(expected: Expectation, actual: Any, place: str, models: str) -> None:
    """Fail on differences. `models` is the module of the models of the response."""
    match expected:
        case Same():
            _check_value(expected, actual, place)
        case Instance():
            _check_instance(expected, actual, place, models)
        case Items(items):
            values = cast(list[Any], actual)
            if type(actual) is not list or len(values) != len(items):
                raise MismatchError(f"{place}: expected a list of {len(items)}, not {actual!r}")
            for number, (item, value) in enumerate(zip(items, values, strict=True)):
                check(item, value, f"{place}[{number}]", models)
        case Entries(entries):
            mapping = cast(dict[str, Any], actual)
            if type(actual) is not dict or set(mapping) != set(entries):
                raise MismatchError(f"{place}: expected a dict with {sorted(entries)}, not {actual!r}")
            for key, entry in entries.items():
                check(entry, mapping[key], f"{place}[{key!r}]", models)


def _check_value(expected: Same, actual: object, place: str) -> None:
    kind = expected.type
    fits = isinstance(actual, kind) and not (kind in {int, float} and type(actual) is not kind)
    if not fits or actual != expected.value:
        raise MismatchError(
            f"{place}: expected {kind.__name__} {expected.value!r}, not {type(actual).__name__} {actual!r}"
        )
    if isinstance(actual, datetime) and actual.tzinfo is None:
        raise MismatchError(f"{place}: {actual!r} has no time zone")
    if expected.unknown not in {None, type(actual).__name__ == "UnknownStr"}:
        raise MismatchError(f"{place}: {actual!r} is {'not ' if expected.unknown else ''}marked as unknown")


def _check_instance(expected: Instance, actual: object, place: str, models: str) -> None:
    kind = type(actual)
    if kind.__module__ != models or kind.__name__ != (expected.model or kind.__name__):
        raise MismatchError(f"{place}: expected {models}.{expected.model}, not {kind.__module__}.{kind.__name__}")
    if mismatches := getattr(actual, "mismatches", ()):
        raise MismatchError(f"{place}: {kind.__name__} has the mismatches {mismatches}")
    declared: Mapping[str, object] = getattr(kind, "model_fields", {})
    for name, field in expected.fields.items():
        if name not in declared:
            raise MismatchError(f"{place}: {kind.__name__} declares no field {name}")
        check(field, getattr(actual, name), f"{place}.{name}", models)
    extra: Mapping[str, object] = getattr(actual, "model_extra", None) or {}
    if extra:
        raise MismatchError(f"{place}: {kind.__name__} does not declare {sorted(extra)}")
