"""Entities of API v3: `{id, attributes, references}` on the wire, one flat model in Python.

A validation alias with dots is the place of a field in the entity, such as `references.workflow.id`. The objects on the
way to it are groups, which have no model. Only responses are read from the wire form: dumps, copies and JSON of a model
are flat.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic_core import core_schema as schemas

from circleci_sdk._core.mismatches import Place

from .shapes import fields_of, models_in
from .unreadable import built

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from .model import Model

_UNION: Final[Any] = Union
_CONFIG: Final = schemas.CoreConfig(strict=True, extra_fields_behavior="allow")


class Group(NamedTuple):
    """An object without a model: the keys and names of its fields, and its inner groups.

    `keys` are those of the fields, `inside` those of the inner groups.
    """

    place: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    inner: tuple[Inner, ...]
    keys: frozenset[str]
    inside: frozenset[str]


class Inner(NamedTuple):
    """A group in a group. With a single field, such as the `id` of a reference, also the key and name of the field."""

    key: str
    only: str | None
    name: str
    group: Group


Members = tuple[Group, dict[str, Any]]


class Layout:
    """The places of the fields of an entity. As the metadata of its model it reads the wire form.

    With a key it is the layout of a body with the entity: other members of the body are unknown members of the entity.
    """

    def __init__(self, model: type[Model], key: str | None) -> None:
        outer = () if key is None else (key,)
        self.paths: Final = {field.name: (*outer, *field.path) for field in fields_of(model)}
        self._depth = len(outer)
        self._model = model
        self._fields = {field.name: field for field in fields_of(model)}
        self._defaults = {field.name: field.default for field in fields_of(model)}
        self._names = frozenset(key for field in fields_of(model) for key in field.keys)
        self._top = _group((), self.paths)
        self._flat = next((one.group for one in self._top.inner if _is_flat(one.group)), None)
        self._flat_key: Any = self._flat.place[-1] if self._flat else None
        self._beside = self._top._replace(inner=tuple(one for one in self._top.inner if one.group is not self._flat))

    def spread(self, parts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[tuple[str, ...], str]]:
        """The members of an entity in its wire form.

        The values are by the names of their fields. The unknown ones are by their own names, or by their places if
        these are taken or the group is nested; dots before a place make it differ from names. The last ones are the
        names of groups that are no objects, by their places; their values are among the unknown ones.
        """
        values: dict[str, Any] = {}
        return values, *self._unknown(self._take([(self._top, parts)], values, set()))

    def _take(self, groups: list[Members], values: dict[str, Any], given: set[str]) -> list[Members]:
        """Adds the fields in these groups, and in those inside. Returns the groups with other members."""
        partly: list[Members] = []
        for held in groups:
            (_, fields, inner, _, _), members = held
            known = 0
            for key, name in fields:
                if key in members:
                    known += 1
                    values[name] = members[key]
                    given.add(name)
            for key, only, name, group in inner:
                if key in members and (item := members[key]).__class__ is dict:
                    known += 1
                    if only in item and len(item) == 1:  # without a look at the group: most references are like this
                        values[name] = item[only]
                        given.add(name)
                    else:
                        groups.append((group, item))
            if known != len(members):
                partly.append(held)
        return partly

    def _unknown(self, groups: list[Members]) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
        unknown: dict[str, Any] = {}
        odd: dict[tuple[str, ...], str] = {}
        for (place, _, _, keys, inside), members in groups:
            outer = ".".join((*place, ""))
            is_nested = len(place) > self._depth + 1
            for key, item in members.items():
                if key in keys or (key in inside and (item is None or isinstance(item, dict))):
                    continue
                is_taken = key in inside or key in self._names or key in unknown
                name = ".".join((*place[self._depth :], key)) if is_taken or is_nested else key
                while name in self._names or name in unknown:
                    name = f".{name}"
                unknown[named := Place(name)] = item
                named.pattern = f"{outer}{key}"
                if key in inside:
                    odd[*place, key] = named
        return unknown, odd

    def model_of(self, parts: dict[str, Any]) -> Model:
        """The model of an entity whose members were read."""
        groups: list[Members] = [(self._beside, parts)]
        values: dict[str, Any]
        given: set[str]
        if (flat := parts.pop(self._flat_key, None)) is None:
            values, given = {**self._defaults}, set()
        else:
            held, more, given = flat
            values = {**self._defaults, **held}
            if more and self._flat:
                given.difference_update(more)
                groups.append((self._flat, more))
        unknown: dict[str, Any] = {}
        if partly := self._take(groups, values, given):
            unknown, _ = self._unknown(partly)
            given.update(unknown)
        return built(self._model, values, given, unknown)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> schemas.CoreSchema:
        # No schema of a model: pydantic replaces it by that of the class, once the class is built.
        return schemas.no_info_after_validator_function(self.model_of, self._schema(self._top, handler)[0])

    def _schema(self, group: Group, handler: GetCoreSchemaHandler) -> tuple[schemas.CoreSchema, bool]:
        """The schema of a group, and whether it is required. A group that is not may be null; the entity may not."""
        own = {key: self._fields[name] for key, name in group.fields}
        members = {key: (handler.generate_schema(on_the_wire(one.type)), one.required) for key, one in own.items()}
        members |= {one.key: self._schema(one.group, handler) for one in group.inner}
        is_required = any(required for _, required in members.values())
        schema: schemas.CoreSchema
        if group is self._flat:
            # Most fields are in it: pydantic adds defaults, and returns unknown members apart.
            fields = {
                key: schemas.model_field(one if must else schemas.with_default_schema(one, default=own[key].default))
                for key, (one, must) in members.items()
            }
            schema = schemas.model_fields_schema(fields, extra_behavior="allow")
        else:
            keys = {key: schemas.typed_dict_field(one, required=must) for key, (one, must) in members.items()}
            schema = schemas.typed_dict_schema(keys, config=_CONFIG)
        return schema if is_required or not group.place else schemas.nullable_schema(schema), is_required


def _is_flat(group: Group) -> bool:
    """Whether its members are fields of the model by their own names."""
    return not group.inner and all(key == name for key, name in group.fields)


def _group(place: tuple[str, ...], paths: Mapping[str, tuple[str, ...]]) -> Group:
    """The group at a place, with the fields of these paths in it or below it."""
    below: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, path in paths.items():
        below.setdefault(path[len(place)], {})[name] = path
    own = {key: name for key, held in below.items() for name, path in held.items() if path == (*place, key)}
    inner = {key: _group((*place, key), held) for key, held in below.items() if key not in own}
    inside = tuple(_inner(key, one) for key, one in inner.items())
    return Group(place, tuple(own.items()), inside, frozenset(own), frozenset(inner))


def _inner(key: str, group: Group) -> Inner:
    [(only, name), *others] = group.fields or ((None, ""),)
    return Inner(key, None if others or group.inner else only, name, group)


@cache
def layout_of(model: type[Model], key: str | None = None) -> Layout | None:
    """The layout of an entity, of what holds entities, or of a body with one at a key; None for any other model."""
    is_other = any(len(field.path) > 1 or any(map(layout_of, models_in(field.type))) for field in fields_of(model))
    return Layout(model, key) if is_other or key is not None else None


@cache
def on_the_wire(declared: Any, key: str | None = None) -> Any:
    """A type whose entities are read from their wire form, or from a body with one at a key."""
    if declared in models_in(declared):
        return Annotated[declared, layout] if (layout := layout_of(declared, key)) else declared
    if not models_in(declared) or (origin := get_origin(declared)) not in (list, Union, UnionType):
        return declared
    read = [on_the_wire(one) for one in get_args(declared)]
    return GenericAlias(list, read[0]) if origin is list else _UNION[*read]
