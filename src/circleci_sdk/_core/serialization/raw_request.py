"""`request`: the door to paths that no operation describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.operation import BOOLEAN, NUMBER, STRING, Api, Operation
from circleci_sdk._core.options import is_text

from .encode import json_key, wire_value
from .slugs import check_segment

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_REPLAYABLE: Final = ("GET", "HEAD", "PUT", "DELETE")
_ESCAPED: Final = re.compile(r"(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_API: Final = Api(name="client", base="", models="")


def free_operation(method: str, path: str) -> Operation[Any]:
    """An operation for one call to a path that the user wrote out."""
    if method not in _METHODS:
        raise InvalidArgumentError(f"request: method is one of {', '.join(_METHODS)}, not {method!r}.")
    if not is_text(path) or not path.startswith("/api/"):
        raise InvalidArgumentError("request: path starts with /api/, such as /api/v2/me; the host is the client's own.")
    if not _ESCAPED.fullmatch(path):
        raise InvalidArgumentError("request: path holds a character that must be escaped; parameters go into query=.")
    for segment in path.removesuffix("/").split("/")[1:]:
        check_segment(unquote(segment), "request: path")
    return Operation(
        api=_API,
        id="request",
        python_name="request",
        method=method,
        path=path,
        replayable=method in _REPLAYABLE,
        rate_group="client." + path.split("/")[2],
        secret=False,
    )


def free_query(query: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs out of strings, numbers, booleans and lists of them."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        json_key(name, "request: query")
        values = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
        pairs += ((name, _text(item, f"request: query {name}")) for item in values)
    return pairs


def _text(value: object, place: str) -> str:
    if isinstance(value, bool):
        return "true" if wire_value(BOOLEAN, value, place, "") else "false"
    kind = NUMBER if isinstance(value, int | float) else STRING
    return str(wire_value(kind, value, place, ""))
