"""Checks arguments and turns them into JSON-ready values. What fails here was not sent.

Each error names the argument, what was expected and what came. A value that may be secret is never quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast
from uuid import UUID

from circleci_sdk._core.checks import is_printable
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.operation import ANY
from circleci_sdk._core.unset import UNSET

from .slugs import ProjectSlug

if TYPE_CHECKING:
    from circleci_sdk._core.operation import ObjectType, Parameter, ParameterType


def given_arguments(
    parameters: Iterable[Parameter], arguments: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[Parameter, object]]:
    """The parameters that are sent, each with its value, not checked yet. `arguments` go by Python name."""
    for parameter in parameters:
        value = arguments.get(parameter.name, UNSET)
        if value is UNSET:
            value = parameter.default
        if value is None and not parameter.required and not parameter.type.nullable:
            raise _mismatch(parameter.type, value, prefix + parameter.name, "; leave it out instead")
        if value is not UNSET:
            yield parameter, value
        elif parameter.required:
            raise InvalidArgumentError(f"{prefix}{parameter.name}: expected {_noun(parameter.type)}, got nothing.")


def checked(expected: ParameterType, value: object, place: str) -> Any:
    """A value as JSON-ready data. `place` names it in errors."""
    if value is None and expected.nullable:
        return None
    _, convert, types, other_types = _TYPES[expected.name]
    if not isinstance(value, types) or isinstance(value, other_types):
        raise _mismatch(expected, value, place)
    return convert(expected, value, place)


def json_key(key: object, place: str) -> str:
    """A key of a JSON object."""
    if isinstance(key, str):
        return _encodable(key, place)
    raise InvalidArgumentError(f"{place}: expected keys of type str, got {type(key).__name__}.")


def _mismatch(expected: ParameterType, value: object, place: str, remedy: str = "") -> InvalidArgumentError:
    got = "None" if value is None else type(value).__name__
    return InvalidArgumentError(f"{place}: expected {_noun(expected)}, got {got}{remedy}.")


def _noun(expected: ParameterType) -> str:
    return " or ".join((*(member.name for member in expected.members), _TYPES[expected.name].noun))


def _encodable(text: str, place: str) -> str:
    if not text.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise InvalidArgumentError(f"{place}: expected Unicode, got a lone surrogate, which has no UTF-8 form.")
    return str.__str__(text)  # not str(text): an enumeration of strings would give its own name


def _string(expected: ParameterType, value: str | UUID | ProjectSlug, place: str) -> str:
    return _encodable(value, place) if isinstance(value, str) else str(value)


def _secret(expected: ParameterType, value: Any, place: str) -> str:
    secret = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    if not isinstance(secret, str):
        raise _mismatch(expected, secret, place)
    return _encodable(secret, place)


def _boolean(expected: ParameterType, value: bool, place: str) -> bool:
    return value


def _integer(expected: ParameterType, value: int, place: str) -> int:
    if not is_printable(value):
        raise InvalidArgumentError(f"{place}: expected an int with fewer digits, got a huge int.")
    if expected.minimum is not None and value < expected.minimum:
        raise InvalidArgumentError(f"{place}: expected at least {expected.minimum}, got {value}.")
    if expected.maximum is not None and value > expected.maximum:
        raise InvalidArgumentError(f"{place}: expected at most {expected.maximum}, got {value}.")
    return int(value)


def _number(expected: ParameterType, value: int | float, place: str) -> int | float:
    if isinstance(value, int):
        return _integer(expected, value, place)
    if not isfinite(value):
        raise InvalidArgumentError(f"{place}: expected a finite number, got {value}.")
    return float(value)


def _choice(expected: ParameterType, value: str, place: str) -> str:
    text = _encodable(value, place)
    if text in expected.values:
        return text
    from .model import UnknownStr  # loaded already if there is one

    # Not `isinstance`: models read unknown plain strings of Python code as a subclass, and those are refused.
    if type(value) is UnknownStr and not expected.closed:
        return text
    remedy = "" if expected.closed else " Wrap it in UnknownStr(...) to send it anyway."
    raise InvalidArgumentError(f"{place}: expected one of {', '.join(expected.values)}, got {text!r}.{remedy}")


def _date_time(expected: ParameterType, value: datetime, place: str) -> str:
    if value.utcoffset() is None:
        raise _mismatch(expected, value, place, " without a time zone; give it one, such as tzinfo=UTC")
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise InvalidArgumentError(f"{place}: expected a year from 1 to 9999 in UTC, got another one.") from None


def _list(expected: ParameterType, value: Sequence[object], place: str) -> list[Any]:
    items = expected.items or ANY
    return [checked(items, item, f"{place}[{index}]") for index, item in enumerate(value)]


def _map(expected: ParameterType, value: Mapping[object, object], place: str) -> dict[str, Any]:
    values = expected.items or ANY
    return {json_key(key, place): checked(values, item, f"{place}.{key}") for key, item in value.items()}


def _any(expected: ParameterType, value: object, place: str) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return _encodable(value, place)
        case int() | float():
            return _number(expected, value, place)
        case list() | tuple():
            return _list(expected, cast("Sequence[object]", value), place)
        case Mapping():
            return _map(expected, cast("Mapping[object, object]", value), place)
        case datetime():
            return _date_time(expected, value, place)
        case UUID():
            return str(value)
        case _ if hasattr(value, "get_secret_value"):
            return _secret(expected, value, place)
        case _:
            raise _mismatch(expected, value, place)


def _object(expected: ParameterType, value: object, place: str) -> dict[str, Any]:
    """A nested object. The first member that it fits is taken."""
    problems: list[str] = []
    for member, fields in _candidates(expected, value):
        try:
            return _fields(member, fields, place)
        except InvalidArgumentError as error:
            problems.append(str(error))
    raise InvalidArgumentError(" ".join(problems)) if problems else _mismatch(expected, value, place)


def _candidates(expected: ParameterType, value: object) -> list[tuple[ObjectType, Mapping[Any, object]]]:
    """The members that a mapping may fit, or those whose model was given, each with the fields that it gets."""
    if isinstance(value, Mapping):
        return [(member, cast("Mapping[Any, object]", value)) for member in expected.members]
    classes = {base.__name__ for base in type(value).__mro__ if hasattr(base, "model_fields")}
    return [(member, _fields_of_model(value, member)) for member in expected.members if member.name in classes]


def _fields_of_model(model: Any, expected: ObjectType) -> Mapping[Any, object]:
    """What was given to a model or set on it later. None is how models say that a field is left out."""
    given: dict[Any, object] = {name: getattr(model, name) for name in model.model_fields_set}
    given |= model.model_extra or {}
    nullable = {field.name for field in expected.fields if field.type.nullable}
    return {name: value for name, value in given.items() if value is not None or name in nullable}


def _fields(expected: ObjectType, values: Mapping[Any, object], place: str) -> dict[str, Any]:
    given: dict[str, object] = {}
    for key, value in values.items():
        field = expected.spellings.get(json_key(key, place))
        if field is None:
            names = ", ".join(field.name for field in expected.fields)
            raise InvalidArgumentError(f"{place}: {expected.name} has no key {key!r}. It has {names}.")
        if field.name in given:
            raise InvalidArgumentError(f"{place}.{field.name}: expected one value, got two spellings of the key.")
        given[field.name] = value
    arguments = given_arguments(expected.fields, given, f"{place}.")
    return {field.wire: checked(field.type, value, f"{place}.{field.name}") for field, value in arguments}


def secrets_of(expected: ParameterType, value: object) -> Iterator[str]:
    """The secrets in a value: what its type calls a secret, and whatever is a `SecretStr`."""
    if expected.name == "secret" or hasattr(value, "get_secret_value"):
        secret: object = getattr(value, "get_secret_value", lambda: value)()
        if isinstance(secret, str):
            yield str.__str__(secret)
    elif isinstance(value, Mapping):
        fields = {key: field for member in expected.members for key, field in member.spellings.items()}
        for key, item in cast("Mapping[Any, object]", value).items():
            yield from secrets_of(fields[key].type if key in fields else expected.items or ANY, item)
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[object]", value):
            yield from secrets_of(expected.items or ANY, item)
    elif hasattr(value, "model_fields_set"):
        for member in expected.members:
            yield from secrets_of(expected, _fields_of_model(value, member))


class _Type(NamedTuple):
    """What errors call a type, the conversion of its values, and their Python types: any of `types`, none of `not_`."""

    noun: str
    convert: Callable[[ParameterType, Any, str], Any]
    types: type | tuple[type, ...] = object
    not_: type | tuple[type, ...] = ()


_TYPES: Final[Mapping[str, _Type]] = {
    "any": _Type("a JSON value", _any),
    "boolean": _Type("bool", _boolean, bool),
    "choice": _Type("str", _choice, str),
    "date-time": _Type("datetime with a time zone", _date_time, datetime),
    "id": _Type("str or UUID", _string, (str, UUID)),
    "integer": _Type("int", _integer, int, not_=bool),
    "list": _Type("a list", _list, Sequence, not_=(str, bytes)),
    "map": _Type("a mapping", _map, Mapping),
    "number": _Type("int or float", _number, (int, float), not_=bool),
    "object": _Type("a mapping", _object),
    "org-slug": _Type("str", _string, str),
    "project-slug": _Type("str or ProjectSlug", _string, (str, ProjectSlug, UUID)),
    "secret": _Type("str or SecretStr", _secret),
    "string": _Type("str", _string, str),
}
