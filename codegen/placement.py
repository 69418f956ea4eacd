"""Decides which components become models, and which module each of them belongs into.

A component that only one resource uses lives in the module of that resource, one that only deliveries use in theirs,
any other in the shared one, so that using a resource loads no models of another.
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
    """The components that generated code names. The others are pages, whole bodies and bodies of errors."""

    modules: Mapping[str, str]
    """Module by component, in the order of the spec."""
    responded: frozenset[str]
    """Components that returns hold; the others are in requests only."""


def place(resources: Sequence[Resource], deliveries: Sequence[str], components: Components) -> Placement:
    """Follows every operation and every delivery to the components it uses."""
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
    """Who uses which components, and whether in a response."""
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
    """Whether something in the response of the operation is marked as secret."""
    return any(holds_secret(components[name].content) for name in reachable(operation.response.models, components))


def reachable(names: Iterable[str], components: Components) -> set[str]:
    """The components of these names and all that they contains."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += references(components[name].content)
    return found
