"""Arguments into the path, the query and the body of a request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET

from .arguments import checked, given_arguments, secrets_of
from .slugs import check_segment, slug_segments

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation, Parameter

_SLUG_PARTS: Final[Mapping[str, int]] = {"project-slug": 3, "org-slug": 2}


def encode_path(operation: Operation[Any], arguments: Mapping[str, object]) -> str:
    """The path of a call, below the host: every value escaped within its own segment."""
    path = operation.path
    for parameter, value in given_arguments(operation.path_parameters, arguments):
        # Values are escaped, so that none of them holds the braces of another parameter.
        path = path.replace("{" + parameter.wire.replace("/", "}/{") + "}", _escaped(parameter, value))
    return operation.api.base + path


def _escaped(parameter: Parameter, value: object) -> str:
    expected, place = parameter.type, parameter.name
    text = as_text(checked(expected, value, place))
    count = _SLUG_PARTS.get(expected.name)
    if count is None or (expected.name == "project-slug" and "/" not in parameter.wire and _is_uuid(text)):
        check_segment(text, place)
        return quote(text, safe="")
    return quote("/".join(slug_segments(text, place, count=count, long_vcs=expected.long_vcs)), safe="/")


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4 and text.replace("-", "").isalnum() and "/" not in text


def as_text(ready: Any) -> str:
    """A checked string, number or boolean as it stands in a path or a query."""
    return ready if isinstance(ready, str) else str(ready).lower()


def encode_query(operation: Operation[Any], arguments: Mapping[str, object]) -> list[tuple[str, str]]:
    """The query of a call as pairs; a list repeats its key."""
    pairs: list[tuple[str, str]] = []
    for parameter, value in given_arguments(operation.query_parameters, arguments):
        ready = checked(parameter.type, value, parameter.name)
        texts = _list_texts(parameter, ready) if parameter.type.name == "list" else [as_text(ready)]
        pairs += ((name, text) for text in texts for name in (parameter.wire, *parameter.also))
    return pairs


def _list_texts(parameter: Parameter, ready: list[Any]) -> list[str]:
    texts = [as_text(item) for item in ready]
    if not texts and (parameter.required or not parameter.exploded):
        raise InvalidArgumentError(f"{parameter.name}: expected at least one item, got none.")
    if parameter.exploded:
        return texts
    if any("," in text for text in texts):
        raise InvalidArgumentError(f"{parameter.name}: expected items without commas, which separate them.")
    return [",".join(texts)]


def encode_body(operation: Operation[Any], arguments: Mapping[str, object]) -> bytes | None:
    """The JSON body of a call, or None when it has none."""
    if operation.body is None:
        return None
    fields: dict[str, Any] = {}
    for parameter, value in given_arguments(operation.body, arguments):
        ready = checked(parameter.type, value, parameter.name)
        for name in (parameter.wire, *parameter.also):
            *outer, last = name.split(".")
            reduce(lambda held, key: held.setdefault(key, {}), outer, fields)[last] = ready
    if not fields and not operation.body_required:
        return None
    return json_bytes(fields)


def json_bytes(ready: object) -> bytes:
    """Compact JSON in UTF-8 of a checked value."""
    return json.dumps(ready, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sent_secrets(operation: Operation[Any], arguments: Mapping[str, object]) -> Iterator[str]:
    """The secrets in the body of a call."""
    for parameter in operation.body or ():
        if parameter.name in arguments:
            yield from secrets_of(parameter.type, arguments[parameter.name])


def check_rules(operation: Operation[Any], arguments: Mapping[str, object]) -> None:
    """Refuse combinations of arguments that the API refuses. False counts as absent."""
    for kind, names in operation.rules:
        have = [name for name in names if not any(arguments.get(name, UNSET) is absent for absent in (UNSET, False))]
        if kind == "needs" and have == [names[0]]:
            raise InvalidArgumentError(f"{names[0]}: expected {' or '.join(names[1:])} with it, got none.")
        if kind == "at_most_one" and len(have) > 1:
            raise InvalidArgumentError(f"{' and '.join(have)}: expected at most one of them, got {len(have)}.")
        if kind == "exactly_one" and len(have) != 1:
            raise InvalidArgumentError(f"{' and '.join(names)}: expected exactly one of them, got {len(have)}.")
