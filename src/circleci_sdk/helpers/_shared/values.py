"""Results as values: pydantic validates and serializes them, with `TypeAdapter` or as fields of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


class Value:
    """Mixin of results, which are dataclasses. pydantic cannot read their annotations: most are for type checkers only.

    A result is dumped as its fields. An unavailable field is left out, and a field that is left out is unavailable in a
    result that is validated. An error is dumped as its type, its message and what is known of its call.
    """

    __slots__ = ()
    _may_have_gaps: ClassVar[bool] = False

    @classmethod
    def _from_data(cls, values: Mapping[str, Any]) -> Self:
        """The result with these fields. A `ValueError` refuses them: they belong to another type of a union."""
        return cls(**values)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from .schemas import schema_of

        return schema_of(cls, handler, may_have_gaps=cls._may_have_gaps)
