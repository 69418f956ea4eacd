"""Finds the operation of a method and a path."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation, Operations, Parameter

_UUID: Final = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_PLAIN: Final = "(?:[^/%]|%(?!2[Ff]))+"
"""A segment without an escaped slash."""

_LITERAL_SLASHES_ONLY: Final = frozenset({"triggerPipelineRun"})
"""Routes that do not accept a slug with `%2F`, as far as known."""


class Router:
    """Finds operations of one version of the API."""

    def __init__(self, operations: Operations) -> None:
        self._routes = sorted((_Route(each) for each in operations.values()), key=lambda route: route.rank)
        self._by_first: dict[str, list[_Route]] = {}
        for route in self._routes:
            self._by_first.setdefault(route.first, []).append(route)

    def find(self, method: str, path: str) -> tuple[Operation[Any], dict[str, str]] | None:
        """The operation and its path values by Python name. `path` is escaped and relative to the base URL."""
        for route in self._at(path):
            if route.operation.method == method and (match := route.pattern.fullmatch(path)):
                return route.operation, route.values(match)
        return None

    def methods(self, path: str) -> list[str]:
        """The methods of a path."""
        return sorted({route.operation.method for route in self._at(path) if route.pattern.fullmatch(path)})

    def _at(self, path: str) -> list[_Route]:
        return self._by_first.get(path.split("/", 2)[1] if path.startswith("/") else "", [])


class _Route:
    def __init__(self, operation: Operation[Any]) -> None:
        self.operation = operation
        self.first = operation.path.split("/", 2)[1]
        parameters = {each.wire: each for each in operation.path_parameters}
        joined = {part: each for each in operation.path_parameters for part in each.wire.split("/") if "/" in each.wire}
        pattern: list[str] = []
        rank: list[bool] = []
        self._names: list[str] = []
        for segment in operation.path.strip("/").split("/"):
            name = segment[1:-1] if segment.startswith("{") else None
            rank.append(name is not None)
            if name is None:
                pattern.append(re.escape(segment))
                continue
            parameter = parameters.get(name) or joined[name]
            if parameter.name not in self._names:
                self._names.append(parameter.name)
                pattern.append(f"(?P<g{len(self._names) - 1}>{_pattern(operation, parameter)})")
        self.pattern = re.compile("/" + "/".join(pattern))
        self.rank = (rank, len(rank))

    def values(self, match: re.Match[str]) -> dict[str, str]:
        return {name: unquote(match[f"g{at}"]) for at, name in enumerate(self._names)}


def _pattern(operation: Operation[Any], parameter: Parameter) -> str:
    match parameter.type.name:
        case "project-slug" if "/" in parameter.wire:
            whole = f"{_PLAIN}/{_PLAIN}/{_PLAIN}"
            literal = operation.id in _LITERAL_SLASHES_ONLY or operation.api.name == "v1"
            return whole if literal else f"{whole}|[^/]+%2[Ff][^/]+%2[Ff][^/]+"
        case "project-slug":
            return f"{_PLAIN}/{_PLAIN}/{_PLAIN}|[^/]+%2[Ff][^/]+%2[Ff][^/]+|{_UUID}"
        case "org-slug":
            return f"{_PLAIN}/{_PLAIN}|[^/]+%2[Ff][^/]+"
        case "integer" if operation.api.name == "v1":
            return "[0-9]+"
        case _:
            return "[^/]+"


@cache
def router_of(version: str) -> Router:
    """The router of `v1`, `v2` or `v3`."""
    return Router(import_module(f"circleci_sdk.{version}").OPERATIONS)


@cache
def all_operations() -> tuple[Operation[Any], ...]:
    """The operations of all versions of the API."""
    from circleci_sdk import v1, v2, v3

    return (*v1.OPERATIONS.values(), *v2.OPERATIONS.values(), *v3.OPERATIONS.values())


@cache
def operation_names() -> dict[str, frozenset[str]]:
    """Labels of operations by all their names: `v2.jobs.get`, `jobs.get` and `getJobDetails`.

    A name of several versions has a label of each. A rate group, such as `v2.jobs`, has those of all its operations.
    """
    names: dict[str, frozenset[str]] = {}
    for operation in all_operations():
        for name in (operation.label, operation.python_name, operation.id, operation.rate_group):
            names[name] = names.get(name, frozenset()) | {operation.label}
    return names
