"""The pydantic schemas of results, and of the errors in them. Loaded when pydantic asks for one."""

from __future__ import annotations

import builtins
import collections.abc
import dataclasses
import datetime
import pathlib
import sys
import typing
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

from pydantic_core import CoreSchema, core_schema

import circleci_sdk.v1.models
import circleci_sdk.v2.models
from circleci_sdk._core import errors
from circleci_sdk.helpers._shared import versions

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler

_FACTS: Final = (
    *("operation", "method", "path", "attempts", "elapsed", "retry_stop_reason", "request_outcome"),
    *("status", "request_id", "retry_after", "place", "expected", "received"),
)
"""What an error says beside its message. Neither bodies nor headers: they may hold secrets."""


_UNUSUAL: Final = (UnicodeError, BaseExceptionGroup)
"""Their constructors take more than a message."""


class _Names(dict[str, Any]):
    """The names in annotations: those of the module, and those that it imports for type checkers only."""

    def __init__(self, module: str, package: str) -> None:
        super().__init__()
        own = (sys.modules[module], sys.modules[package])
        self._modules: tuple[ModuleType, ...] = (*own, circleci_sdk.v2.models, circleci_sdk.v1.models, errors, versions)

    def __missing__(self, name: str) -> Any:
        for module in (*self._modules, datetime, pathlib, collections.abc, typing, builtins):
            if hasattr(module, name):
                value: Any = getattr(module, name)
                return cast("Any", Annotated[value, _ErrorSchema]) if _is_error(value) else value
        raise KeyError(name)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def hints_of(cls: type[Any]) -> dict[str, Any]:
    """The types of the fields of a result."""
    module = cast("FunctionType", cls.__init__).__globals__["__name__"]
    hints = typing.get_type_hints(cls, localns=_Names(module, cls.__module__), include_extras=True)
    return {one.name: hints[one.name] for one in dataclasses.fields(cls)}


def schema_of(cls: type[Any], handler: GetCoreSchemaHandler, *, may_have_gaps: bool) -> CoreSchema:
    """The schema of a result: an instance, or an object with its fields, some of which may be left out."""
    hints = hints_of(cls)
    missing = dataclasses.MISSING
    fields = core_schema.typed_dict_schema(
        {
            one.name: core_schema.typed_dict_field(
                handler.generate_schema(hints[one.name]),
                required=not may_have_gaps and one.default is missing and one.default_factory is missing,
            )
            for one in dataclasses.fields(cls)
        },
        cls_name=cls.__name__,
        config=core_schema.CoreConfig(title=cls.__name__, ser_json_inf_nan="constants"),
    )

    def dump(value: Any, serialize: core_schema.SerializerFunctionWrapHandler) -> Any:
        return serialize({one.name: getattr(value, one.name) for one in dataclasses.fields(value)})

    return _instance_or(cls, core_schema.no_info_after_validator_function(cls._from_data, fields), fields, dump)


def _instance_or(kind: type[Any], data: CoreSchema, dumped: CoreSchema, dump: Any) -> CoreSchema:
    """An instance, also from data, and its serialization."""
    return core_schema.json_or_python_schema(
        json_schema=data,
        python_schema=core_schema.union_schema([core_schema.is_instance_schema(kind), data], mode="left_to_right"),
        serialization=core_schema.wrap_serializer_function_ser_schema(dump, schema=dumped),
    )


class _ErrorSchema:
    """The schema of an error: its type, its message, and the facts of its call."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseException], handler: Any) -> CoreSchema:
        text, anything = core_schema.str_schema(), core_schema.any_schema()
        needed = {name: core_schema.typed_dict_field(text) for name in ("type", "message")}
        facts = {name: core_schema.typed_dict_field(anything, required=False) for name in _FACTS}
        data = core_schema.typed_dict_schema({**needed, **facts}, cls_name="Error")

        def build(values: dict[str, Any]) -> BaseException:
            return _error(source, **values)

        def dump(error: BaseException, serialize: core_schema.SerializerFunctionWrapHandler) -> Any:
            return serialize(facts_of(error))

        return _instance_or(source, core_schema.no_info_after_validator_function(build, data), data, dump)


def facts_of(error: BaseException) -> dict[str, Any]:
    """An error as plain data, without secrets."""
    known = {
        name: getattr(error, name)
        for name in _FACTS
        if isinstance(error, errors.CircleCIError) and hasattr(error, name)
    }
    return {"type": type(error).__name__, "message": str(error), **known}


def _error(least: type[BaseException], /, type: str, message: str, **facts: Any) -> BaseException:
    """The error with this type and message, of the base class `least` if its type is unknown here."""
    kind = _error_class(type, least)
    error = kind.__new__(kind, message)
    error.args = (message,)
    defaults: dict[str, Any] = {"headers": {}, "message": ""} if isinstance(error, errors.StatusError) else {}
    error.__dict__.update({**defaults, **facts})
    return error


def _error_class(name: str, least: type[BaseException]) -> type[BaseException]:
    """Only classes of the package and built-in ones: data never makes others."""
    for module in (sys.modules["circleci_sdk"], builtins):
        found: object = getattr(module, name, None)
        if isinstance(found, type) and issubclass(found, least) and not issubclass(found, _UNUSUAL):
            return found
    return least
