"""Reads openapi/migration.yaml. Operations are named as in the specs, which know their paths and their dates."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from codegen.components import read_components
from codegen.operations import read_resources
from codegen.source import read_yaml
from codegen.spec import read_spec

from .entries import Client, ClientMethod, EndingRoute, Migration, OperationEntry, Replacement, Route, Variant

if TYPE_CHECKING:
    from codegen.nodes import Node

    from .entries import Kind

FILE: Final = "migration.yaml"
_V1: Final = "v1."


def read_migration(specs: Path, versions: Mapping[str, str]) -> Migration:
    """The content of the file beside the specs; `versions` are the names of the APIs by the folders of their specs.

    Raises:
        SpecError: an entry is invalid, or does not fit the specs.
    """
    root = read_yaml(specs / FILE, FILE)
    root.only({"names", "ends", "operations", "clients"}, "the migration")
    routes = {str(route.label): route for folder, api in versions.items() for route in _routes(specs / folder, api)}
    names = {name: child.text() for name, child in root.need("names").mapping().items()}
    reader = _Reader(names, routes)
    operations = reader.operations(root.need("operations"))
    endings = (*_triggers(operations), *reader.endings(root.need("ends")))
    clients = tuple(
        reader.client(package, node, operations, endings) for package, node in root.need("clients").mapping().items()
    )
    return Migration(names, endings, tuple(operations.values()), clients)


def _routes(folder: Path, api: str) -> Iterator[Route]:
    spec = read_spec(folder)
    for resource in read_resources(spec, read_components(spec), api):
        for operation in resource.operations:
            label = f"{api}.{resource.name}.{operation.name}"
            yield Route(operation.method, operation.path, label, operation.sunset)


def _triggers(operations: Mapping[str, OperationEntry]) -> Iterator[EndingRoute]:
    """The operations with a sunset. Their title is their route."""
    for entry in operations.values():
        if entry.route.sunset is not None:
            yield EndingRoute("trigger", entry.route, "{route}", entry.route.sunset, entry.replacement)


class _Reader:
    def __init__(self, names: Mapping[str, str], routes: Mapping[str, Route]) -> None:
        self._names = names
        self._routes = routes

    def operations(self, node: Node) -> dict[str, OperationEntry]:
        """All operations of v1.1."""
        entries: dict[str, OperationEntry] = {}
        for label, child in node.mapping().items():
            child.only({"use", "remark", "v3", "v3-remark"}, "an operation of the migration")
            route, v3 = self._route(label, child), self._expression(child.get("v3"))
            entries[label] = OperationEntry(route, self._replacement(child), v3, child.text_of("v3-remark"))
        missing = sorted(label for label in self._routes if label.startswith(_V1) and label not in entries)
        if missing:
            raise node.refusal(f"`{missing[0]}` is missing; add it.")
        return entries

    def endings(self, node: Node) -> Iterator[EndingRoute]:
        """What ends without a date in the specs."""
        kinds: tuple[Kind, ...] = ("branches", "runner", "insights")
        node.only(kinds, "what ends")
        for kind in kinds:
            child = node.need(kind)
            child.only({"title", "date", "host", "operations", "routes", "use", "remark", "note"}, "what ends")
            day, title, note = child.text_of("date"), child.need("title").text(), child.text_of("note")
            end = None if day is None else date.fromisoformat(day)
            for label in child.texts_of("operations"):
                route = self._route(label, child)
                yield EndingRoute(kind, route, title, end, self._replacement(child))
            routes = child.get("routes")
            for text, one in routes.mapping().items() if routes else ():
                method, _, path = text.partition(" ")
                yield EndingRoute(kind, self._labelled(Route(method, path)), title, end, self._replacement(one), note)

    def client(
        self,
        package: str,
        node: Node,
        operations: Mapping[str, OperationEntry],
        endings: tuple[EndingRoute, ...],
    ) -> Client:
        node.only({"version", "classes", "inherits", "introduction", "methods"}, "a client")
        inherits = node.get("inherits")
        methods = node.need("methods").mapping().items()
        return Client(
            package=package,
            version=node.need("version").text(),
            introduction=node.need("introduction").text(),
            classes={name: node.need("classes").texts_of(name) for name in node.need("classes").mapping()},
            inherits={} if inherits is None else {key: one.text() for key, one in inherits.mapping().items()},
            methods=tuple(self._method(name, child, operations, endings) for name, child in methods),
        )

    def _method(
        self,
        full_name: str,
        node: Node,
        operations: Mapping[str, OperationEntry],
        endings: tuple[EndingRoute, ...],
    ) -> ClientMethod:
        node.only({"takes", "calls", "use", "remark", "variants"}, "a method of a client")
        class_name, _, name = full_name.partition(".")
        variants = node.get("variants")
        nodes = [node, *(variants.sequence() if variants else ())]
        return ClientMethod(
            class_name,
            name,
            tuple(part.strip() for part in (node.text_of("takes") or "").split(",") if part.strip()),
            tuple(self._variant(one, operations, endings) for one in nodes),
        )

    def _variant(
        self, node: Node, operations: Mapping[str, OperationEntry], endings: tuple[EndingRoute, ...]
    ) -> Variant:
        label = node.text_of("calls")
        calls = None if label is None else self._route(label, node)
        own = self._replacement(node, needed=False)
        inherited = operations[label].replacement if label and label in operations else Replacement(None, None)
        for ending in endings:
            if (
                calls
                and ending.kind == "insights"
                and (ending.route.method, _shape(ending.route))
                == (
                    calls.method,
                    _shape(calls),
                )
            ):
                inherited = ending.replacement
        replacement = Replacement(own.use or inherited.use, own.remark or inherited.remark)
        if replacement == Replacement(None, None):
            raise node.refusal("There is neither a replacement nor a remark; add one of them.")
        return Variant(node.text_of("with"), calls, replacement)

    def _labelled(self, route: Route) -> Route:
        """With its label, if it is an operation of v2."""
        same = (one for one in self._routes.values() if (one.method, _shape(one)) == (route.method, _shape(route)))
        found = next((one.label for one in same if str(one.label).startswith("v2.")), None)
        return Route(route.method, route.path, found)

    def _route(self, label: str, node: Node) -> Route:
        if label not in self._routes:
            raise node.refusal(f"`{label}` is not an operation; write it as v1.builds.get.")
        return self._routes[label]

    def _replacement(self, node: Node, *, needed: bool = True) -> Replacement:
        use = self._expression(node.get("use"))
        if use is None and needed:
            raise node.refusal("`use` is missing; add it.")
        return Replacement(use, node.text_of("remark"))

    def _expression(self, node: Node | None) -> str | None:
        """An expression whose names are known."""
        if node is None:
            return None
        text = node.text()
        try:
            tree = compile(text, FILE, "eval", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        except SyntaxError:
            raise node.refusal(f"`{text}` is not an expression.") from None
        unknown = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)} - self._names.keys()
        if unknown:
            raise node.refusal(f"`{min(unknown)}` is not in `names`; add it there.")
        if not text.startswith("await circleci."):
            raise node.refusal("An expression begins with `await circleci.`.")
        return text


def _shape(route: Route) -> tuple[str, ...]:
    """The path without the names of its parameters."""
    return tuple("{}" if part.startswith("{") else part for part in route.path.split("/"))
