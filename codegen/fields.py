"""Reads the properties of objects, those of inline objects too.

An inline object has no name, so it has no model: its members belong to the object around it, and their place on the
wire is a path (`attributes.name`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .names import member_name
from .nodes import Node, Problems
from .schemas import read_shape
from .shapes import Field
from .spec import reference

if TYPE_CHECKING:
    from .spec import Spec

_FIELD_EXTRAS: Final = frozenset(
    {"description", "deprecated", "default", "x-python-name", "x-undocumented", "x-default", "x-also-sent-as"}
    | {"x-example"}
)
"""Keys of a property besides its schema."""
_INLINE_KEYS: Final = frozenset({"type", "properties", "required", "description"})


def read_fields(node: Node) -> tuple[Field, ...]:
    """The properties of an object, in the order of the spec. Inline objects are refused."""
    return tuple(_fields(node, None, (), required=True))


def read_members(node: Node, spec: Spec) -> tuple[Field, ...]:
    """The properties of an object, and those of the inline objects in it, at any depth."""
    return tuple(_fields(node, spec, (), required=True))


def is_inline(node: Node) -> bool:
    """Whether a schema is an object written inline."""
    return isinstance(node.value, dict) and "properties" in node.value


def check_inline(node: Node) -> None:
    """Refuses an inline object that says what only a named schema can."""
    node.only(_INLINE_KEYS, "an inline object")
    if node.need("type").value != "object":
        raise node.need("type").refusal("Properties belong to `type: object`; correct the type.")


def _fields(node: Node, spec: Spec | None, path: tuple[str, ...], *, required: bool) -> Iterator[Field]:
    properties = node.get("properties")
    known = properties.mapping() if properties else {}
    needed = node.texts_of("required")
    problems = Problems()
    for key, child in known.items():
        with problems.caught():
            is_required = required and key in needed
            inner = None if spec is None else _inlined(child, spec)
            if inner is not None:
                yield from _fields(inner, spec, (*path, key), required=is_required)
            else:
                yield _field((*path, key), child, required=is_required)
    for name in needed:
        with problems.caught():
            if name not in known:
                raise node.need("required").refusal(
                    f"`{name}` is required but no property; define it, or correct the name."
                )
    problems.raise_any()


def _inlined(node: Node, spec: Spec) -> Node | None:
    """The object whose members belong to the object around it; None for any other schema."""
    if is_inline(node):
        check_inline(node)
        return node
    if "$ref" not in node.mapping():
        return None
    _, name = reference(node.need("$ref"))
    target = spec.components["schemas"][name]
    return target if target.flag("x-inline") else None


def _field(path: tuple[str, ...], node: Node, *, required: bool) -> Field:
    return Field(
        wire=".".join(path),
        name=node.text_of("x-python-name") or member_name(path),
        shape=read_shape(node, _FIELD_EXTRAS),
        required=required,
        node=node,
        description=node.text_of("description"),
        deprecated=node.flag("deprecated"),
        undocumented=node.flag("x-undocumented"),
        default=node.scalar_of("x-default"),
        assumed=node.scalar_of("default"),
        also_sent_as=node.texts_of("x-also-sent-as"),
        example=node.plain_of("x-example"),
    )
