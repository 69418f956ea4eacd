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

from .model import Unread
from .shapes import fields_of, models_in
from .unreadable import built

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from .model import Model

_UNION: Final[Any] = Union
_ALL_READ: Final = Unread("", (), {}, {}, frozenset())
_CONFIG: Final = schemas.CoreConfig(strict=True, extra_fields_behavior="allow")


class Group(NamedTuple):
    """An object without a model: the names of its fields, and its inner groups, by key."""

    place: tuple[str, ...]
    fields: Mapping[str, str]
    inner: Mapping[str, Group]


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

    def spread(self, parts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[tuple[str, ...], str]]:
        """The members of an entity in its wire form.

        The values are by the names of their fields. The unknown ones are by their own names, or by their places if
        these are taken or the group is nested; dots before a place make it differ from names. The last ones are the
        names of groups that are no objects, by their places; their values are among the unknown ones.
        """
        values: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        odd: dict[tuple[str, ...], str] = {}
        groups: list[tuple[Group, dict[str, Any]]] = [(self._top, parts)]
        for (place, fields, inner), members in groups:
            for key, item in members.items():
                if key in fields:
                    values[fields[key]] = item
                elif key in inner and isinstance(item, dict):
                    groups.append((inner[key], item))  # pyright: ignore[reportUnknownArgumentType]  # a cast takes time
                elif key not in inner or item is not None:
                    at = (*place, key)
                    short = at[self._depth :] if place else at
                    is_taken = key in inner or key in self._names or key in unknown
                    name = ".".join(short) if is_taken or len(short) > 2 else key
                    while name in self._names or name in unknown:
                        name = f".{name}"
                    unknown[named := Place(name)] = item
                    named.pattern = ".".join(at)
                    if key in inner:
                        odd[at] = named
        return values, unknown, odd

    def model_of(self, parts: dict[str, Any]) -> Model:
        """The model of an entity whose members were read."""
        values, unknown, _ = self.spread(parts)
        return built(self._model, {**self._defaults, **values}, {*values, *unknown}, unknown, _ALL_READ)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> schemas.CoreSchema:
        # No schema of a model: pydantic replaces it by that of the class, once the class is built.
        return schemas.no_info_after_validator_function(self.model_of, self._schema(self._top, handler)[0])

    def _schema(self, group: Group, handler: GetCoreSchemaHandler) -> tuple[schemas.CoreSchema, bool]:
        """The schema of a group, and whether it is required. A group that is not may be null; the entity may not."""
        own = {key: self._fields[name] for key, name in group.fields.items()}
        members = {key: (handler.generate_schema(on_the_wire(one.type)), one.required) for key, one in own.items()}
        members |= {key: self._schema(inner, handler) for key, inner in group.inner.items()}
        fields = {key: schemas.typed_dict_field(one, required=required) for key, (one, required) in members.items()}
        is_required = any(required for _, required in members.values())
        schema = schemas.typed_dict_schema(fields, config=_CONFIG)
        return schema if is_required or not group.place else schemas.nullable_schema(schema), is_required


def _group(place: tuple[str, ...], paths: Mapping[str, tuple[str, ...]]) -> Group:
    """The group at a place, with the fields of these paths in it or below it."""
    below: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, path in paths.items():
        below.setdefault(path[len(place)], {})[name] = path
    own = {key: name for key, held in below.items() for name, path in held.items() if path == (*place, key)}
    inner = {key: _group((*place, key), held) for key, held in below.items() if key not in own}
    return Group(place, own, inner)


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
