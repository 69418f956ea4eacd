"""Facts about API v3 as `Operation`s: the rows of `api/v3.md` with the names of `v3_names`.

Nothing here imports the SDK or reads its specs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Final

from tests.support import v3_names
from tests.support.facts import Argument, Field, Operation, ParameterType, Shape
from tests.support.names import Parameter, parameters
from tests.support.v3_rows import Row, Tree, rows

BASE: Final = "/api/v3"

KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "analysis": ("charge.job", "charge.workflow", "charge.pipeline"),
    "channel": ("stable", "dev"),
    "config.type": ("vcs", "hosted"),
    "current_outcome": ("succeeded", "failed", "canceled", "errored", "unauthorized", "not_run"),
    "event.filter.preset": ("all-pushes", "only-tags", "default-branch-pushes"),
    "event.type": ("vcs", "webhook", "schedule"),
    "phase": ("created", "queued", "started", "ended"),
    "restriction_type": ("project", "expression", "group"),
    "segment": ("major", "minor", "patch"),
    "visibility": ("public", "private"),
}
"""Values of parameters, from the section on known values; unknown ones have to be marked."""

CONFLICTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "GET /orb/packages": (
        ("certified", "namespace_id"),
        ("certified", "visibility"),  # goes with a namespace only
    ),
    "GET /orb/versions": (("orb_id", "ref"),),
    "GET /projects": (("slug", "name"),),  # a name goes with an organization only
    "POST /orb/versions/{id}/promote": (("segment", "semantic_version"),),
}
"""Exclusive parameters by the notes of the rows, in addition to the groups in their queries."""

NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "GET /orb/versions": ("orb_id",),
    "POST /orb/versions/{id}/promote": ("segment",),
}
"""Parameters of which the notes of the rows require one."""

SCALARS: Final[Mapping[str, ParameterType]] = {
    "str": "string",
    "base64": "string",
    "uuid": "id",
    "time": "date-time",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class V3Operation(Operation):
    """An operation with its row. `id` is the key of the row."""

    row: Row = field(repr=False)

    @property
    def streams(self) -> bool:
        """Whether the method returns a stream."""
        return self.name.startswith("stream_")

    @property
    def has_pages(self) -> bool:
        """Whether a parameter takes the cursor of the next page."""
        return any(argument.name == "page_token" for argument in self.arguments)


@cache
def operations() -> tuple[V3Operation, ...]:
    """The operations of all rows with a signature, in the order of the document."""
    return tuple(_Join(row).operation() for row in rows() if row.key in v3_names.SIGNATURES)


def python_name(name: str) -> str:
    """The name of a query parameter by the rules."""
    inner = re.sub(r"^filter\[(.*)\]$", r"\1", name).replace("-", "_")
    return {"page[limit]": "page_size", "page[cursor]": "page_token", "from": "from_"}.get(inner, inner)


@dataclass(slots=True)
class _Join:
    row: Row
    resource: str = ""
    name: str = ""
    signature: dict[str, Parameter] = field(default_factory=dict[str, Parameter])

    def operation(self) -> V3Operation:
        row = self.row
        call = re.fullmatch(r"(\w+)\.(\w+)\((.*)\)", v3_names.SIGNATURES[row.key])
        assert call is not None, row.key
        self.resource, self.name, signature = call.groups()
        self.signature = {parameter.name: parameter for parameter in parameters(signature)}
        is_list = "list" in self.name.split("_") or self.name.startswith("search")
        return V3Operation(
            version="v3",
            id=row.key,
            resource=self.resource,
            name=self.name,
            method=row.method,
            path=BASE + row.path,
            arguments=self._arguments(),
            returns=(),
            paging=("cursor" if "page_token" in self.signature else "all") if is_list else "-",
            successes=(),
            body="none" if row.body is None else "required" if _has_required(row.body) else "optional",
            deprecated=False,
            conflicts=(*self._groups(), *CONFLICTS.get(row.key, ())),
            needed=(*self._required_groups(), *NEEDED.get(row.key, ())),
            bearer=row.key not in v3_names.CIRCLE_TOKEN,
            accept="application/json" if row.form in {"json", "nothing", "unread"} else "*/*",
            holders=tuple(_required_objects(row.body)) if row.body else (),
            row=row,
        )

    def _arguments(self) -> tuple[Argument, ...]:
        wires = {argument.name: argument for argument in self._wires()}
        assert wires.keys() == self.signature.keys(), f"{self.row.key}: {wires.keys() ^ self.signature.keys()}"
        return tuple(
            Argument(
                parameter.name,
                wires[parameter.name].wire,
                wires[parameter.name].place,
                wires[parameter.name].shape,
                keyword=parameter.keyword,
                required=parameter.required,
                default=parameter.default,
            )
            for parameter in self.signature.values()
        )

    def _wires(self) -> Iterator[Argument]:
        if "{id}" in self.row.path:
            name = next(iter(self.signature))
            yield Argument(name, "id", "path", Shape("string" if self._is_text(name) else "id"))
        for parameter in self.row.query:
            name = python_name(parameter.name)
            yield Argument(name, parameter.name, "query", self._query_shape(name))
        if self.row.body:
            yield from self._members(self.row.body, "", "")

    def _query_shape(self, name: str) -> Shape:
        """Queries have no types in the rows; names have."""
        if name in {"page_size", "execution", "step_num"}:
            return Shape("integer")
        if name in {"certified", "force"}:
            return Shape("boolean")
        if name in {"from_", "to"}:
            return Shape("date-time")
        return self._string(name, name)

    def _string(self, name: str, place: str) -> Shape:
        if name.endswith("_id") and not self._is_text(name):
            return Shape("id")
        return Shape("string", known=KNOWN.get(place, ()))

    def _is_text(self, name: str) -> bool:
        return (f"{self.resource}.{self.name}", name) in v3_names.TEXTS

    def _members(self, tree: Tree, wire: str, place: str) -> Iterator[Argument]:
        """The parameters of an object in the body. `place` is `wire` without the envelope."""
        for member in tree.members:
            here = f"{wire}.{member.name}".lstrip(".")
            below = place if member.name in ENVELOPE else f"{place}.{member.name}".lstrip(".")
            name = self._name(place, member.name)
            if member.tree.kind == "object" and name not in self.signature:
                yield from self._members(member.tree, here, below)
            else:
                yield Argument(name, here, "body", self._shape(member.tree, name, below, below))

    def _name(self, place: str, name: str) -> str:
        last = place.rpartition(".")[2]
        path = f"{place}.{name}".lstrip(".")
        rules = {"page.cursor": "page_token", "page.limit": "page_size", "scope.from": "from_", "from": "from_"}
        if (self.resource, path) in v3_names.RENAMED:
            return v3_names.RENAMED[self.resource, path]
        return rules.get(path) or (f"{last}_id" if name == "id" and last else name)

    def _shape(self, tree: Tree, name: str, place: str, model: str) -> Shape:
        match tree.kind:
            case "object":
                fields = (
                    Field(
                        member.name,
                        (member.name,),
                        self._shape(member.tree, "", f"{place}.{member.name}", f"{model}.{member.name}"),
                        required=member.required,
                        nullable=member.tree.nullable,
                    )
                    for member in tree.members
                )
                return Shape("object", fields=tuple(fields), model=self._model(model))
            case "list" if tree.items:
                return Shape("list", items=self._shape(tree.items, name, place, model))
            case "any" if name == "resource_class" or name in {"description", "nickname"}:
                return Shape("string")  # the older runner routes have no types; the responses have strings
            case "any":
                return Shape("map", items=Shape("any"))
            case "constant":
                return Shape("string", known=(tree.value,))
            case "str":
                return self._string(name, place)
            case _:
                return Shape(SCALARS[tree.kind])

    def _model(self, place: str) -> str:
        return v3_names.MODELS[f"{self.resource}.{self.name}({place})"]

    def _groups(self) -> Iterator[tuple[str, str]]:
        for group in {parameter.alternatives for parameter in self.row.query}:
            yield from combinations(map(python_name, group), 2)

    def _required_groups(self) -> Iterator[str]:
        groups = {parameter.alternatives for parameter in self.row.query if parameter.required}
        yield from (python_name(group[0]) for group in groups if group)


ENVELOPE: Final = frozenset({"data", "attributes", "references"})


def _has_required(tree: Tree) -> bool:
    return any(member.required for member in tree.members)


def _required_objects(tree: Tree, prefix: str = "") -> Iterator[str]:
    """The paths of the objects that a body has in any case, where they are no parameters."""
    for member in tree.members:
        if member.required and member.tree.kind == "object":
            yield f"{prefix}{member.name}"
            yield from _required_objects(member.tree, f"{prefix}{member.name}.")
