"""The declared types of models, as the tolerant reader needs them."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, cast, get_args, get_origin

from pydantic import AliasChoices, ConfigDict, TypeAdapter

from .model import Model, SecretText, UnknownStr


class Field(NamedTuple):
    """A field of a model.

    `keys` are its keys on the wire in the order of their precedence, `path` its place in the object. A `strict` one
    reads no string as a number, and no boolean either.
    """

    name: str
    keys: tuple[str, ...]
    type: Any
    required: bool
    default: Any
    secret: bool
    strict: bool
    path: tuple[str, ...]


@cache
def fields_of(model: type[Model]) -> tuple[Field, ...]:
    """The fields of a model, in their order."""
    found: list[Field] = []
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        keys = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        annotation: Any = info.annotation
        declared: Any = Annotated[(annotation, *info.metadata)] if info.metadata else annotation
        wire = tuple(dict.fromkeys([*cast("list[str]", keys), name]))
        secret, strict = SecretText in classes_in(declared), bool(model.model_config.get("strict"))
        path = tuple(wire[0].split(".")) if "." in wire[0] else (name,)
        found.append(Field(name, wire, declared, info.is_required(), info.default, secret, strict, path))
    return tuple(found)


@cache
def resolved(declared: Any) -> Any:
    """The type behind an alias or an annotation."""
    while hasattr(declared, "__value__") or get_origin(declared) is Annotated:
        declared = declared.__value__ if hasattr(declared, "__value__") else get_args(declared)[0]
    return declared


@cache
def classes_in(declared: Any) -> tuple[type, ...]:
    """All classes in a type."""
    declared = resolved(declared)
    if isinstance(declared, type) and get_origin(declared) is None:
        return (declared,)
    return tuple(one for part in get_args(declared) for one in classes_in(part))


@cache
def models_in(declared: Any) -> tuple[type[Model], ...]:
    """All models in a type. A type without any is read as a whole."""
    return tuple(one for one in classes_in(declared) if issubclass(one, Model))


@cache
def adapter_of(declared: Any, *, strict: bool = False) -> TypeAdapter[Any]:
    """Reads a type; built once. Models have their own strictness."""
    return TypeAdapter(declared, config=ConfigDict(strict=True) if strict and not models_in(declared) else None)


@cache
def members_of(declared: Any) -> tuple[Any, ...]:
    """The members of a union, without None; none for another type."""
    members = get_args(declared) if get_origin(declared) in (Union, UnionType) else ()
    return tuple(one for one in members if one is not NoneType)


def has_choice(declared: Any) -> bool:
    """Whether a type, or the type of its items, is a union of several. Its dump warns of a model without all fields."""
    declared = resolved(declared)
    return len(members_of(declared)) > 1 or any(has_choice(part) for part in get_args(declared))


@cache
def expected(declared: Any) -> str:
    """The type in the terms of JSON, such as `string or null`."""
    declared = resolved(declared)
    if members_of(declared):
        members = [one for one in get_args(declared) if not (_closed(one) and UnknownStr in get_args(declared))]
        # Sorted: unions are equal in any order, so the cache does not tell which order it holds.
        return " or ".join(sorted({expected(one) for one in members}, key=lambda name: (name == "null", name)))
    if _closed(declared):
        return f"one of {', '.join(get_args(declared))}" if any(get_args(declared)) else "empty string"
    return _EXPECTED.get(get_origin(declared) or declared, "object")


def _closed(declared: Any) -> bool:
    return get_origin(declared) is Literal


def json_type(value: object) -> str:
    """The JSON type of a value that was read from JSON."""
    return _JSON_TYPES[type(value)]


_JSON_TYPES: Final[dict[type, str]] = {
    NoneType: "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
_EXPECTED: Final[dict[Any, str]] = {
    **_JSON_TYPES,
    int: "integer",
    datetime: "timestamp",
    date: "date",
    SecretText: "string",
    UnknownStr: "string",
}
