"""Types of fields and arguments, with links to the models in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from codegen.shapes import Anything, Choice, Many, Map, Record, Reference, Scalar, Shape, Union, resolved

if TYPE_CHECKING:
    from .api import Api

_TYPES: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_ARGUMENT_TYPES: Final = {"uuid": "str | UUID", "project-slug": "str | ProjectSlug"}
_MOST_VALUES: Final = 4
"""Longer enums without a name have a table of their own."""


def type_of_field(shape: Shape, api: Api, *, responded: bool) -> str:
    """The type of a field of a model."""
    return _code(_Types(api, responded=responded, is_argument=False).text(shape))


def type_of_argument(shape: Shape, api: Api) -> str:
    """The type of an argument, without the mappings that are accepted in place of models."""
    return _code(_Types(api, responded=False, is_argument=True).text(shape))


def is_long(shape: Shape) -> bool:
    """Whether the type of a field leaves out the values of its enum."""
    return isinstance(shape, Choice) and len(shape.values) > _MOST_VALUES


def _code(text: str) -> str:
    """Inline code with links in it, which backticks cannot hold."""
    return f"<code>{text.replace(' | ', ' &#124; ')}</code>"


class _Types:
    def __init__(self, api: Api, *, responded: bool, is_argument: bool) -> None:
        self._api = api
        self._responded = responded
        self._is_argument = is_argument

    def text(self, shape: Shape) -> str:
        text = self._without_null(shape)
        return f"{text} | None" if shape.nullable and not isinstance(shape, Anything) else text

    def _without_null(self, shape: Shape) -> str:
        match shape:
            case Scalar():
                return self._scalar(shape)
            case Choice(closed=closed):
                values = "..." if is_long(shape) else ", ".join(f'"{value}"' for value in shape.values)
                return f"Literal&#91;{values}&#93;" + ("" if closed else " | UnknownStr")
            case Reference(name=name):
                return f"[{name}][{self._api.anchor(name)}]"
            case Many(items=items):
                return f"{'Sequence' if self._is_argument else 'list'}&#91;{self.text(items)}&#93;"
            case Map(values=values):
                return f"{'Mapping' if self._is_argument else 'dict'}&#91;str, {self.text(values)}&#93;"
            case Union(members=members):
                names = [self.text(member) for member in members]
                return " | ".join([*names, *(["Model"] if self._responded and self._may_grow(shape) else [])])
            case Anything():
                return "Any"

    def _scalar(self, scalar: Scalar) -> str:
        if scalar.secret and self._is_argument:
            return "str | SecretStr"
        if scalar.format == "date-time":
            return "datetime"
        if self._is_argument and scalar.format in _ARGUMENT_TYPES:
            return _ARGUMENT_TYPES[scalar.format]
        return _TYPES[scalar.type]

    def _may_grow(self, union: Union) -> bool:
        """Whether a response may have an object that is none of these."""
        return sum(isinstance(resolved(member, self._api.components), Record) for member in union.members) > 1
