"""Shapes as Python: the `ParameterType` of an argument in the operation table, and the constants that it names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from .names import snake_case
from .shapes import Anything, Choice, Components, Field, Many, Map, Record, Reference, Scalar, Shape, Union, all_fields

_STRING_TYPES: Final = {
    "uuid": "ID",
    "date-time": "DATE_TIME",
    "project-slug": "PROJECT_SLUG",
    "org-slug": "ORG_SLUG",
}


def constant(name: str) -> str:
    """The constant of an operation id, an enum or a nested object."""
    return f"_{snake_case(name).upper()}"


def parameter_type(shape: Shape, components: Components, *, long_vcs: bool = False) -> str:
    """The `ParameterType` of an argument, as an expression."""
    text = f"LONG_{_not_null(shape, components)}" if long_vcs else _not_null(shape, components)
    return f"nullable({text})" if shape.nullable else text


def constants(shapes: Iterable[Shape], components: Components) -> list[tuple[str, str]]:
    """The value sets, by name, and the nested objects in arguments of these shapes; each behind those that it uses."""
    nested = request_records(shapes, components)
    fields = (field.shape for name in nested for field in _fields(name, components))
    choices = {name: content for shape in (*shapes, *fields) for name, content in _choices(shape, components)}
    return [
        *((constant(name), _choice(choices[name])) for name in sorted(choices)),
        *((constant(name), _model(name, components)) for name in nested),
    ]


def request_records(shapes: Iterable[Shape], components: Components) -> list[str]:
    """The names of the nested objects in arguments of these shapes, at any depth; each behind those that it holds."""
    found: dict[str, None] = {}
    for name in (name for shape in shapes for name in record_names(shape, components)):
        if name not in found:
            inner = request_records((field.shape for field in _fields(name, components)), components)
            found |= dict.fromkeys((*inner, name))
    return list(found)


def record_names(shape: Shape, components: Components) -> Iterator[str]:
    """The objects in a shape, not those in their fields."""
    match shape:
        case Reference(name=name):
            content = components[name].content
            if isinstance(content, Record):
                yield name
            else:
                yield from record_names(content, components)
        case Many(items=inner) | Map(values=inner):
            yield from record_names(inner, components)
        case Union(members=members):
            for member in members:
                yield from record_names(member, components)
        case Scalar() | Choice() | Anything():
            pass


def _fields(name: str, components: Components) -> Iterator[Field]:
    content = components[name].content
    assert isinstance(content, Record)
    return all_fields(content, components)


def _model(name: str, components: Components) -> str:
    fields = (
        f"Parameter({field.name!r}, {field.wire!r}, {parameter_type(field.shape, components)}"
        f"{', required=True' if field.required else ''})"
        for field in _fields(name, components)
    )
    return f"model({', '.join((repr(name), *fields))})"


def _not_null(shape: Shape, components: Components) -> str:
    match shape:
        case Scalar():
            return _scalar(shape)
        case Choice():
            return _choice(shape)
        case Reference(name=name):
            content = components[name].content
            return constant(name) if isinstance(content, (Choice, Record)) else _not_null(content, components)
        case Many(items=items):
            return f"many({parameter_type(items, components)})"
        case Map(values=Anything()):
            return "mapping()"
        case Map(values=values):
            return f"mapping({parameter_type(values, components)})"
        case Union():
            return f"one_of({', '.join(map(constant, record_names(shape, components)))})"
        case Anything():
            return "ANY"


def _scalar(scalar: Scalar) -> str:
    if scalar.secret:
        return "SECRET"
    if scalar.type == "string":
        return _STRING_TYPES.get(scalar.format or "", "STRING")
    bounds = {"minimum": scalar.minimum, "maximum": scalar.maximum}
    given = ", ".join(f"{name}={value}" for name, value in bounds.items() if value is not None)
    return f"integer({given})" if given else scalar.type.upper()


def _choice(choice: Choice) -> str:
    return f"choice({', '.join(map(repr, choice.values))}{', closed=True' if choice.closed else ''})"


def _choices(shape: Shape, components: Components) -> Iterator[tuple[str, Choice]]:
    match shape:
        case Reference(name=name):
            content = components[name].content
            if isinstance(content, Choice):
                yield name, content
            elif not isinstance(content, Record):
                yield from _choices(content, components)
        case Many(items=inner) | Map(values=inner):
            yield from _choices(inner, components)
        case _:
            pass
