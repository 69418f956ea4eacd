"""The base class of all generated models, and the types that make reading tolerant.

Reading: unknown fields are kept, both spellings of a key are taken, unknown values of an open set read as
`UnknownStr`, timestamps are read in every form the API has been seen to use. Writing is strict: see
`nested_json`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, cast

from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ValidationError,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._public import public

from .encode import free_json, json_key


@public("circleci_sdk")
class UnknownStr(str):
    """A value that this version of the package does not know yet.

    Fields with an open set of values are typed `Literal[...] | UnknownStr`, so that a `match` over the known
    values and `case UnknownStr()` is exhaustive. To send a value that the package does not know, wrap it:
    `UnknownStr("new-value")`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"UnknownStr({str.__repr__(self)})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            json_schema=core_schema.no_info_after_validator_function(cls, core_schema.str_schema()),
            python_schema=core_schema.no_info_after_validator_function(_from_python, core_schema.any_schema()),
        )


class _Unconfirmed(UnknownStr):
    """An unknown value that came as a plain string from Python code: readable, but refused when it is sent."""

    __slots__ = ()


def _from_python(value: Any) -> UnknownStr:
    if isinstance(value, UnknownStr):
        return value
    if isinstance(value, str):
        return _Unconfirmed(value)
    raise PydanticCustomError("string_type", "Input should be a valid string")


class SecretText(str):
    """A secret that the API responded: a string whose `repr` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'**********'"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


def _usual_spelling(value: Any) -> Any:
    if isinstance(value, str):
        return value.removeprefix("#joda/inst").strip(' "')
    if isinstance(value, datetime):
        return value
    raise PydanticCustomError("timestamp", "Input should be a timestamp")


def _aware(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


class _Tolerant:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        usual = core_schema.datetime_schema(tz_constraint="aware", strict=True)
        # The usual spelling is tried first and never enters Python: a validator on every date costs a quarter.
        odd = core_schema.no_info_before_validator_function(_usual_spelling, core_schema.datetime_schema(strict=False))
        return core_schema.union_schema(
            [usual, core_schema.no_info_after_validator_function(_aware, odd)],
            mode="left_to_right",
            custom_error_type="timestamp",
            custom_error_message="Input should be a timestamp",
        )


Timestamp = Annotated[datetime, _Tolerant]
"""A point in time, always with an offset. Reads RFC 3339, `#joda/inst "..."` and times without an offset (UTC).

Digits finer than a microsecond are lost.
"""


def _spellings(name: str) -> str | AliasChoices:
    return AliasChoices(name, name.replace("_", "-")) if "_" in name else name


class Model(BaseModel):
    """Base of all models. Fields that this version does not know are kept in `model_extra`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        populate_by_name=True,
        defer_build=True,
        protected_namespaces=(),
        alias_generator=AliasGenerator(validation_alias=_spellings),
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package, dot, module = cls.__module__.rpartition(".")
        if dot and module.startswith("_"):
            cls.__module__ = package


def readable_place(location: tuple[int | str, ...]) -> str:
    """A place in a response as `items.3.created_at`; the names that unions add to it are left out."""
    return ".".join(str(part) for part in _fields(location))


def _fields(location: tuple[int | str, ...]) -> Iterator[int | str]:
    for part in location:
        if isinstance(part, int) or not (part in _UNION_MEMBERS or any(char in part for char in "[]()")):
            yield part


_UNION_MEMBERS: Final = frozenset({"str", "int", "float", "bool", "none", "any", "datetime", "is-instance", "nullable"})


def nested_json(models: tuple[type[Model], ...], value: object, place: str) -> Any:
    """The JSON of a nested request object, given as one of `models` or as a mapping with Python or wire names.

    Strict: a wrong type, an unknown key and an unknown value (unless wrapped in `UnknownStr`) are refused.
    """
    if isinstance(value, models):
        models = (type(value),)
    elif isinstance(value, BaseModel) or not isinstance(value, Mapping):
        names = " or ".join(model.__name__ for model in models)
        raise InvalidArgumentError(f"{place}: it takes {names} or a mapping, not {type(value).__name__}.")
    plain = _plain(cast("object", value), place)
    problems: list[str] = []
    for candidate in models:
        try:
            read = candidate.model_validate(plain, strict=True)
            _refuse_unknown(read, place)
        except ValidationError as error:
            problems += (
                f"{place}{''.join(_step(part) for part in _fields(detail['loc']))}: {detail['msg']}."
                for detail in error.errors(include_input=False, include_url=False)
            )
        except InvalidArgumentError as error:
            problems.append(str(error))
        else:
            return read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    raise InvalidArgumentError(" ".join(dict.fromkeys(problems[:4])))


def _step(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _plain(value: object, place: str) -> object:
    """The same data without models, so that what was set on them later is checked as well."""
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {json_key(key, place): _plain(item, f"{place}.{key}") for key, item in items}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{place}[{i}]") for i, item in enumerate(cast("Sequence[object]", value))]
    return free_json(value, place)


def _refuse_unknown(value: object, place: str) -> None:
    if isinstance(value, _Unconfirmed):
        raise InvalidArgumentError(
            f"{place}: {str(value)!r} is not a value that this version knows. "
            "Wrap it in UnknownStr(...) to send it all the same."
        )
    if isinstance(value, BaseModel):
        if value.model_extra:
            known = ", ".join(type(value).model_fields)
            extra = next(iter(value.model_extra))
            raise InvalidArgumentError(f"{place}.{extra}: {type(value).__name__} has no such key. It has: {known}.")
        for name in value.model_fields_set:
            _refuse_unknown(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            _refuse_unknown(item, f"{place}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)):
            _refuse_unknown(item, f"{place}[{index}]")
