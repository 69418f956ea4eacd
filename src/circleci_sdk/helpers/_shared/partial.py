"""Results with the gaps of the response: a field that is unavailable there is unavailable here.

A result that is reported, but not needed for the work, must not end it:

    RunJob(try_field(lambda: job.id), try_field(lambda: job.name), ...)

builds the result, and `name` raises `FieldUnavailableError` where it is used. `dataclasses.fields` of a result leaves
its gaps out, and so do `dataclasses.asdict` and pydantic; `dataclasses.replace` keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import Field, fields
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast

from circleci_sdk._core.errors import FieldUnavailableError
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.values import Value

T = TypeVar("T")
P = TypeVar("P", bound="Partial")
UNAVAILABLE: Final = "unknown"
"""The value of an unavailable field with an open set of values."""


_NO_ERRORS: Final[Mapping[str, FieldUnavailableError]] = MappingProxyType({})
"""Of all results without a gap: one object for each would take more memory than the rest."""


_NOTHING: Final = object()


def of_helper(error: FieldUnavailableError) -> FieldUnavailableError:
    """The error for users of a helper: its text gives no advice about a model, which they do not have."""
    made = copy(error)
    made.args = (str(error).partition(" getattr() reads")[0],)
    return made


class _Unavailable:
    """Stands for an unavailable field between `try_field` and the constructor of a result. It may have a substitute."""

    __slots__ = ("error", "substitute")

    def __init__(self, error: FieldUnavailableError, substitute: object = _NOTHING) -> None:
        self.error = of_helper(error)
        self.substitute = substitute


def try_field(read: Callable[[], T]) -> T:
    """The result of `read`, as an argument of a `Partial`, which raises the error of an unavailable field later."""
    try:
        return read()
    except FieldUnavailableError as error:
        return cast("T", _Unavailable(error))


def try_known(read: Callable[[], T], substitute: object = None) -> T:
    """As `try_field`, of a field that always has a value: `substitute`, by default that of `known`."""
    try:
        return read()
    except FieldUnavailableError as error:
        return cast("T", _Unavailable(error, known(read) if substitute is None else substitute))


def known(read: Callable[[], T]) -> T:
    """The result of `read`, which reads a field with an open set of values; of an unavailable field `UNAVAILABLE`.

    So the status of a part is never missing, and an unavailable one counts like any that this version does not know.
    """
    value = if_available(read)
    if value is not None:
        return value
    from circleci_sdk._core.serialization.model import UnknownStr

    return cast("T", UnknownStr(UNAVAILABLE))


class _Missing:
    """Stands for an argument that was not given: of `dataclasses.replace`, or of data that was validated."""

    def __repr__(self) -> str:
        return "<unavailable>"


_MISSING: Final = _Missing()


def _lost(kind: type, name: str) -> FieldUnavailableError:
    """The error for a gap in a result that was made from another one, or from data."""
    place = f"{kind.__name__}.{name}"
    message = f"{place}: the field was unavailable in the response."
    return FieldUnavailableError(message, place=place, received="missing")


class _Fields:
    """In place of `__dataclass_fields__`: all fields of a class, the available ones of a result."""

    def __init__(self, fields_by_name: dict[str, Field[Any]]) -> None:
        self._fields = fields_by_name

    def __get__(self, result: Partial | None, kind: type | None = None) -> dict[str, Field[Any]]:
        if result is None or result.is_complete:
            return self._fields
        return {name: one for name, one in self._fields.items() if hasattr(result, name)}


class Partial(Value):
    """Base of results whose fields may be unavailable.

    Subclasses are `dataclass(frozen=True, slots=True, eq=False, repr=False)`: the methods here know of gaps. An
    unavailable field is an empty slot, so that the others cost nothing. An argument that is left out is a gap too.
    """

    __slots__ = ("_errors",)
    _may_have_gaps: ClassVar[bool] = True
    if TYPE_CHECKING:
        __match_args__: ClassVar[tuple[str, ...]]

    _errors: Mapping[str, FieldUnavailableError]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # `dataclass` makes the class with slots from one that has its fields and its constructor already.
        fields_by_name = cls.__dict__.get("__dataclass_fields__")
        if fields_by_name is not None:
            type.__setattr__(cls, "__dataclass_fields__", _Fields(fields_by_name))  # of another type than declared
            init = cast("FunctionType", cls.__init__)
            if init.__defaults__:
                raise TypeError(f"{cls.__name__}: a field with a default would lose its gap in a copy by `replace`.")
            init.__defaults__ = (_MISSING,) * (init.__code__.co_argcount - 1)

    def __post_init__(self) -> None:
        errors: dict[str, FieldUnavailableError] = {}
        for name in self.__match_args__:
            value = getattr(self, name)
            if value is _MISSING:
                errors[name] = _lost(type(self), name)
                object.__delattr__(self, name)
            elif type(value) is _Unavailable:
                errors[name] = value.error
                if value.substitute is _NOTHING:
                    object.__delattr__(self, name)
                else:
                    object.__setattr__(self, name, value.substitute)
            elif isinstance(value, str) and type(value) is not str and value == UNAVAILABLE:
                errors[name] = _lost(type(self), name)  # a substitute, from another result or from data
        object.__setattr__(self, "_errors", errors or _NO_ERRORS)

    if not TYPE_CHECKING:  # type checkers would accept any name

        def __getattr__(self, name: str) -> Any:
            error = None if name.startswith("_") else self._errors.get(name)
            if error is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise copy(error)

    @property
    def is_complete(self) -> bool:
        """Whether all fields are available."""
        return not self._errors

    def _values(self) -> dict[str, Any]:
        """The fields that have a value, by name."""
        return {name: getattr(self, name) for name in self.__match_args__ if hasattr(self, name)}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), *self._values().items()))

    def __repr__(self) -> str:
        values = self._values()
        shown = (one.name for one in fields(cast("Any", type(self))) if one.repr)
        parts = (f"{name}={values[name]!r}" if name in values else f"{name}=<unavailable>" for name in shown)
        return f"{type(self).__name__}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self._values(), dict(self._errors))


def filled(part: P, other: P) -> P:
    """The part with the values of `other`, from a response about the same thing, in place of its gaps.

    Not those that are None: what was missing at another time may be there now.
    """
    if part.is_complete:
        return part
    _, values, errors = part.__reduce__()[1]
    _, others, gaps = other.__reduce__()[1]
    found = {name: others[name] for name in errors if name not in gaps and others.get(name) is not None}
    left = {name: error for name, error in errors.items() if name not in found}
    return _restored(type(part), {**values, **found}, left)


def _restored(kind: type[T], values: Mapping[str, Any], errors: Mapping[str, FieldUnavailableError]) -> T:
    made = kind.__new__(kind)
    for name, value in {**values, "_errors": errors or _NO_ERRORS}.items():
        object.__setattr__(made, name, value)
    return made
