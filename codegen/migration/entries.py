"""What openapi/migration.yaml says, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["trigger", "branches", "runner", "insights"]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation on the wire; `label` is its method here, such as `v1.builds.retry`, if it has one."""

    method: str
    path: str
    label: str | None = None
    sunset: date | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """An expression of `circleci_sdk`, async, and what differs; None if there is no such expression."""

    use: str | None
    remark: str | None


@dataclass(frozen=True, slots=True)
class OperationEntry:
    """An operation of v1.1, what to use instead, and the counterpart in v3."""

    route: Route
    replacement: Replacement
    v3: str | None
    v3_remark: str | None

    @property
    def stays(self) -> bool:
        """Whether nothing replaces it."""
        return (self.replacement.use or "").startswith("await circleci.v1.")


@dataclass(frozen=True, slots=True)
class EndingRoute:
    """A route that ends, with a date if one is known."""

    kind: Kind
    route: Route
    title: str
    day: date | None
    replacement: Replacement
    note: str | None = None
    """What holds for all routes of this kind."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a call means: always, or with an argument such as `ssh=True` or `branch`."""

    condition: str | None
    calls: Route | None
    replacement: Replacement


@dataclass(frozen=True, slots=True)
class ClientMethod:
    """A method of another client; `variants` begins with the one without a condition."""

    class_name: str
    name: str
    takes: tuple[str, ...]
    variants: tuple[Variant, ...]


@dataclass(frozen=True, slots=True)
class Client:
    """Another client of CircleCI's API."""

    package: str
    version: str
    introduction: str
    classes: Mapping[str, tuple[str, ...]]
    """The names that each class can be imported by."""
    inherits: Mapping[str, str]
    methods: tuple[ClientMethod, ...]


@dataclass(frozen=True, slots=True)
class Migration:
    """The whole file."""

    names: Mapping[str, str]
    """The names that expressions use, with their types."""
    endings: tuple[EndingRoute, ...]
    operations: tuple[OperationEntry, ...]
    clients: tuple[Client, ...]

    def expressions(self) -> tuple[str, ...]:
        """Every expression once, in the order of the file."""
        texts = [each.replacement.use for each in self.endings]
        texts += [text for each in self.operations for text in (each.replacement.use, each.v3)]
        texts += [
            variant.replacement.use
            for client in self.clients
            for method in client.methods
            for variant in method.variants
        ]
        return tuple(dict.fromkeys(text for text in texts if text))
