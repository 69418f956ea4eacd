"""Entities of API v3: `{id, attributes, references}` on the wire, one flat model in Python.

A validation alias with dots is the place of a field in the entity, such as `references.workflow.id`. The objects on the
way to it are groups, which have no model. Only responses are read from the wire form: dumps, copies and JSON of a model
are flat.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Union, cast, get_args, get_origin

from pydantic_core import core_schema as schemas

from circleci_sdk._core.mismatches import Place

from .shapes import Field, fields_of, models_in

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from .model import Model

_UNION: Final[Any] = Union
_CONFIG: Final = schemas.CoreConfig(strict=True, extra_fields_behavior="allow")


class Group(NamedTuple):
    """An object without a model: its fields and its inner groups by key."""

    place: tuple[str, ...]
    fields: Mapping[str, Field]
    inner: Mapping[str, Group]


class Layout:
    """The places of the fields of an entity."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.top: Final = _group((), fields)
        self._defaults = {field.name: field.default for field in fields}

    def spread(self, parts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[tuple[str, ...], object]]:
        """The members of an entity in its wire form.

        The values are by the names of their fields. The unknown ones are by their own names, or by their places if
        these are taken or the group is nested. The last ones are groups that are no objects, by their places.
        """
        values: dict[str, Any] = {}
        unknown: dict[str, Any] = {}
        odd: dict[tuple[str, ...], object] = {}
        groups: list[tuple[Group, dict[str, Any]]] = [(self.top, parts)]
        for (place, fields, inner), members in groups:
            for key, item in members.items():
                if key in fields:
                    values[fields[key].name] = item
                elif key not in inner:
                    at = ".".join((*place, key))
                    name = Place(at if len(place) > 1 or key in self._defaults or key in unknown else key)
                    name.pattern = at
                    unknown[name] = item
                elif isinstance(item, dict):
                    groups.append((inner[key], cast("dict[str, Any]", item)))
                elif item is not None:
                    odd[*place, key] = item
        return values, unknown, odd

    def built(self, parts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
        """The values, the unknown members and the names of both: what pydantic makes a model of."""
        values, unknown, _ = self.spread(parts)
        return {**self._defaults, **values}, unknown, {*values, *unknown}


def _group(place: tuple[str, ...], fields: tuple[Field, ...]) -> Group:
    """The group at a place, with these fields in it or below it."""
    below: dict[str, list[Field]] = {}
    for field in fields:
        below.setdefault(field.path[len(place)], []).append(field)
    own = {key: held[0] for key, held in below.items() if held[0].path == (*place, key)}
    inner = {key: _group((*place, key), tuple(held)) for key, held in below.items() if key not in own}
    return Group(place, own, inner)


@cache
def layout_of(model: type[Model]) -> Layout | None:
    """The layout of an entity; None for a model that is the same on the wire."""
    fields = fields_of(model)
    return Layout(fields) if any(len(field.path) > 1 for field in fields) else None


@cache
def on_the_wire(declared: Any) -> Any:
    """A type whose entities are read from their wire form."""
    if declared in models_in(declared):
        layout = layout_of(declared)
        return Annotated[declared, _WireForm(layout)] if layout else declared
    origin = get_origin(declared)
    if not models_in(declared) or origin not in (list, Union, UnionType):
        return declared
    read = [on_the_wire(one) for one in get_args(declared)]
    return GenericAlias(list, read[0]) if origin is list else _UNION[*read]


class _WireForm:
    """Marks an entity that is read from its wire form."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def __get_pydantic_core_schema__(self, source: type[Model], handler: GetCoreSchemaHandler) -> schemas.CoreSchema:

        def read(group: Group) -> tuple[schemas.CoreSchema, bool]:
            """The schema of a group, and whether it is required."""
            members = {
                key: (handler.generate_schema(on_the_wire(field.type)), field.required)
                for key, field in group.fields.items()
            } | {key: read(inner) for key, inner in group.inner.items()}
            fields = {key: schemas.typed_dict_field(one, required=required) for key, (one, required) in members.items()}
            schema = schemas.typed_dict_schema(fields, config=_CONFIG)
            is_required = any(required for _, required in members.values())
            return schema if is_required else schemas.nullable_schema(schema), is_required

        flat = schemas.no_info_after_validator_function(self._layout.built, read(self._layout.top)[0])
        return schemas.model_schema(source, flat, config=_CONFIG)
