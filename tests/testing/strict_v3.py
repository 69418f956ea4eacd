"""Checks responses of v3 against the table of its operations, without tolerance.

Required members are required, unknown ones are errors, and nothing is null that the table does not call so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tests.support.v3_rows import Row, Tree, rows

ROWS: Final[Mapping[str, Row]] = {each.key: each for each in rows()}
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "str": (str,),
    "base64": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "uuid": (str,),
    "time": (str,),
    "constant": (str,),
}


def row_of(method: str, path: str) -> Row:
    """The row of an operation. The names of its path parameters do not count."""
    return ROWS[f"{method} {re.sub('{[^}]*}', '{id}', path)}"]


def differences(row: Row, body: bytes) -> list[str]:
    """The differences between a successful response and its row."""
    match row.form:
        case "json" if row.response:
            return list(_value(row.response, json.loads(body), ""))
        case "lines" if row.response:
            return [each for line in body.splitlines() for each in _value(row.response, json.loads(line), "")]
        case "nothing":
            return [f"{body!r} is not empty"] if body else []
        case _:
            return []


def _value(tree: Tree, value: Any, place: str) -> Iterator[str]:
    if value is None:
        if not tree.nullable:
            yield f"{place} is null"
        return
    match tree.kind:
        case "object":
            yield from _object(tree, value, place)
        case "list" if tree.items:
            if not isinstance(value, list):
                yield f"{place}: {value!r} is no list"
                return
            for at, item in enumerate(value):
                yield from _value(tree.items, item, f"{place}[{at}]")
        case "map" if tree.items:
            for name, item in value.items():
                yield from _value(tree.items, item, f"{place}.{name}")
        case "union":
            tried = [list(_value(variant, value, place)) for variant in tree.variants]
            if all(tried):
                yield from min(tried, key=len)
        case "any":
            pass
        case _:
            yield from _scalar(tree, value, place)


def _object(tree: Tree, value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is no object"
        return
    known = {member.name: member for member in tree.members}
    if not tree.open:
        yield from (f"{place}.{name} is unknown" for name in value if name not in known)
    for name, member in known.items():
        if name in value:
            yield from _value(member.tree, value[name], f"{place}.{name}")
        elif member.required:
            yield f"{place}.{name} is missing"


def _scalar(tree: Tree, value: Any, place: str) -> Iterator[str]:
    if not isinstance(value, _TYPES[tree.kind]) or (isinstance(value, bool) and tree.kind != "bool"):
        yield f"{place}: {value!r} is no {tree.kind}"
    elif tree.kind == "constant" and value != tree.value:
        yield f"{place}: {value!r} is not {tree.value!r}"
    elif tree.kind in ("uuid", "time"):
        try:
            UUID(value) if tree.kind == "uuid" else datetime.fromisoformat(value)
        except ValueError:
            yield f"{place}: {value!r} is no {tree.kind}"
