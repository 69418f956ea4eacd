"""Shapes as Python: the annotations of arguments and return values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .names import pascal_case
from .shapes import Anything, Choice, Components, Many, Map, Record, Reference, Scalar, Shape, Union
from .tables import record_names

if TYPE_CHECKING:
    from .operations import Operation
    from .parameters import Parameter

_BODIES: Final = {"text": "str", "bytes": "bytes"}
_STRING_TYPES: Final = {
    "uuid": "str | UUID",
    "date-time": "datetime",
    "project-slug": "str | ProjectSlug",
}
_TYPES: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def signature(operation: Operation, components: Components) -> str:
    """The parameters of the method, without parentheses."""
    positional = [parameter for parameter in operation.parameters if parameter.positional]
    keywords = [parameter for parameter in operation.parameters if not parameter.positional]
    parts = ["self", *(_argument(parameter, components) for parameter in positional)]
    if keywords:
        parts += ["*", *(_argument(parameter, components) for parameter in keywords)]
    return ", ".join(parts)


def response_type(operation: Operation) -> str:
    """The return type of a call; for a list or a stream, the type of an item."""
    if operation.response.form in _BODIES:
        return _BODIES[operation.response.form]
    resource_class = pascal_case(operation.resource)
    types = [f"models.{name}" if name == resource_class else name for name in operation.response.models]
    if operation.response.may_be_empty or not types:
        types.append("None")
    return " | ".join(types)


def annotation(shape: Shape, components: Components) -> str:
    """The type of an argument."""
    text = " | ".join(dict.fromkeys(_types(shape, components)))
    return f"{text} | None" if shape.nullable else text


def dict_name(record: str) -> str:
    """The name of the `TypedDict` of a nested object."""
    return f"{record}Dict"


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
            if isinstance(content, Record):
                return [name, dict_name(name)]
            return [name] if isinstance(content, Choice) else _types(content, components)
        case Many(items=items):
            return [f"Sequence[{annotation(items, components)}]"]
        case Map(values=values):
            return [f"Mapping[str, {annotation(values, components)}]"]
        case Union():
            names = [*record_names(shape, components)]
            return [*names, *map(dict_name, names)]
        case Anything():
            return ["Any"]
