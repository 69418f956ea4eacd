"""Reads one YAML file into nodes.

YAML 1.1 reads `no` as false and `12:30` as a number. Such scalars are rejected, so that a spec is unambiguous; dates
stay strings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from .nodes import Node, Place, Problem, SpecError, escaped

# The C loader is seven times as fast, but requires libyaml.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")


def read_yaml(path: Path, name: str) -> Node:
    """The nodes of a file; `name` is its name in locations."""
    try:
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(Problem(Place(name, line), "", f"Invalid YAML: {error.problem}.")) from error
    if tree is None:
        raise SpecError(Problem(Place(name, 1), "", "The file is empty; remove it, or add content."))
    return _Reader(name).node(tree, "", tree.start_mark.line)


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._seen: set[int] = set()

    def node(self, tree: yaml.Node, pointer: str, line: int) -> Node:
        place = Place(self._file, line + 1)
        if isinstance(tree, yaml.ScalarNode):
            return Node(self._scalar(tree, pointer, place), pointer, place)
        if id(tree) in self._seen:
            raise SpecError(Problem(place, pointer, "YAML anchors are not supported; use a `$ref` instead."))
        self._seen.add(id(tree))
        if isinstance(tree, yaml.SequenceNode):
            items = [
                self.node(item, f"{pointer}/{index}", item.start_mark.line) for index, item in enumerate(tree.value)
            ]
            return Node(items, pointer, place)
        return Node(self._mapping(tree, pointer), pointer, place)

    def _mapping(self, tree: yaml.Node, pointer: str) -> dict[str, Node]:
        children: dict[str, Node] = {}
        for key, value in tree.value:
            line = key.start_mark.line
            if not isinstance(key, yaml.ScalarNode):
                raise SpecError(Problem(Place(self._file, line + 1), pointer, "Expected a string as key; quote it."))
            name = str(key.value)
            child = self.node(value, f"{pointer}/{escaped(name)}", line)
            if name in children:
                raise child.refusal(f"`{name}` is repeated; keep one of them.")
            children[name] = child
        return children

    def _scalar(self, tree: yaml.ScalarNode, pointer: str, place: Place) -> str | int | float | bool | None:
        text = str(tree.value)
        match tree.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool" if text in ("true", "false"):
                return text == "true"
            case "int" if _INTEGER.fullmatch(text):
                return int(text)
            case "float" if _NUMBER.fullmatch(text):
                return float(text)
            case "bool" | "int" | "float":
                raise SpecError(Problem(place, pointer, f"YAML does not read `{text}` as a string; quote it."))
            case _:
                return text
