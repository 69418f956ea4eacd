"""Determines the components that become models, and their modules.

A component used by one resource is in the module of that resource, one used by deliveries only in theirs, any other in
the shared one, so that a resource loads no models of another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from .imports import TAKEN_NAMES
from .names import DELIVERIES, SHARED, pascal_case
from .nodes import Problems
from .shapes import Components, holds_secret, references

if TYPE_CHECKING:
    from .operations import Operation, Resource


@dataclass(frozen=True, slots=True)
class Placement:
    """The components used in generated code. The others are pages, whole bodies and error bodies."""

    modules: Mapping[str, str]
    """Module by component, in the order of the spec."""
    responded: frozenset[str]
    """Components in responses; the others are in requests only."""


def place(resources: Sequence[Resource], deliveries: Sequence[str], components: Components) -> Placement:
    """Collects the components used by each operation and each delivery."""
    users: dict[str, set[str]] = {}
    responded: set[str] = set()
    for user, names, is_response in _uses(resources, deliveries, components):
        for name in reachable(names, components):
            users.setdefault(name, set()).add(user)
            if is_response:
                responded.add(name)
    modules = {name: _module(users[name]) for name in components if name in users}
    _check_names(modules, components, resources)
    return Placement(modules, frozenset(responded))


def _uses(
    resources: Sequence[Resource], deliveries: Sequence[str], components: Components
) -> Iterator[tuple[str, list[str], bool]]:
    """The users of components, and whether they use them in a response."""
    for resource in resources:
        for operation in resource.operations:
            yield resource.name, [*operation.response.models], True
            in_request = (references(parameter.shape) for parameter in operation.parameters)
            yield resource.name, [*chain.from_iterable(in_request)], False
    yield DELIVERIES, [*deliveries], True
    yield SHARED, [component.name for component in components.values() if component.standalone], True


def _module(users: set[str]) -> str:
    return f"_{next(iter(users)) if len(users) == 1 else SHARED}"


def _check_names(modules: Iterable[str], components: Components, resources: Sequence[Resource]) -> None:
    problems = Problems()
    for name in modules:
        with problems.caught():
            if name in TAKEN_NAMES:
                raise components[name].node.refusal(f"`{name}` means something else in generated modules; rename it.")
            if name.endswith("Dict"):
                raise components[name].node.refusal(
                    f"`{name}` ends like the `TypedDict` of a nested request object; rename it."
                )
    for resource in resources:
        for parameter in (parameter for operation in resource.operations for parameter in operation.parameters):
            with problems.caught():
                if pascal_case(resource.name) in references(parameter.shape):
                    raise parameter.node.refusal("An argument has the name of its resource's class; rename the schema.")
    problems.raise_any()


def responses_secret(operation: Operation, components: Components) -> bool:
    """Whether the response of the operation contains a secret."""
    return any(holds_secret(components[name].content) for name in reachable(operation.response.models, components))


def reachable(names: Iterable[str], components: Components) -> set[str]:
    """The components of these names and all components that they contain."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += references(components[name].content)
    return found
