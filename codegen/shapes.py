"""Schemas as shapes: the few kinds of data that the generator knows how to turn into Python.

A named schema is a component: a record (an object with fields, which becomes a model) or a shape (a value set, a
map, a union, which becomes a type alias).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .nodes import Node

ScalarType: TypeAlias = Literal["string", "integer", "number", "boolean"]
StringFormat: TypeAlias = Literal["uuid", "date-time", "uri", "project-slug", "org-slug"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, a number or a truth value."""

    type: ScalarType
    format: StringFormat | None = None
    secret: bool = False
    minimum: int | None = None
    maximum: int | None = None
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a set of texts. An open set has further values that the spec does not know."""

    values: tuple[str, ...]
    closed: bool
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A component, by name."""

    name: str
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    items: Shape
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """Values by text keys that are not known beforehand."""

    values: Shape
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Union:
    """One of several shapes."""

    members: tuple[Shape, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON, because the spec says so."""

    nullable: bool = False


Shape: TypeAlias = Scalar | Choice | Reference | Many | Map | Union | Anything


@dataclass(frozen=True, slots=True)
class Field:
    """A property of an object."""

    wire: str
    name: str
    shape: Shape
    required: bool
    node: Node
    description: str | None = None
    deprecated: bool = False
    undocumented: bool = False
    default: str | int | bool | None = None
    """What the package sends when the caller gives nothing."""
    assumed: str | int | bool | None = None
    """What the API assumes when nothing is sent."""
    also_sent_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """An object with fields, and the records whose fields it has as well."""

    fields: tuple[Field, ...]
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """A named schema."""

    name: str
    content: Record | Shape
    node: Node
    description: str | None = None
    standalone: bool = False
    """Whether it is a model even if no operation mentions it."""


Components: TypeAlias = Mapping[str, Component]


def leaves(content: Record | Shape) -> Iterator[Scalar | Choice | Reference | Anything]:
    """The innermost shapes of a component or a shape, in the order of the spec."""
    match content:
        case Record():
            for field in content.fields:
                yield from leaves(field.shape)
        case Many(items=inner) | Map(values=inner):
            yield from leaves(inner)
        case Union():
            for member in content.members:
                yield from leaves(member)
        case Scalar() | Choice() | Reference() | Anything():
            yield content


def references(content: Record | Shape) -> Iterator[str]:
    """The names of the components that a component or a shape mentions."""
    if isinstance(content, Record):
        yield from content.bases
    for leaf in leaves(content):
        if isinstance(leaf, Reference):
            yield leaf.name


def holds_secret(content: Record | Shape) -> bool:
    """Whether a component or a shape has a text in it that is marked as secret."""
    return any(isinstance(leaf, Scalar) and leaf.secret for leaf in leaves(content))


def resolved(shape: Shape, components: Components) -> Shape | Record:
    """What a shape is when the names of value sets, maps and unions are followed."""
    while isinstance(shape, Reference):
        content = components[shape.name].content
        if isinstance(content, Record):
            return content
        shape = content
    return shape


def all_fields(record: Record, components: Components) -> Iterator[Field]:
    """The fields of a record, those of its bases first."""
    for base in record.bases:
        content = components[base].content
        if isinstance(content, Record):
            yield from all_fields(content, components)
    yield from record.fields
