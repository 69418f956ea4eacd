"""Compares the specs of API v3 with the rows of `api/v3.md`: every difference as a place and a sentence.

The specs are read as merged YAML, before the generator interprets them.

Three conventions of the document replace a difference: ids are UUIDs and times RFC 3339 where a row says `str`, known
values are open, and `page` is of no interest in the response of an operation that accepts no cursor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from codegen.spec import read_spec
from tests.support.places import ROOT
from tests.support.v3_rows import Kind, Member, Row, Tree

Node: TypeAlias = Mapping[str, Any]

PYTHON_NAMES: Final = {"page[limit]": "page_size", "page[cursor]": "page_token"}
STREAMS: Final = {"application/octet-stream": "bytes", "text/plain": "text", "application/x-ndjson": "lines"}
SCALARS: Final[dict[str, Kind]] = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
FORMATS: Final[dict[str, Kind]] = {"uuid": "uuid", "date-time": "time"}


class Difference(NamedTuple):
    """A difference of one operation: `place` is `query`, `body.<member>`, `response.<member>` or a part of its head."""

    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of the spec. `path` has the nameless `{id}` of the rows."""

    key: str
    node: Node
    document: Node

    def parameters(self) -> dict[str, Node]:
        """The query parameters by name."""
        nodes = [self._follow(node) for node in self.node.get("parameters", ())]
        return {node["name"]: node for node in nodes if node["in"] == "query"}

    def success(self) -> tuple[str, Node]:
        """The status and the response of a success."""
        [found] = [(status, node) for status, node in self.node["responses"].items() if status.startswith("2")]
        return found

    def body(self) -> Tree | None:
        """The request body."""
        if "requestBody" not in self.node:
            return None
        return self.tree(self.node["requestBody"]["content"]["application/json"]["schema"])

    def response(self) -> tuple[str, Tree | None]:
        """The form of the response, as rows call it, and its body."""
        content: Node = self.success()[1].get("content", {})
        if not content:
            return "nothing", None
        [(kind, media)] = content.items()
        tree = self.tree(media["schema"]) if "schema" in media else None
        return STREAMS.get(kind, "json"), tree

    def tree(self, node: Node) -> Tree:
        """A schema in the terms of the rows."""
        if node.get("x-any"):
            return Tree("any")
        target = self._follow(node)
        if "anyOf" in target:
            return Tree("union", variants=tuple(self.tree(variant) for variant in target["anyOf"]))
        types = [target["type"]] if isinstance(target["type"], str) else target["type"]
        [name] = [name for name in types if name != "null"]
        return self._typed(name, target, nullable="null" in types)

    def _typed(self, name: str, node: Node, *, nullable: bool) -> Tree:
        if name == "array":
            return Tree("list", items=self.tree(node["items"]), nullable=nullable)
        if name != "object":
            return Tree(FORMATS.get(node.get("format", ""), SCALARS[name]), nullable=nullable)
        if "additionalProperties" in node:
            return Tree("map", items=self.tree(node["additionalProperties"]), nullable=nullable)
        required = node.get("required", ())
        members = (Member(key, self.tree(child), key in required) for key, child in node["properties"].items())
        return Tree("object", tuple(members), nullable=nullable)

    def _follow(self, node: Node) -> Node:
        if "$ref" not in node:
            return node
        _, _, section, name = node["$ref"].split("/")
        target: Node = self.document["components"][section][name]
        return target


def operations(folder: Path = ROOT / "openapi" / "v3") -> dict[str, Operation]:
    """The operations of the specs by method and path, each path with nameless parameters."""
    document: Any = read_spec(folder).bundle()
    found: dict[str, Operation] = {}
    for path, methods in document["paths"].items():
        for method, node in methods.items():
            key = f"{method.upper()} {re.sub('{[a-z_]+}', '{id}', path)}"
            assert key not in found, key
            found[key] = Operation(key, node, document)
    return found


def differences(row: Row, operation: Operation) -> Iterator[Difference]:
    """Everything in which the operation of the spec departs from the row."""
    yield from _head(row, operation)
    yield from _query(row, operation)
    yield from _trees("body", row.body or Tree("object"), operation.body() or Tree("object"))
    form, tree = operation.response()
    if form != row.form:
        yield Difference("response", f"{row.form} in the row, {form} in the spec")
    if row.response and tree:
        pages = operation.node.get("x-paging", {}).get("style") == "cursor"
        both = (row.response, tree) if pages else (_without_page(row.response), _without_page(tree))
        yield from _trees("response", *both)


def _head(row: Row, operation: Operation) -> Iterator[Difference]:
    node = operation.node
    if not node.get("x-source"):
        yield Difference("x-source", "missing")
    if bool(node.get("x-undocumented")) != (row.grade == "B"):
        yield Difference("x-undocumented", f"grade {row.grade}")
    told = re.match(r"(?:[a-z]+; )?(20\d)\b", row.notes)
    if told and told[1] != operation.success()[0]:
        yield Difference("status", f"{told[1]} in the row, {operation.success()[0]} in the spec")
    for status in sorted(set(re.findall(r"\b[45]\d\d\b", row.notes)) - node["responses"].keys()):
        yield Difference("status", f"{status} in the row only")


def _query(row: Row, operation: Operation) -> Iterator[Difference]:
    known = operation.parameters()
    rules = operation.node.get("x-rules", ())
    listed = {frozenset(rule["exactly-one"]): "required" for rule in rules if "exactly-one" in rule}
    listed |= {frozenset(rule["at-most-one"]): "optional" for rule in rules if "at-most-one" in rule}
    for parameter in row.query:
        if parameter.name not in known:
            yield Difference("query", f"{parameter.name} in the row only")
        elif (parameter.required and not parameter.alternatives) != known[parameter.name].get("required", False):
            yield Difference("query", f"{parameter.name} {'required' if parameter.required else 'optional'} in the row")
        group = frozenset(map(_python_name, parameter.alternatives))
        if group and listed.get(group) != ("required" if parameter.required else "optional"):
            yield Difference("query", f"no rule for {_words(group)}")
    told = {frozenset(map(_python_name, parameter.alternatives)) for parameter in row.query}
    for group in listed.keys() - told:
        yield Difference("x-rules", f"{_words(group)} in the spec only")
    for name in sorted(known.keys() - {parameter.name for parameter in row.query}):
        yield Difference("query", f"{name} in the spec only")


def _python_name(name: str) -> str:
    return PYTHON_NAMES.get(name) or re.sub(r"^filter\[(.*)\]$", r"\1", name).replace("-", "_")


def _words(group: frozenset[str]) -> str:
    return " or ".join(sorted(group))


def _without_page(tree: Tree) -> Tree:
    return replace(tree, members=tuple(member for member in tree.members if member.name != "page"))


def _trees(place: str, row: Tree, spec: Tree) -> Iterator[Difference]:
    if row.kind != spec.kind and not _same_by_convention(place, row.kind, spec.kind):
        yield Difference(place, f"{row.kind} in the row, {spec.kind} in the spec")
        return
    if row.nullable != spec.nullable:
        yield Difference(place, f"null in the {'row' if row.nullable else 'spec'} only")
    if row.items and spec.items:
        yield from _trees(f"{place}[]" if row.kind == "list" else f"{place}{{*}}", row.items, spec.items)
    if len(row.variants) != len(spec.variants):
        yield Difference(place, "another number of variants")
    for ours, theirs in zip(row.variants, spec.variants, strict=False):
        yield from _trees(f"{place}|", ours, theirs)
    yield from _members(place, row, spec)


def _members(place: str, row: Tree, spec: Tree) -> Iterator[Difference]:
    ours, theirs = ({member.name: member for member in tree.members} for tree in (row, spec))
    for name, member in ours.items():
        inner = f"{place}.{name}"
        if name not in theirs:
            yield Difference(inner, "in the row only")
            continue
        if member.required != theirs[name].required:
            yield Difference(inner, f"{'required' if member.required else 'optional'} in the row")
        yield from _trees(inner, member.tree, theirs[name].tree)
    for name in theirs.keys() - ours.keys():
        yield Difference(f"{place}.{name}", "in the spec only")


def _same_by_convention(place: str, row: Kind, spec: Kind) -> bool:
    name = place.rsplit(".", 1)[-1]
    match row, spec:
        case (("constant" | "base64"), "str"):
            return True
        case "str", "uuid":
            return name == "id" or name.endswith("_id")
        case "str", "time":
            return name.endswith("_at")
        case _:
            return False
