"""The declared types of models, as tests read them: members, models, and entities of API v3 in their flat form.

Nothing here comes from the SDK but the annotations and aliases of its models.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import AliasChoices, BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tests.support.mutations import Json, Place, dotted


@cache
def adapter(declared: Any) -> TypeAdapter[Any]:
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
        adapter(declared).validate_json(b"null")
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


# Entities of API v3.


def path_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The place of a field in its object: the name of the field, or its alias if that has dots."""
    alias = field.validation_alias
    return tuple(alias.split(".")) if isinstance(alias, str) and "." in alias else (name,)


@cache
def is_entity(model: type[BaseModel]) -> bool:
    """Whether fields of a model are at places in inner objects."""
    return any(len(path_of(name, field)) > 1 for name, field in model.model_fields.items())


def spread(model: type[BaseModel], raw: Mapping[str, Json], key: str = "") -> tuple[dict[str, Json], dict[Place, Json]]:
    """An entity in its flat form, and the objects around its fields that are no objects, by their places.

    With a key it is the entity in a body, which may have more members. The key is in no name.
    Members are by the names of their fields; unknown ones by their own names, or by their places if these are taken
    or more than one object is around them; objects around fields by their places. Dots before a place make it different
    from names that are taken.
    """
    outer = (key,) if key else ()
    paths = {(*outer, *path_of(name, field)): name for name, field in model.model_fields.items()}
    around = {path[:depth] for path in paths for depth in range(1, len(path))}
    taken = {*model.model_fields, *(dotted(path[len(outer) :]) for path in paths)}
    flat: dict[str, Json] = {}
    odd: dict[Place, Json] = {}
    waiting: list[tuple[Place, Mapping[str, Json]]] = [((), raw)]
    for place, members in waiting:
        for name, value in members.items():
            here = (*place, name)
            if here in paths:
                flat[paths[here]] = value
            elif here in around and isinstance(value, dict):
                waiting.append((here, cast(dict[str, Json], value)))
            elif here not in around or value is not None:
                short = here[len(outer) :] if place else here
                unique = dotted(short) if len(short) > 2 or here in around or name in taken else name
                while unique in taken:
                    unique = f".{unique}"
                taken.add(unique)
                flat[unique] = value
                if here in around:
                    odd[here] = value
    return flat, odd


def flattened(declared: Any, raw: Json, key: str = "") -> tuple[Json, bool]:
    """A value with all entities in it in their flat form, and whether each object around a field is an object.

    With a key it is the body with the entity.
    """
    whole = True

    def flat(declared: Any, value: Json, key: str = "") -> Json:
        nonlocal whole
        for member in members(declared):
            if isinstance(value, dict) and is_model(member):
                made = cast(dict[str, Json], value)
                if key or is_entity(member):
                    made, odd = spread(member, made, key)
                    whole = whole and not odd
                types = {name: declared_type(field) for name, field in member.model_fields.items()}
                return {name: flat(types[name], item) if name in types else item for name, item in made.items()}
            if isinstance(value, list) and get_origin(member) is list:
                return [flat(get_args(member)[0], item) for item in value]
        return value

    return (flat(declared, raw, key), whole) if key or has_entities(declared) else (raw, True)


@cache
def has_entities(declared: Any) -> bool:
    """Whether a type is an entity, or has some in it."""
    return any(
        is_entity(member) or any(has_entities(declared_type(field)) for field in member.model_fields.values())
        if is_model(member)
        else any(has_entities(argument) for argument in get_args(member))
        for member in members(declared)
    )
