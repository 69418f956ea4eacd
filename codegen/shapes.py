"""Schemas as shapes: the types of data supported by the generator.

A named schema is a component: a record (an object with fields, which becomes a model) or a shape (an enum, a
map, a union, which becomes a type alias).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .nodes import Json, Node

ScalarType: TypeAlias = Literal["string", "integer", "number", "boolean"]
StringFormat: TypeAlias = Literal["uuid", "date-time", "uri", "project-slug", "org-slug"]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, a number or a boolean."""

    type: ScalarType
    format: StringFormat | None = None
    secret: bool = False
    minimum: int | None = None
    maximum: int | None = None
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An enum of strings. An open enum has further values that are not in the spec."""

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
    """A map with arbitrary string keys."""

    values: Shape
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Union:
    """One of several shapes."""

    members: tuple[Shape, ...]
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON, declared as such in the spec."""

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
    """The value sent by the package without an argument."""
    assumed: str | int | bool | None = None
    """The default of the API."""
    also_sent_as: tuple[str, ...] = ()
    example: Json = None
    """Its value in the example call of the reference."""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with fields, and its base records."""

    fields: tuple[Field, ...]
    bases: tuple[str, ...] = ()
    computed: str | None = None
    """The class of the runtime that adds computed properties."""


@dataclass(frozen=True, slots=True)
class Component:
    """A named schema."""

    name: str
    content: Record | Shape
    node: Node
    description: str | None = None
    standalone: bool = False
    """Whether it is a model even without an operation that uses it."""


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
    """The names of the components used by a component or a shape."""
    if isinstance(content, Record):
        yield from content.bases
    for leaf in leaves(content):
        if isinstance(leaf, Reference):
            yield leaf.name


def holds_secret(content: Record | Shape) -> bool:
    """Whether a component or a shape contains a secret string."""
    return any(isinstance(leaf, Scalar) and leaf.secret for leaf in leaves(content))


def resolved(shape: Shape, components: Components) -> Shape | Record:
    """The shape after resolving references to enums, maps and unions."""
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
