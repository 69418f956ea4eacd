"""Facts about the API, read from the documents that the specs were written from.

`api/v2.json` and `api/v1.json` describe requests and responses; `names.md` defines the Python names. Together they
give an `Operation` with its arguments and responses, independent of our own specs and tables.

Nothing here imports the SDK.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from tests.support import amendments
from tests.support.names import FIELD_NAMES, Names, Row, Version, snake

Node: TypeAlias = Mapping[str, Any]
Place: TypeAlias = Literal["path", "query", "body"]
ParameterType: TypeAlias = Literal[
    "string",
    "id",
    "date-time",
    "integer",
    "number",
    "boolean",
    "any",
    "list",
    "map",
    "object",
    "union",
    "slug",
    "words",
]

VERSIONS: Final[tuple[Version, ...]] = ("v1", "v2")

COUNTS: Final = frozenset({"total-flaky-tests"})
"""Fields that the documents call `double`, and that hold an integer in every recorded response."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The structure of a value: a scalar, a list or a map of `items`, an object with `fields`, one of `variants`.

    `model` is the Python class of an object. `known` are the documented values of a string; with `open` there may
    be others. `words` is a list sent as one comma-separated string, `slug` several segments of a path.
    """

    kind: ParameterType
    items: Shape | None = None
    fields: tuple[Field, ...] = ()
    variants: tuple[Shape, ...] = ()
    known: tuple[str, ...] = ()
    open: bool = False
    pattern: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object. `spellings` are its names on the wire, the observed one first.

    `missing` marks a required field that is null or absent in practice.
    """

    name: str
    spellings: tuple[str, ...]
    shape: Shape
    required: bool
    nullable: bool
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """One parameter of a Python method and its place in the request.

    `wire` is the name on the wire, `parts` the path parameters filled by a slug, `also` further names to send.
    `default` is the value sent without the argument.
    """

    name: str
    wire: str
    place: Place
    shape: Shape
    keyword: bool = False
    required: bool = False
    default: str | int | None = None
    parts: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Success:
    """A successful response: its status and the shape of its body. Without a shape the body is ignored.

    `extras` are keys of a page besides its items and the next page token.
    """

    status: int
    form: Literal["object", "page", "items", "array", "map", "nothing"]
    shape: Shape | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its Python side (`resource`, `name`, `arguments`) and its HTTP side.

    `conflicts` are pairs of exclusive parameters, `needed` those that a rule requires. A `bearer` token is sent in
    `Authorization`. `holders` are objects of the body that are sent in any case, as paths.
    """

    version: Version
    id: str
    resource: str
    name: str
    method: str
    path: str
    arguments: tuple[Argument, ...]
    returns: tuple[str, ...]
    paging: str
    successes: tuple[Success, ...]
    body: Literal["none", "optional", "required"]
    deprecated: bool
    conflicts: tuple[tuple[str, str], ...] = ()
    needed: tuple[str, ...] = ()
    bearer: bool = False
    accept: str = "application/json"
    holders: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.version}.{self.resource}.{self.name}"

    @property
    def lists(self) -> bool:
        return self.paging != "-"

    @property
    def route(self) -> str:
        """The method and the path below the base of the version."""
        return route(self.method, re.sub(r"^/api/v[\d.]+", "", self.path))


def route(method: str, path: str) -> str:
    """A method and a path in which the names of parameters do not count: `GET /context/{}`."""
    return f"{method} {re.sub('{[^}]*}', '{}', path)}"


def operations(folder: Path) -> tuple[Operation, ...]:
    """All operations of the SDK, in the order of the table of names."""
    names = Names(amendments.amended_names(folder.joinpath("names.md").read_text(encoding="utf-8")))
    api = {version: json.loads(folder.joinpath("api", f"{version}.json").read_text("utf-8")) for version in VERSIONS}
    for fact in api["v2"]["operations"]:
        fact.update(amendments.OPERATIONS.get(route(fact["method"], fact["path"]), {}))
    api["v2"]["schemas"].update(amendments.SCHEMAS)
    return tuple(_Join(row, api[row.version], names).operation() for row in names.rows)


# The facts, joined with the table of names.


@dataclass(slots=True)
class _Join:
    row: Row
    api: Node
    names: Names
    fact: Node = field(init=False)

    def __post_init__(self) -> None:
        [self.fact] = [
            fact
            for fact in self.api["operations"]
            if (fact["method"], fact["path"]) == (self.row.method, self.row.path)
        ]

    def operation(self) -> Operation:
        row, request = self.row, self.fact["request_body"]
        base = re.sub(r"^https?://[^/]+", "", self.api["meta"]["base_url"])
        return Operation(
            version=row.version,
            id=row.id,
            resource=row.resource,
            name=row.name,
            method=row.method,
            path=base + row.path,
            arguments=self._arguments(),
            returns=row.returns,
            paging=row.paging,
            successes=tuple(self._successes()),
            body="none" if not request else "required" if request["required"] else "optional",
            deprecated=self.fact["deprecated"],
        )

    def _arguments(self) -> tuple[Argument, ...]:
        """The parameters of the signature, each with its wire parameter."""
        wires = list(self._wires())
        arguments: list[Argument] = []
        for parameter in self.row.parameters:
            found = [wire for wire in wires if parameter.name in self._python_names(wire)]
            if not found and parameter.name == "page_token":
                found = [Argument("", "page-token", "query", Shape("string"))]
            [wire] = found
            arguments.append(
                replace(
                    wire,
                    name=parameter.name,
                    keyword=parameter.keyword,
                    required=parameter.required,
                    default=parameter.default,
                )
            )
        forgotten = {wire.wire for wire in wires} - {argument.wire for argument in arguments}
        assert not forgotten, f"{self.row.id}: no parameter for {forgotten}"
        return tuple(arguments)

    def _python_names(self, wire: Argument) -> frozenset[str]:
        """Python names of a wire parameter; its own in snake_case only if the table has no other."""
        taken = {parameter.name for parameter in self.row.parameters}
        others = self.names.wires.get(wire.wire, frozenset()) & taken
        return others or frozenset({snake(wire.wire)})

    def _wires(self) -> Iterator[Argument]:
        path = re.findall(r"{([^}]+)}", self.row.path)
        for wire in sorted(self.names.wires, key=len, reverse=True):
            parts = wire.split("/")
            if len(parts) > 1 and path[: len(parts)] == parts:
                path = path[len(parts) :]
                yield Argument("", wire, "path", Shape("slug"), parts=tuple(parts))
        place = (self.row.version, route(self.row.method, self.row.path))
        for name in amendments.ADDED_PARAMETERS.get(place, ()):
            yield Argument("", name, "query", Shape("boolean"))
        for node in self.fact["parameters"]:
            if node["name"] in amendments.DROPPED_PARAMETERS.get(place, ()):
                continue
            if node["in"] == "query":
                yield Argument("", node["name"], "query", self._parameter(node))
            elif node["name"] in path:
                slug = node["name"] in {"project-slug", "org-slug"}
                shape = Shape("slug") if slug else self._parameter(node)
                yield Argument("", node["name"], "path", shape, parts=(node["name"],) if slug else ())
        body: Node = self.fact["request_body"] or {"fields": []}
        for node in body["fields"]:
            place = f"{self.row.resource}.{self.row.name}({snake(node['name'])})"
            also: tuple[str, ...] = (node["alt_name"],) if "alt_name" in node else ()
            yield Argument("", node["name"], "body", self._shape(node, place), also=also)

    def _parameter(self, node: Node) -> Shape:
        shape = self._shape(node, "")
        return replace(shape, kind="words") if node["name"] == "claims" else shape

    def _successes(self) -> Iterator[Success]:
        """Successful responses of the facts, and of the table of names."""
        told = [success for fact in self.fact["success"] for success in self._success(fact)]
        yield from told
        if "None" in self.row.returns and all(success.shape for success in told):
            yield Success(204, "nothing")
        if "MessageResponse" in self.row.returns and not any(
            success.shape and success.shape.model == "MessageResponse" for success in told
        ):
            yield Success(200, "object", self._schema("MessageResponse"))

    def _success(self, fact: Node) -> Iterator[Success]:
        status, form = fact["status"], fact["shape"]
        if form in {"none", "unknown", "json_string"}:
            yield Success(status, "nothing")
        elif form == "union":
            for name in fact["variants"]:
                if self.names.model(self.row.version, name) in self.row.returns:
                    yield Success(status, "object", self._schema(name))
        elif form == "array":
            yield Success(status, "array", self._schema(fact["item_schema"]))
        elif form in {"page", "items_only"}:
            yield Success(status, "page" if form == "page" else "items", self._schema(fact["item_schema"]))
        elif self.row.paging != "-":
            fields: dict[str, Node] = {node["name"]: node for node in self.api["schemas"][fact["schema"]]["fields"]}
            extras = tuple(fields.keys() - {"items", "next_page_token"})
            form = "page" if "next_page_token" in fields else "items"
            yield Success(status, form, self._schema(fields["items"]["items"]["ref"]), extras)
        else:
            yield Success(status, "map" if form == "map" else "object", self._schema(fact["schema"]))

    def _schema(self, name: str) -> Shape:
        return self._shape(self.api["schemas"][name], name)

    def _shape(self, node: Node, place: str) -> Shape:
        """The shape of a node of the facts; `place` is the location of an object, used for its name."""
        if "ref" in node:
            shape = self._schema(node["ref"])
            return replace(shape, model=self.names.model(self.row.version, place, shape.model))
        kind = _kind(node)
        if kind == "array":
            items = node.get("items", {"type": "any"})
            enum = {key: node[key] for key in ("enum", "open") if key in node}
            return Shape("list", items=self._shape({**items, **enum}, place + "[]"))
        if kind == "map" and not node.get("fields"):
            values = node.get("values", {"type": "any"})
            if "documented_values" in node:
                return Shape("map", items=Shape("union", variants=self._policies(node)))
            return Shape("map", items=self._shape(values, place + "{}"))
        if kind in {"object", "map"} and node.get("fields"):
            return self._object(node, place)
        if kind == "object":
            return Shape("map", items=Shape("any"))
        if node.get("variants"):
            variants = [self._shape(variant, f"{place}|{n}") for n, variant in enumerate(node["variants"])]
            return Shape("union", variants=tuple(variants))
        return _scalar(node)

    def _policies(self, node: Node) -> tuple[Shape, ...]:
        """The documentation is inconsistent: a bundle maps to policies, lists of policies or strings. All are read."""
        return self._shape(node["values"], ""), self._shape(node["documented_values"], ""), Shape("string")

    def _object(self, node: Node, place: str) -> Shape:
        fields: dict[str, Field] = {}
        for child in node["fields"]:
            new = self._field(child, place)
            old = fields.get(new.name)
            fields[new.name] = replace(old, spellings=old.spellings + new.spellings) if old else new
        model = "" if node["type"] == "map" else self.names.model(self.row.version, place)
        return Shape("object", fields=tuple(fields.values()), model=model)

    def _field(self, node: Node, place: str) -> Field:
        wire = node["name"]
        spellings = dict.fromkeys([node.get("wire_name", wire), wire])
        return Field(
            name=FIELD_NAMES.get(wire, snake(wire)),
            spellings=tuple(spellings),
            shape=self._shape(node, f"{place}.{wire}"),
            required=node.get("required", node.get("always_present", False)),
            nullable=node.get("nullable", False),
            missing=node.get("nullable_observed", False),
        )


def _kind(node: Node) -> str:
    """The type of a node; `object` if it is one of several types."""
    if isinstance(node["type"], str):
        return node["type"]
    return "object" if "object" in node["type"] else "any"


def _scalar(node: Node) -> Shape:
    match _kind(node):
        case "number" if node.get("name") in COUNTS:
            return Shape("integer")
        case "integer" | "number" | "boolean" as kind:
            return Shape(kind)
        case "string":
            pass
        case _:
            return Shape("any")
    if node.get("format") == "uuid" or "UUID in practice" in node.get("note", ""):
        return Shape("id")
    if node.get("format") == "date-time" or re.search(r"[-_]at$", node.get("name", "")):
        return Shape("date-time")
    known: Sequence[str] = node.get("enum") or node.get("known_values") or ()
    return Shape("string", known=tuple(known), open=node.get("open", False), pattern=node.get("pattern", ""))
