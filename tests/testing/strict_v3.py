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
from tests.testing.structure import Differences

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
            return list(_Rows().of(row.response, json.loads(body), ""))
        case "lines" if row.response:
            return [each for line in body.splitlines() for each in _Rows().of(row.response, json.loads(line), "")]
        case "nothing":
            return [f"{body!r} is not empty"] if body else []
        case _:
            return []


class _Rows(Differences[Tree]):
    def of(self, structure: Tree, value: Any, place: str) -> Iterator[str]:
        if value is not None:
            yield from super().of(structure, value, place)
        elif not structure.nullable:
            yield f"{place} is null"

    def of_object(self, structure: Tree, value: dict[str, Any], place: str) -> Iterator[str]:
        known = {member.name: member for member in structure.members}
        if not structure.open:
            yield from (f"{place}.{name} is unknown" for name in value if name not in known)
        for name, member in known.items():
            if name in value:
                yield from self.of(member.tree, value[name], f"{place}.{name}")
            elif member.required:
                yield f"{place}.{name} is missing"

    def of_scalar(self, structure: Tree, value: Any, place: str) -> Iterator[str]:
        if not isinstance(value, _TYPES[structure.kind]) or (isinstance(value, bool) and structure.kind != "bool"):
            yield f"{place}: {value!r} is no {structure.kind}"
        elif structure.kind == "constant" and value != structure.value:
            yield f"{place}: {value!r} is not {structure.value!r}"
        elif structure.kind in ("uuid", "time"):
            try:
                UUID(value) if structure.kind == "uuid" else datetime.fromisoformat(value)
            except ValueError:
                yield f"{place}: {value!r} is no {structure.kind}"
