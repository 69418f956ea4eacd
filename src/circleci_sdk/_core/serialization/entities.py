"""Entities of API v3: `{id, attributes, references}` on the wire, one flat model in Python.

A validation alias with dots is the place of a field in the entity, such as `references.workflow.id`. The objects on the
way to it are groups, which have no model. Only responses are read from the wire form: dumps, copies and JSON of a model
are flat.
"""

from __future__ import annotations

from functools import cache
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Union, cast, get_args, get_origin

from pydantic_core import core_schema as schemas

from circleci_sdk._core.mismatches import Place

from .shapes import Field, fields_of, is_entity, models_in

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

    from .model import Model

_CONFIG: Final = schemas.CoreConfig(strict=True, extra_fields_behavior="allow")


class Spread(NamedTuple):
    """The members of an entity.

    `values` are by the names of their fields. `unknown` are by their own names, or by their places if these are taken
    or the group is nested. `odd` are groups that are no objects, by their places.
    """

    values: dict[str, Any]
    unknown: dict[str, Any]
    odd: dict[tuple[str, ...], object]


class Group:
    """An object without a model: `fields` by key, and `inner` groups by key."""

    def __init__(self, place: tuple[str, ...], fields: list[tuple[tuple[str, ...], Field]]) -> None:
        depth = len(place)
        inner = dict.fromkeys(path[depth] for path, _ in fields if len(path) > depth + 1)
        self.place: Final = place
        self.fields: Final = {path[depth]: field for path, field in fields if len(path) == depth + 1}
        self.inner: Final = {
            key: Group((*place, key), [one for one in fields if len(one[0]) > depth + 1 and one[0][depth] == key])
            for key in inner
        }
        self.is_required: Final = any(field.required for _, field in fields)

    def join(self, parts: dict[str, Any], values: dict[str, Any]) -> int:
        """Add what was read of it and of its inner groups to the values. Returns the number of members."""
        values.update(parts)
        count = len(parts)
        for key, group in self.inner.items():
            if key in parts:
                count -= 1
                inner = values.pop(key)
                if group.inner and inner is not None:
                    count += group.join(inner, values)
                elif inner is not None:  # most groups end here, and a call would cost more than the rest
                    values.update(inner)
                    count += len(inner)
        return count

    def spread(self, parts: dict[str, Any], found: Spread, names: frozenset[str], *, is_read: bool) -> None:
        """Add its members, by the names of fields if it `is_read`, else by their keys, to what was `found`."""
        known = {field.name if is_read else key: field.name for key, field in self.fields.items()}
        for key, item in parts.items():
            if key in known:
                found.values[known[key]] = item
            elif key not in self.inner:
                place = ".".join((*self.place, key))
                is_taken = key in names or key in found.unknown or len(self.place) > 1
                name = Place(place if is_taken else key)
                name.pattern = place
                found.unknown[name] = item
            elif isinstance(item, dict):
                self.inner[key].spread(cast("dict[str, Any]", item), found, names, is_read=is_read)
            elif item is not None:
                found.odd[*self.place, key] = item


class Layout:
    """The places of the fields of an entity."""

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.places: Final = {field.name: tuple(field.keys[0].split(".")) for field in fields}
        self.top: Final = Group((), [(self.places[field.name], field) for field in fields])
        self._defaults = {field.name: field.default for field in fields}
        self._names = frozenset(self._defaults)

    def spread(self, parts: dict[str, Any], *, is_read: bool = False) -> Spread:
        """The members of an entity from its wire form."""
        found = Spread({}, {}, {})
        self.top.spread(parts, found, self._names, is_read=is_read)
        return found

    def built(self, parts: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
        """The values, the unknown members and the names of both: what pydantic makes a model of."""
        values: dict[str, Any] = {}
        count = self.top.join(parts, values)
        if len(values) == count and values.keys() <= self._names:  # nothing is unknown, and nothing was replaced
            return {**self._defaults, **values}, {}, {*values}
        values, unknown, _ = self.spread(parts, is_read=True)
        return {**self._defaults, **values}, unknown, {*values, *unknown}


@cache
def layout_of(model: type[Model]) -> Layout | None:
    """The layout of an entity; None for a model that is the same on the wire."""
    return Layout(fields_of(model)) if is_entity(model) else None


@cache
def on_the_wire(declared: Any) -> Any:
    """A type whose entities are read from their wire form."""
    origin, arguments = get_origin(declared), get_args(declared)
    if declared in models_in(declared):
        return Annotated[declared, _WireForm()] if layout_of(declared) else declared
    if not models_in(declared) or origin not in (list, Union, UnionType):
        return declared
    read = [on_the_wire(one) for one in arguments]
    if origin is list:
        return GenericAlias(list, read[0])
    either = read[0]
    for one in read[1:]:
        either |= one
    return either


class _WireForm:
    """Marks an entity that is read from its wire form."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> schemas.CoreSchema:
        layout = layout_of(source)
        assert layout is not None

        def read(group: Group) -> schemas.CoreSchema:
            members = {
                field.name: schemas.typed_dict_field(
                    handler.generate_schema(on_the_wire(field.type)), required=field.required, validation_alias=key
                )
                for key, field in group.fields.items()
            }
            members |= {
                key: schemas.typed_dict_field(read(inner), required=inner.is_required)
                for key, inner in group.inner.items()
            }
            schema = schemas.typed_dict_schema(members, config=_CONFIG)
            return schema if group.is_required else schemas.nullable_schema(schema)

        flat = schemas.no_info_after_validator_function(layout.built, read(layout.top))
        return schemas.model_schema(source, flat, config=_CONFIG)
