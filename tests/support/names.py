"""The table of names (`names.md`): the Python names of all operations, parameters, fields and models.

Nothing here imports the SDK or knows its specs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, Literal, TypeAlias

Version: TypeAlias = Literal["v1", "v2", "v3"]

EXTENDS: Final = {"BuildDetail": "Build", "ProjectSettings": "Project"}
"""Schemas of v1.1 with the same fields as another one; the table of names lists these once."""

FIELD_NAMES: Final = {
    "_id": "id",
    "class": "class_",
    "continue": "continue_",
    "user?": "is_user",
    "authorized?": "is_authorized",
}
"""Section 4.5 of the table of names."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`name?` or `name=default` in a signature of the table."""

    name: str
    keyword: bool
    required: bool
    default: str | int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One operation in the table of names."""

    version: Version
    method: str
    path: str
    id: str
    resource: str
    name: str
    parameters: tuple[Parameter, ...]
    returns: tuple[str, ...]
    paging: str
    note: str


class Names:
    """The table of names: signatures, models, and Python names that differ from the wire name in snake_case."""

    def __init__(self, text: str) -> None:
        self._tables = list(_tables(text))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        return tuple(
            _row(_version(heading), cells)
            for heading, table in self._tables
            for cells in table
            if "operation id" in cells
        )

    @cached_property
    def wires(self) -> Mapping[str, frozenset[str]]:
        """Wire name -> Python names besides its own in snake_case; parts joined by slashes."""
        found: dict[str, set[str]] = {}
        for cells in chain.from_iterable(table for heading, table in self._tables if heading.startswith("5.2")):
            python = {name.partition("=")[0] for name in _quoted(cells["python"])}
            wires = _quoted(cells["wire"])
            for wire in ["/".join(wires)] if "+" in cells["wire"] else wires:
                found.setdefault(wire, set()).update(python)
        return {wire: frozenset(python) for wire, python in found.items()}

    def model(self, version: Version, place: str, default: str = "") -> str:
        """The class of a schema (`Build`), of a part of it (`Build.user`), or of a part of a body."""
        if name := self._models[version].get(place, default):
            return name
        owner, dot, rest = place.partition(".")
        if dot and version == "v1" and owner in EXTENDS:
            return self.model(version, EXTENDS[owner] + dot + rest)
        if not dot and place.isidentifier():
            return place
        raise LookupError(f"no model is named for {version} {place}")

    @cached_property
    def _models(self) -> Mapping[Version, Mapping[str, str]]:
        found: dict[Version, dict[str, str]] = {"v1": {}, "v2": {}}
        for heading, table in self._tables:
            if not re.match(r"4\.[1-4] ", heading):
                continue
            for cells in table:
                if "stands for" in cells:
                    name = _quoted(cells["name"])[0]
                    found[_version(heading)].update(dict.fromkeys(_quoted(cells["stands for"]), name))
                else:
                    found[_version(heading)][_quoted(cells["in the facts"])[0]] = _quoted(cells["here"])[0]
        for row in self.rows:
            for parameter, model in re.findall(r"`(\w+)` takes `(\w+)`", row.note):
                found[row.version][f"{row.resource}.{row.name}({parameter})"] = model
        return found


def snake(wire: str) -> str:
    """The Python name: snake_case of `page-token`, `orgID` and `org_id`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", wire).replace("-", "_").lower()


def _tables(text: str) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """All tables of a Markdown document: rows by column name, with the heading above."""
    heading, header, rows = "", list[str](), list[dict[str, str]]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            if rows:
                yield heading, rows
            header, rows = [], []
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not header:
            header = cells
        elif set(line) - set("|- "):
            rows.append(dict(zip(header, cells, strict=True)))


def _row(version: Version, cells: Mapping[str, str]) -> Row:
    method, _, path = cells["method and path"].partition(" ")
    call = re.fullmatch(r"`(\w+)\.(\w+)\((.*)\)`", cells["python"])
    assert call is not None, cells
    resource, name, signature = call.groups()
    return Row(
        version=version,
        method=method,
        path=path.strip("`"),
        id=cells["operation id"],
        resource=resource,
        name=name,
        parameters=tuple(parameters(signature)),
        returns=tuple(cells["returns"].split(" | ")),
        paging=cells["paging"].rstrip("*"),
        note=cells["note"],
    )


def parameters(signature: str) -> Iterator[Parameter]:
    """The parameters in the notation `a, *, b, c?, d=1`."""
    keyword = False
    for word in signature.split(", ") if signature else []:
        if word == "*":
            keyword = True
        elif word.endswith("?"):
            yield Parameter(word[:-1], keyword, required=False)
        elif "=" in word:
            name, _, default = word.partition("=")
            yield Parameter(name, keyword, required=False, default=json.loads(default))
        else:
            yield Parameter(word, keyword, required=True)


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _version(heading: str) -> Version:
    return "v1" if re.search(r"\bv1\b", heading) else "v2"
