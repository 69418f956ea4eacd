"""Reads schemas: from the nodes of a spec to shapes. Unsupported schemas raise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .names import one_of
from .shapes import (
    Anything,
    Choice,
    Many,
    Map,
    Reference,
    Scalar,
    ScalarType,
    Shape,
    StringFormat,
    Union,
)
from .spec import reference

if TYPE_CHECKING:
    from .nodes import Node

_ANNOTATIONS: Final = frozenset({"description"})
_TYPES: Final[tuple[ScalarType, ...]] = ("string", "integer", "number", "boolean")
_FORMATS: Final[tuple[StringFormat, ...]] = ("uuid", "date-time", "uri", "project-slug", "org-slug")
_SCALAR_KEYS: Final[dict[ScalarType, frozenset[str]]] = {
    "string": frozenset({"format", "x-secret"}),
    "integer": frozenset({"minimum", "maximum"}),
    "number": frozenset(),
    "boolean": frozenset(),
}


def read_shape(node: Node, beside: frozenset[str] = _ANNOTATIONS) -> Shape:
    """The shape of a schema; `beside` are the keys that the caller reads from the same node."""
    keys = node.mapping()
    if "$ref" in keys:
        node.only({"$ref"} | beside, "a reference")
        section, name = reference(keys["$ref"])
        if section != "schemas":
            raise keys["$ref"].refusal("Expected a schema; write `#/components/schemas/<Name>`.")
        return Reference(name)
    if "anyOf" in keys:
        node.only({"anyOf"} | beside, "a union")
        return _union(keys["anyOf"])
    if "oneOf" in keys:
        raise keys["oneOf"].refusal("`oneOf` is not supported; use `anyOf`.")
    if node.flag("x-any"):
        node.only({"x-any"} | beside, "a schema of anything")
        return Anything()
    if "type" not in keys:
        raise node.refusal("The schema has no `type`; add it, or `x-any: true` for any JSON.")
    return _typed(node, beside)


def _union(node: Node) -> Shape:
    members = [member for member in node.sequence() if not _is_null(member)]
    nullable = len(members) < len(node.sequence())
    shapes = tuple(read_shape(member, frozenset()) for member in members)
    if not shapes:
        raise node.refusal("The union is empty; list its schemas.")
    if len(shapes) == 1:
        return replace(shapes[0], nullable=nullable or shapes[0].nullable)
    return Union(shapes, nullable)


def _is_null(node: Node) -> bool:
    return node.plain() == {"type": "null"}


def _typed(node: Node, beside: frozenset[str]) -> Shape:
    types, nullable = _types(node.need("type"))
    if len(types) > 1:
        node.only({"type"} | beside, "a union of types")
        return Union(tuple(_bare_scalar(name, node.need("type")) for name in types), nullable)
    match types[0]:
        case "array":
            node.only({"type", "items"} | beside, "a list")
            return Many(read_shape(node.need("items")), nullable)
        case "object":
            return Map(_map_values(node, beside), nullable)
        case "string" if "enum" in node.mapping():
            return _choice(node, nullable, beside)
        case name:
            return _scalar(name, node, nullable, beside)


def _types(node: Node) -> tuple[list[str], bool]:
    names = [node.text()] if isinstance(node.value, str) else [item.text() for item in node.sequence()]
    types = [name for name in names if name != "null"]
    if not types or len(set(types)) < len(types):
        raise node.refusal('List each type once, and at least one besides "null".')
    return types, "null" in names


def _bare_scalar(name: str, node: Node) -> Scalar:
    for known in _TYPES:
        if name == known:
            return Scalar(known)
    raise node.refusal(f"`{name}` cannot be combined with other types; use `anyOf`.")


def _map_values(node: Node, beside: frozenset[str]) -> Shape:
    if "properties" in node.mapping() or "allOf" in node.mapping():
        raise node.refusal(
            "An inline object is not supported; give it a name under `components/schemas` and refer to it."
        )
    node.only({"type", "additionalProperties"} | beside, "a map")
    if "additionalProperties" not in node.mapping():
        raise node.refusal("An object without properties; add `additionalProperties: true` for a free map.")
    values = node.need("additionalProperties")
    if values.value is True:
        return Anything()
    if values.value is False:
        raise values.refusal("A map without values; remove it, or describe its values.")
    return read_shape(values)


def _choice(node: Node, nullable: bool, beside: frozenset[str]) -> Choice:
    node.only({"type", "enum", "x-closed"} | beside, "an enum")
    items = node.need("enum").sequence()
    values = tuple("" if item.value == "" else item.text() for item in items if item.value is not None)
    if not values:
        raise node.need("enum").refusal("The enum is empty; list its values, or remove `enum`.")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise items[index].refusal(f"`{value}` is repeated; keep one of them.")
    return Choice(values, node.flag("x-closed"), nullable or len(values) < len(items))


def _scalar(name: str, node: Node, nullable: bool, beside: frozenset[str]) -> Scalar:
    for known in _TYPES:
        if name == known:
            break
    else:
        raise node.need("type").refusal(f"`{name}` is not a supported type; use {one_of(_TYPES)}.")
    node.only({"type"} | _SCALAR_KEYS[known] | beside, f"a schema of type {known}")
    return Scalar(
        known,
        format=_format(node),
        secret=node.flag("x-secret"),
        minimum=node.integer_of("minimum"),
        maximum=node.integer_of("maximum"),
        nullable=nullable,
    )


def _format(node: Node) -> StringFormat | None:
    child = node.get("format")
    if child is None:
        return None
    for known in _FORMATS:
        if child.text() == known:
            return known
    raise child.refusal(f"`{child.text()}` is not a supported format; use {one_of(_FORMATS)}.")
