"""The base class of all generated models, and the types of fields that make reading tolerant.

Unknown fields are kept, both spellings of a key are read, unknown values of an open set are read as `UnknownStr`, and
timestamps in every form that the API has been seen to use. Writing is strict, and does without models: see
`arguments`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, NamedTuple

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from circleci_sdk._core.printable import printable
from circleci_sdk._public import public

from .slugs import CLOUD_APP, pipeline_url

if TYPE_CHECKING:
    from circleci_sdk._core.mismatches import Mismatch


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
        return re.sub(_ZONE, _offset, value.removeprefix("#joda/inst").strip(' "'))
    if isinstance(value, datetime):
        return value
    raise PydanticCustomError("timestamp", "Input should be a timestamp")


def _offset(zone: re.Match[str]) -> str:
    return zone[1] or "Z"


_ZONE: Final = r" *(?:([+-]\d\d:?\d\d|Z)|UTC|GMT)(?: *[A-Z]{1,5}| [+-]\d\d|\[[^]]*\])?(?: m=\S*)?$"
"""An offset or a zone, and what programs write behind it: `+0000 UTC` (Go, with a monotonic clock), `Z[UTC]` (Java)."""


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
"""A point in time, always with an offset. Reads RFC 3339, `#joda/inst "..."`, a zone after an offset (`+0000 UTC`) and
times without an offset (UTC).

Digits finer than a microsecond are lost.
"""


class _Spellings(AliasGenerator):
    """Both spellings of a key. A name with one spelling has no alias: reading looks for each alias and the name."""

    def generate_aliases(self, field_name: str) -> tuple[None, AliasChoices | None, None]:
        return None, AliasChoices(field_name, field_name.replace("_", "-")) if "_" in field_name else None, None


class Unread(NamedTuple):
    """What a model keeps of a response that does not fit.

    `mismatches` are those of its fields, and of the models in them; `unset` the mismatches of its own fields, by name.
    `aside` are fields that are readable, but would not be dumped as they came: lists with an item that is no object,
    and unions of models. `kept` are the keys of the unknown fields that stand for `unset` and `aside` in a dump. `raw`
    is the value in place of an object.
    """

    operation: str
    mismatches: tuple[Mismatch, ...]
    unset: dict[str, Mismatch]
    aside: dict[str, Any]
    kept: frozenset[str]
    raw: object = None


class Model(BaseModel):
    """Base of all models.

    Fields that this version does not know are kept in `model_extra`. A field of a response that does not fit its type
    raises `FieldUnavailableError` when it is read; see `mismatches`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        populate_by_name=True,
        defer_build=True,
        protected_namespaces=(),
        ser_json_inf_nan="constants",
        strict=True,
        alias_generator=_Spellings(),
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package, dot, module = cls.__module__.rpartition(".")
        if dot and module.startswith("_"):
            cls.__module__ = package

    @property
    def mismatches(self) -> tuple[Mismatch, ...]:
        """The fields of this object, nested ones included, that came in another type than documented, or not at all."""
        unread = unread_of(self)
        return () if unread is None else unread.mismatches

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        unread = unread_of(self)
        if unread is None:
            if not self.__pydantic_extra__:
                return super().__repr_args__()
            return [(name and printable(name), value) for name, value in super().__repr_args__()]
        readable = [(name, value) for name, value in super().__repr_args__() if name not in unread.kept]
        readable = [(name and printable(name), value) for name, value in readable]
        return [*readable, *unread.aside.items(), *((name, _UNAVAILABLE) for name in unread.unset)]

    if not TYPE_CHECKING:  # for type checkers every field that is not declared is an error

        def __getattr__(self, name: str) -> Any:
            if unread := unread_of(self):
                if name in unread.aside:
                    return unread.aside[name]
                if name in unread.unset:
                    from circleci_sdk._core.mismatches import unavailable

                    raise unavailable(unread.operation, unread.unset[name])
            return super().__getattr__(name)


class _Unavailable:
    def __repr__(self) -> str:
        return "<unavailable>"


_UNAVAILABLE: Final = _Unavailable()


def unread_of(model: Model) -> Unread | None:
    """What it keeps of a response that does not fit; None if all fits."""
    # The slot of private attributes takes part in copies, pickles and comparisons, and costs nothing while it is empty.
    private = model.__pydantic_private__
    return private["unread"] if private else None


class PipelinePage(Model):
    """Adds `url` to the model of a pipeline."""

    if TYPE_CHECKING:
        project_slug: str
        number: int

    @property
    def url(self) -> str:
        """Its page in the web app of circleci.com. `helpers.Run.url` has the address on any other host."""
        return pipeline_url(CLOUD_APP, self.project_slug, self.number)
