"""What users pass, checked and turned into what goes on the wire. Nothing that fails here was sent.

Each function names the argument and the remedy; a value that may be secret is never quoted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote
from uuid import UUID

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.operation import holds_secret
from circleci_sdk._core.unset import UNSET

from .slugs import ProjectSlug, check_segment, slug_segments

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation, Parameter, ParameterType, Rule


def encode_path(operation: Operation[Any], values: Mapping[str, object]) -> str:
    """The path of a call, below the host: every value escaped within its own segment."""
    texts = [operation.api.base]
    for piece in _pieces(operation):
        if isinstance(piece, str):
            texts.append(piece)
            continue
        value = values.get(piece.wire, piece.default)
        if value is UNSET or value is None:
            raise InvalidArgumentError(f"{piece.name}: it is part of the path and must be given.")
        texts.append(_path_text(piece, value))
    return "".join(texts)


@lru_cache(maxsize=512)
def _pieces(operation: Operation[Any]) -> tuple[str | Parameter, ...]:
    """The template of a path, cut at its parameters."""
    pieces: list[str | Parameter] = []
    rest = operation.path
    holders = {"/".join(f"{{{wire}}}" for wire in one.wire.split("/")): one for one in operation.path_parameters}
    for holder in sorted(holders, key=rest.index):
        before, _, rest = rest.partition(holder)
        pieces += (before, holders[holder])
    return (*pieces, rest)


def _path_text(parameter: Parameter, value: object) -> str:
    kind, place = parameter.kind, parameter.name
    if kind.name in ("project-slug", "org-slug"):
        segments = _slug(kind, value, place, parts=parameter.wire.count("/") + 1)
    else:
        text = _wire_text(kind, value, place)
        check_segment(text, place)
        segments = [text]
    return "/".join(quote(segment, safe="") for segment in segments)


def _slug(kind: ParameterType, value: object, place: str, *, parts: int) -> list[str]:
    if kind.name == "org-slug":
        return slug_segments(_text(value, place), place, count=2, example="gh/acme", long_vcs=kind.long_vcs)
    if parts == 1 and (isinstance(value, UUID) or (isinstance(value, str) and _is_uuid(value))):
        return [str(value)]
    text = str(value) if isinstance(value, ProjectSlug) else _text(value, place)
    return slug_segments(text, place, count=3, example="gh/acme/web", long_vcs=kind.long_vcs)


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and text.replace("-", "").isalnum() and "/" not in text


def encode_query(operation: Operation[Any], values: Mapping[str, object]) -> list[tuple[str, str]]:
    """The query of a call as pairs; a list repeats its key."""
    pairs: list[tuple[str, str]] = []
    for parameter, value in _given(operation.query_parameters, values):
        for text in _query_texts(parameter, value):
            pairs += ((name, text) for name in (parameter.wire, *parameter.also))
    return pairs


def _given(parameters: Iterable[Parameter], values: Mapping[str, object]) -> Iterator[tuple[Parameter, object]]:
    """The parameters that are sent, each with its value."""
    for parameter in parameters:
        value = values.get(parameter.wire, UNSET)
        if value is UNSET:
            value = parameter.default
        if value is not UNSET:
            yield parameter, value
        elif parameter.required:
            raise InvalidArgumentError(f"{parameter.name}: it must be given.")


def _query_texts(parameter: Parameter, value: object) -> Iterator[str]:
    kind, place = parameter.kind, parameter.name
    if kind.name != "list":
        yield _unicode(_wire_text(kind, value, place), place)
        return
    assert kind.items is not None
    texts = [
        _unicode(_wire_text(kind.items, item, f"{place}[{index}]"), f"{place}[{index}]")
        for index, item in enumerate(_sequence(value, place))
    ]
    if not texts and (parameter.required or not parameter.exploded):
        raise InvalidArgumentError(f"{place}: it is empty; name at least one.")
    if parameter.exploded:
        yield from texts
        return
    if any("," in text for text in texts):
        raise InvalidArgumentError(f"{place}: its items are joined by commas, so none may hold one.")
    yield ",".join(texts)


def encode_body(operation: Operation[Any], values: Mapping[str, object]) -> bytes | None:
    """The JSON body of a call, or None when it has none."""
    if operation.body is None:
        return None
    fields: dict[str, Any] = {}
    for parameter, value in _given(operation.body, values):
        ready = wire_value(parameter.kind, value, parameter.name, operation.api.models)
        fields.update((name, ready) for name in (parameter.wire, *parameter.also))
    if not fields and not operation.body_required:
        return None
    return json_bytes(fields)


def secrets_in(operation: Operation[Any], content: bytes | None) -> list[str]:
    """The secrets in a body that `encode_body` made."""
    secret = [parameter.wire for parameter in operation.body or () if holds_secret(parameter.kind)]
    if not secret or content is None:
        return []
    fields = json.loads(content)
    return [text for wire in secret for text in _texts(fields.get(wire))]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in cast("dict[str, object]", value).values():
            yield from _texts(item)


def json_bytes(value: object) -> bytes:
    """Compact JSON in UTF-8 of what `wire_value` or `free_json` made."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def check_rules(operation: Operation[Any], given: frozenset[str]) -> None:
    """Refuse combinations of arguments that the API refuses."""
    for rule in operation.rules:
        _check_rule(rule, given)


def _check_rule(rule: Rule, given: frozenset[str]) -> None:
    have = [name for name in rule.names if name in given]
    listed = " and ".join(rule.names) if len(rule.names) == 2 else ", ".join(rule.names)
    if rule.rule == "exactly_one" and len(have) != 1:
        raise InvalidArgumentError(f"{listed}: give exactly one of them, not {len(have)}.")
    if rule.rule == "at_most_one" and len(have) > 1:
        raise InvalidArgumentError(f"{' and '.join(have)}: they exclude each other, give one of them.")
    if rule.rule == "needs" and rule.names[0] in given and len(have) == 1:
        raise InvalidArgumentError(f"{rule.names[0]}: it is only taken together with {' or '.join(rule.names[1:])}.")


def wire_value(kind: ParameterType, value: object, place: str, models: str) -> Any:
    """A body value as JSON-ready data. `models` is the module that nested models come from."""
    if value is None:
        if kind.nullable:
            return None
        raise InvalidArgumentError(
            f"{place}: None is sent as null, which this field does not take. Leave it out instead."
        )
    match kind.name:
        case "list":
            assert kind.items is not None
            items = kind.items
            return [wire_value(items, item, f"{place}[{i}]", models) for i, item in enumerate(_sequence(value, place))]
        case "map":
            assert kind.items is not None
            items = kind.items
            return {
                json_key(key, place): wire_value(items, item, f"{place}.{key}", models)
                for key, item in _mapping(value, place).items()
            }
        case "model":
            from .model import nested_json

            module = import_module(models)
            return nested_json(tuple(getattr(module, name) for name in kind.models), value, place)
        case "any":
            return free_json(value, place)
        case "integer":
            return _integer(kind, value, place)
        case "number":
            return _number(value, place)
        case "boolean":
            return _boolean(value, place)
        case _:
            return _unicode(_wire_text(kind, value, place), place)


def _wire_text(kind: ParameterType, value: object, place: str) -> str:
    match kind.name:
        case "string":
            return _text(value, place)
        case "secret":
            return _secret_text(value, place)
        case "id":
            return str(value) if isinstance(value, UUID) else _text(value, place)
        case "integer":
            return str(_integer(kind, value, place))
        case "number":
            return repr(_number(value, place))
        case "boolean":
            return "true" if _boolean(value, place) else "false"
        case "choice":
            return _choice(kind, value, place)
        case "date-time":
            return _date_time(value, place)
        case "date":
            return _date(value, place)
        case "project-slug":
            return str(value) if isinstance(value, ProjectSlug) else _text(value, place)
        case _:
            return _text(value, place)


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(f"{place}: it takes a string, not {_type(value)}.")
    return str.__str__(value)


def _secret_text(value: object, place: str) -> str:
    reveal = getattr(value, "get_secret_value", None)
    return _text(reveal() if callable(reveal) else value, place)


def _integer(kind: ParameterType, value: object, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgumentError(f"{place}: it takes a whole number, not {_type(value)}.")
    if kind.minimum is not None and value < kind.minimum:
        raise InvalidArgumentError(f"{place}: it is at least {kind.minimum}, not {value}.")
    if kind.maximum is not None and value > kind.maximum:
        raise InvalidArgumentError(f"{place}: it is at most {kind.maximum}, not {value}.")
    return int(value)


def _number(value: object, place: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgumentError(f"{place}: it takes a number, not {_type(value)}.")
    if isinstance(value, int):
        return int(value)
    if not isfinite(value):
        raise InvalidArgumentError(f"{place}: JSON has no {value}.")
    return float(value)


def _boolean(value: object, place: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{place}: it takes True or False, not {_type(value)}.")
    return value


def _choice(kind: ParameterType, value: object, place: str) -> str:
    text = _text(value, place)
    if text in kind.values:
        return text
    known = ", ".join(kind.values)
    if kind.closed:
        raise InvalidArgumentError(f"{place}: {text!r} is not one of {known}.")
    from .model import UnknownStr

    if not isinstance(value, UnknownStr):
        raise InvalidArgumentError(
            f"{place}: {text!r} is not one of {known}. Wrap it in UnknownStr(...) to send it all the same."
        )
    return text


def _date_time(value: object, place: str) -> str:
    if not isinstance(value, datetime):
        raise InvalidArgumentError(f"{place}: it takes a datetime with a time zone, not {_type(value)}.")
    if value.utcoffset() is None:
        raise InvalidArgumentError(f"{place}: the datetime has no time zone; give it one, such as tzinfo=UTC.")
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise InvalidArgumentError(f"{place}: in UTC it lies outside the years 1 to 9999.") from None


def _date(value: object, place: str) -> str:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise InvalidArgumentError(f"{place}: it takes a date, not {_type(value)}.")
    return value.isoformat()


def _sequence(value: object, place: str) -> Sequence[object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise InvalidArgumentError(f"{place}: it takes a list, not {_type(value)}.")
    return cast("Sequence[object]", value)


def _mapping(value: object, place: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise InvalidArgumentError(f"{place}: it takes a mapping, not {_type(value)}.")
    return cast("Mapping[object, object]", value)


def json_key(key: object, place: str) -> str:
    """A key of a JSON object."""
    if not isinstance(key, str):
        raise InvalidArgumentError(f"{place}: its keys are strings, not {_type(key)}.")
    return _unicode(key, place)


def free_json(value: object, place: str) -> Any:
    """Any JSON value, checked all the way down; datetimes and UUIDs are written as text."""
    match value:
        case None | bool():
            return value
        case str():
            _unicode(value, place)
            return value  # as it is: an `UnknownStr` must stay one
        case int() | float():
            return _number(value, place)
        case datetime():
            return _date_time(value, place)
        case UUID():
            return str(value)
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return {json_key(key, place): free_json(item, f"{place}.{key}") for key, item in items}
        case list() | tuple():
            return [free_json(item, f"{place}[{i}]") for i, item in enumerate(cast("Sequence[object]", value))]
        case _:
            if hasattr(value, "get_secret_value"):
                return _secret_text(value, place)
            raise InvalidArgumentError(f"{place}: JSON has no form for {_type(value)}.")


def _unicode(text: str, place: str) -> str:
    if not text.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise InvalidArgumentError(f"{place}: it holds half a character, which has no UTF-8 form.")
    return str.__str__(text)  # not str(text): an enumeration with text values would give its own name


def _type(value: object) -> str:
    return "None" if value is None else type(value).__name__
