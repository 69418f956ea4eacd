"""What holds raw values of a response that are no part of a model: only a dump has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, cast

from pydantic import BaseModel
from pydantic_core import SchemaSerializer, core_schema

from .model import Model, Unread, unread_of

_SLOTS: Final = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
# Models refuse the usual way, and these need no search through their bases.
_set_values, _set_given, _set_extra, _set_private = (BaseModel.__dict__[name].__set__ for name in _SLOTS)


def _dumped_as(raw_of: Callable[[Any], object]) -> SchemaSerializer:
    schema = core_schema.any_schema(serialization=core_schema.plain_serializer_function_ser_schema(raw_of))
    return SchemaSerializer(schema, core_schema.CoreConfig(ser_json_inf_nan="constants"))


class Hidden:
    """A raw value that may be secret. `repr` does not show it, and a pickle loses it; a deep copy does not."""

    __slots__ = ("raw",)
    __pydantic_serializer__ = _dumped_as(lambda hidden: hidden.raw)

    def __init__(self, raw: object = None) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return "'**********'"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hidden) and self.raw == other.raw

    def __deepcopy__(self, memo: object) -> Hidden:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Hidden, ()


class NoObject:
    """Mixed into a model for an item of a list of objects that is no object: without fields, dumped as it came."""

    def __repr_args__(self) -> tuple[Any, ...]:
        return ()

    def __reduce__(self: Any) -> tuple[Any, ...]:
        return _restored, (type(self).__mro__[2], self.__getstate__())


def no_object(model: type[Model], unread: Unread) -> Model:
    """An item that is no object."""
    return built(_no_object_class(model), {}, set(), {}, unread)


@cache
def _no_object_class(model: type[Model]) -> type[Model]:
    metaclass: Any = type(model)
    made = metaclass(model.__name__, (NoObject, model), {"__module__": model.__module__})
    made.__pydantic_serializer__ = _dumped_as(lambda item: cast("Unread", unread_of(item)).raw)
    return cast("type[Model]", made)


def _restored(model: type[Model], state: dict[Any, Any]) -> Model:
    made: Any = object.__new__(cast("Any", _no_object_class(model)))
    made.__setstate__(state)
    return cast("Model", made)


def built(
    model: type[Model], values: dict[str, Any], given: set[str], extra: dict[str, Any], unread: Unread | None = None
) -> Model:
    """A model with these values only, made in the way of its own copies."""
    made = object.__new__(model)
    _set_values(made, values)
    _set_given(made, given)
    _set_extra(made, extra)
    _set_private(made, {"unread": unread} if unread and unread.mismatches else None)
    return made
