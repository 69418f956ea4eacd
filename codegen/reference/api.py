"""One version of the API, read for its pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from codegen.components import read_components
from codegen.deliveries import read_deliveries
from codegen.names import SHARED
from codegen.operations import Operation, Resource, read_resources
from codegen.placement import Placement, place
from codegen.shapes import Components, Record, references
from codegen.spec import read_spec


@dataclass(frozen=True)
class Api:
    """The operations and the models of a version, and where each has its section."""

    name: str
    base: str
    resources: tuple[Resource, ...]
    components: Components
    placement: Placement

    @property
    def operations(self) -> Iterator[Operation]:
        """All operations, by resource."""
        for resource in self.resources:
            yield from resource.operations

    @cached_property
    def labels(self) -> frozenset[str]:
        """The names of all operations, such as `v2.jobs.get`; each is the anchor of a section."""
        return frozenset(self.label(operation) for operation in self.operations)

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The models by group: the resource that uses them, `shared` or `deliveries`."""
        found: dict[str, list[str]] = {}
        for name, module in self.placement.modules.items():
            found.setdefault(module.removeprefix("_"), []).append(name)
        return dict(sorted(found.items(), key=lambda group: (group[0] == SHARED, group[0])))

    @cached_property
    def users(self) -> dict[str, list[str]]:
        """The anchors of the operations and models that use a model directly."""
        found: dict[str, list[str]] = {}
        for operation in self.operations:
            used = dict.fromkeys(operation.response.models)
            used |= dict.fromkeys(name for parameter in operation.parameters for name in references(parameter.shape))
            for name in used:
                found.setdefault(name, []).append(self.label(operation))
        for name in self.placement.modules:
            for used_name in dict.fromkeys(references(self.components[name].content)):
                found.setdefault(used_name, []).append(self.anchor(name))
        return found

    def label(self, operation: Operation) -> str:
        """The name of an operation, as errors and logs have it."""
        return f"{self.name}.{operation.resource}.{operation.name}"

    def anchor(self, model: str) -> str:
        """The anchor of a model: its import path."""
        return f"circleci_sdk.{self.name}.models.{model}"

    def record(self, model: str) -> Record | None:
        """The content of a model with fields."""
        content = self.components[model].content
        return content if isinstance(content, Record) else None


def read_api(folder: Path, name: str) -> Api:
    """Reads a folder of specs; raises `SpecError` like the generator of code."""
    spec = read_spec(folder)
    components = read_components(spec)
    resources = read_resources(spec, components, name)
    placement = place(resources, read_deliveries(spec, components), components)
    return Api(name, spec.base, resources, components, placement)
