"""`client.request`: requests to paths that no operation describes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import unquote

from circleci_sdk._core.checks import check, got, is_text, one_of
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.operation import BOOLEAN, NUMBER, STRING, Api, Operation

from .arguments import checked, json_key
from .encode import as_text
from .slugs import check_segment

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_REPLAYABLE: Final = ("GET", "HEAD", "PUT", "DELETE")
_ESCAPED: Final = re.compile(r"(?:[\w.~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_VERSIONS: Final = frozenset({"v1", "v1.1", "v2", "v3", "private"})
"""Each has a rate limit of its own. A path that users write must add none, since clients remember each."""
_API: Final = Api(name="client", base="", models="")


def raw_operation(method: str, path: str) -> Operation[Any]:
    """An operation for one request to a path that the user wrote out."""
    check("client.request", method=(method, one_of(*_METHODS)))
    place = "client.request: path"
    if not is_text(path) or not path.startswith("/api/"):
        raise InvalidArgumentError(
            f"{place}: expected a path such as /api/v2/me, without a host, got {got(path, quotes=True)}."
        )
    if not _ESCAPED.fullmatch(path):
        raise InvalidArgumentError(f"{place}: expected an escaped path, with its parameters in query=.")
    for segment in path.removesuffix("/").split("/")[1:]:
        check_segment(unquote(segment), place)
    version = path.split("/")[2]
    return Operation(
        api=_API,
        id="request",
        python_name="request",
        method=method,
        path=path,
        replayable=method in _REPLAYABLE,
        rate_group=f"client.{version if version in _VERSIONS else 'other'}",
    )


def raw_query(query: Mapping[str, object]) -> list[tuple[str, str]]:
    """Pairs out of strings, numbers, booleans and lists of them."""
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        json_key(name, "query")
        for item in cast("list[object]", value) if isinstance(value, list | tuple) else [value]:
            expected = BOOLEAN if isinstance(item, bool) else NUMBER if isinstance(item, int | float) else STRING
            pairs.append((name, as_text(checked(expected, item, f"query {name}"))))
    return pairs
