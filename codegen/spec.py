"""Reads the files of one version and merges them into one document, with every reference checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from .names import one_of
from .nodes import Json, Node, Place, Problem, Problems, SpecError
from .source import read_yaml

MAIN_FILE: Final = "openapi.yaml"

_MAIN_KEYS: Final = frozenset({"openapi", "info", "servers", "security", "tags", "paths", "components"})
_TAG_FILE_KEYS: Final = frozenset({"paths", "webhooks", "components"})
_SECTIONS: Final = ("parameters", "responses", "schemas", "securitySchemes")
_REFERABLE: Final = ("parameters", "responses", "schemas")


@dataclass(frozen=True, slots=True)
class Spec:
    """The merged document of one version of the API."""

    head: Mapping[str, Node]
    """Everything but paths, webhooks and components."""
    paths: Mapping[str, Mapping[str, Node]]
    """Operations by path and HTTP method."""
    webhooks: Mapping[str, Mapping[str, Node]]
    """Deliveries by the name of the event and HTTP method."""
    components: Mapping[str, Mapping[str, Node]]

    @property
    def base(self) -> str:
        """The common path prefix of all operations, such as `/api/v2`."""
        servers = self.head["servers"].sequence()
        if len(servers) != 1:
            raise self.head["servers"].refusal("Expected exactly one server, with the path of the API in its URL.")
        url = servers[0].need("url")
        path = urlsplit(url.text()).path.rstrip("/")
        if not path:
            raise url.refusal("The URL has no path; add the path of the API, such as https://circleci.com/api/v2.")
        return path

    def follow(self, node: Node) -> Node:
        """The target of a reference; any other node unchanged."""
        if isinstance(node.value, dict) and "$ref" in node.value:
            node.only({"$ref"}, "a reference")
            section, name = reference(node.value["$ref"])
            return self.components[section][name]
        return node

    def bundle(self) -> Json:
        """The whole document, in an order independent of the files."""
        document: dict[str, Json] = {key: node.plain() for key, node in self.head.items()}
        document["paths"] = _plain(self.paths)
        if self.webhooks:
            document["webhooks"] = _plain(self.webhooks)
        document["components"] = {
            section: {name: node.plain() for name, node in sorted(self.components[section].items())}
            for section in _SECTIONS
            if self.components[section]
        }
        return document


def _plain(calls: Mapping[str, Mapping[str, Node]]) -> dict[str, Json]:
    return {
        name: {method: node.plain() for method, node in sorted(methods.items())}
        for name, methods in sorted(calls.items())
    }


def read_spec(folder: Path) -> Spec:
    """Reads and merges all YAML files of the folder; raises on inconsistencies."""
    files = sorted(folder.glob("*.yaml"))
    if folder / MAIN_FILE not in files:
        place = Place(f"{folder.name}/{MAIN_FILE}", 1)
        raise SpecError(
            Problem(place, "", "The file is missing; it contains info, servers, tags and shared components.")
        )
    problems = Problems()
    roots: list[Node] = []
    for path in files:
        with problems.caught():
            root = read_yaml(path, f"{folder.name}/{path.name}")
            if path.name == MAIN_FILE:
                root.only(_MAIN_KEYS, "the main file")
            else:
                root.only(_TAG_FILE_KEYS, "the file of a tag")
            roots.append(root)
    problems.raise_any()
    spec = _merged(roots)
    _check_references(spec)
    return spec


def reference(node: Node) -> tuple[str, str]:
    """Section and name of a `$ref`."""
    text = node.text()
    match text.split("/"):
        case ["#", "components", section, name] if section in _REFERABLE and name:
            return section, name
        case _:
            raise node.refusal(
                f"`{text}` is not a supported reference; write `#/components/schemas/<Name>`"
                " (or parameters, responses), whatever file the name is defined in."
            )


def _merged(roots: list[Node]) -> Spec:
    paths: dict[str, dict[str, Node]] = {}
    webhooks: dict[str, dict[str, Node]] = {}
    components: dict[str, dict[str, Node]] = {section: {} for section in _SECTIONS}
    problems = Problems()
    for root in roots:
        for section, calls in (("paths", paths), ("webhooks", webhooks)):
            with problems.caught():
                for name, item in _children(root, section).items():
                    _add(calls.setdefault(name, {}), item, problems)
        with problems.caught():
            for section, names in _children(root, "components").items():
                if section not in components:
                    raise names.refusal(f"`{section}` is not a supported section; use {one_of(_SECTIONS)}.")
                _add(components[section], names, problems)
    main = next(root for root in roots if root.place.file.endswith(f"/{MAIN_FILE}"))
    head = {key: node for key, node in main.mapping().items() if key not in _TAG_FILE_KEYS}
    with problems.caught():
        _check_head(main)
    for node in (*(node for key, node in head.items() if key != "tags"), *components["securitySchemes"].values()):
        _refuse_extensions(node, problems)
    problems.raise_any()
    return Spec(head, paths, webhooks, components)


def _children(node: Node, key: str) -> dict[str, Node]:
    child = node.get(key)
    return child.mapping() if child else {}


def _check_head(main: Node) -> None:
    for key in ("openapi", "info", "servers", "tags"):
        main.need(key)
    if not main.need("openapi").text().startswith("3.1."):
        raise main.need("openapi").refusal("The specs are OpenAPI 3.1; write `openapi: 3.1.0`.")


def _refuse_extensions(top: Node, problems: Problems) -> None:
    for node in _nodes_below(top):
        for key, child in node.value.items() if isinstance(node.value, dict) else ():
            with problems.caught():
                if key.startswith("x-"):
                    raise child.refusal(f"`{key}` is not an extension here; openapi/README.md lists the place of each.")


def _add(known: dict[str, Node], more: Node, problems: Problems) -> None:
    for name, node in more.mapping().items():
        with problems.caught():
            if name in known:
                raise node.refusal(f"`{name}` is defined in {known[name].place} already; define it once.")
            known[name] = node


def _check_references(spec: Spec) -> None:
    problems = Problems()
    used: set[tuple[str, str]] = set()
    for node in _all_nodes(spec):
        if not isinstance(node.value, dict) or "$ref" not in node.value:
            continue
        with problems.caught():
            section, name = reference(node.value["$ref"])
            if name not in spec.components[section]:
                raise node.value["$ref"].refusal(
                    f"There is no `{name}` under `components/{section}` in any file; define it, or correct the name."
                )
            used.add((section, name))
    # A misspelt reference would be reported twice: as missing and as unused.
    problems.raise_any()
    for section in _REFERABLE:
        for name, node in spec.components[section].items():
            with problems.caught():
                if (section, name) not in used and not (section == "schemas" and node.flag("x-standalone")):
                    raise node.refusal(_unused(section, name))
    problems.raise_any()


def _unused(section: str, name: str) -> str:
    remedy = ", or add `x-standalone: true` if it is a model anyway" if section == "schemas" else ""
    return f"Nothing refers to `{name}`; remove it, or use it{remedy}."


def _all_nodes(spec: Spec) -> Iterator[Node]:
    for group in (*spec.paths.values(), *spec.webhooks.values(), *spec.components.values()):
        for node in group.values():
            yield from _nodes_below(node)


def _nodes_below(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node.value, dict):
        for child in node.value.values():
            yield from _nodes_below(child)
    elif isinstance(node.value, list):
        for child in node.value:
            yield from _nodes_below(child)
