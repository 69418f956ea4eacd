"""Shapes as Python: the annotation of an argument, and its kind in the operation table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .names import pascal_case, snake_case
from .shapes import Anything, Choice, Components, Many, Map, Record, Reference, Scalar, Shape, Union

if TYPE_CHECKING:
    from .operations import Operation
    from .parameters import Parameter

_STRING_KINDS: Final = {
    "uuid": "ID",
    "date-time": "DATE_TIME",
    "date": "DATE",
    "project-slug": "PROJECT_SLUG",
    "org-slug": "ORG_SLUG",
}
_STRING_TYPES: Final = {
    "uuid": "str | UUID",
    "date-time": "datetime",
    "date": "date",
    "project-slug": "str | ProjectSlug",
}
_TYPES: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def signature(operation: Operation, components: Components) -> str:
    """What stands between the parentheses of the method."""
    positional = [parameter for parameter in operation.parameters if parameter.positional]
    keywords = [parameter for parameter in operation.parameters if not parameter.positional]
    parts = ["self", *(_argument(parameter, components) for parameter in positional)]
    if keywords:
        parts += ["*", *(_argument(parameter, components) for parameter in keywords)]
    return ", ".join(parts)


def response_type(operation: Operation) -> str:
    """What a call gives; of a list, one item."""
    resource_class = pascal_case(operation.resource)
    types = [f"models.{name}" if name == resource_class else name for name in operation.response.models]
    if operation.response.may_be_empty or not types:
        types.append("None")
    return " | ".join(types)


def annotation(shape: Shape, components: Components) -> str:
    """The type of the values that an argument takes."""
    text = " | ".join(dict.fromkeys(_types(shape, components)))
    return f"{text} | None" if shape.nullable else text


def kind(shape: Shape, components: Components, *, long_vcs: bool = False) -> str:
    """The `ParameterType` of an argument, as an expression."""
    text = f"LONG_{_kind(shape, components)}" if long_vcs else _kind(shape, components)
    return f"nullable({text})" if shape.nullable else text


def choice_constant(name: str) -> str:
    """The constant that holds the kind of a named value set."""
    return f"_{snake_case(name).upper()}"


def named_choices(operations: Sequence[Operation], components: Components) -> list[tuple[str, str]]:
    """The constants of the named value sets that arguments of these operations take, with their kinds."""
    found: dict[str, str] = {}
    for operation in operations:
        for parameter in operation.parameters:
            for name, content in _choices(parameter.shape, components):
                found[choice_constant(name)] = _choice(content)
    return sorted(found.items())


def _argument(parameter: Parameter, components: Components) -> str:
    text = f"{parameter.name}: {annotation(parameter.shape, components)}"
    if parameter.default is not None:
        return f"{text} = {parameter.default!r}"
    return text if parameter.required else f"{text} | Unset = UNSET"


def _types(shape: Shape, components: Components) -> list[str]:
    match shape:
        case Scalar(secret=True):
            return ["str", "SecretStr"]
        case Scalar():
            return [_STRING_TYPES.get(shape.format or "", _TYPES[shape.type])]
        case Choice(values=values, closed=closed):
            known = f"Literal[{', '.join(map(repr, values))}]"
            return [known] if closed else [known, "UnknownStr"]
        case Reference(name=name):
            content = components[name].content
            if isinstance(content, (Record, Union)):
                return [name, "Mapping[str, Any]"]
            return [name] if isinstance(content, Choice) else _types(content, components)
        case Many(items=items):
            return [f"Sequence[{annotation(items, components)}]"]
        case Map(values=values):
            return [f"Mapping[str, {annotation(values, components)}]"]
        case Union():
            return [*_record_names(shape, components), "Mapping[str, Any]"]
        case Anything():
            return ["Any"]


def _kind(shape: Shape, components: Components) -> str:
    match shape:
        case Scalar():
            return _scalar(shape)
        case Choice():
            return _choice(shape)
        case Reference(name=name):
            content = components[name].content
            if isinstance(content, Record):
                return f"model({name!r})"
            return choice_constant(name) if isinstance(content, Choice) else _kind(content, components)
        case Many(items=items):
            return f"many({kind(items, components)})"
        case Map(values=Anything()):
            return "mapping()"
        case Map(values=values):
            return f"mapping({kind(values, components)})"
        case Union():
            return f"model({', '.join(map(repr, _record_names(shape, components)))})"
        case Anything():
            return "ANY"


def _scalar(scalar: Scalar) -> str:
    if scalar.secret:
        return "SECRET"
    if scalar.type == "string":
        return _STRING_KINDS.get(scalar.format or "", "STRING")
    bounds = {"minimum": scalar.minimum, "maximum": scalar.maximum}
    given = ", ".join(f"{name}={value}" for name, value in bounds.items() if value is not None)
    return f"integer({given})" if given else scalar.type.upper()


def _choice(choice: Choice) -> str:
    return f"choice({', '.join(map(repr, choice.values))}{', closed=True' if choice.closed else ''})"


def _record_names(shape: Shape, components: Components) -> list[str]:
    match shape:
        case Union(members=members):
            return [name for member in members for name in _record_names(member, components)]
        case Reference(name=name):
            content = components[name].content
            return [name] if isinstance(content, Record) else _record_names(content, components)
        case _:
            return []


def _choices(shape: Shape, components: Components) -> list[tuple[str, Choice]]:
    match shape:
        case Reference(name=name):
            content = components[name].content
            if isinstance(content, Choice):
                return [(name, content)]
            return [] if isinstance(content, Record) else _choices(content, components)
        case Many(items=inner) | Map(values=inner):
            return _choices(inner, components)
        case _:
            return []
