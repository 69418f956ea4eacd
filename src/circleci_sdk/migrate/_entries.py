"""Types of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["trigger", "branches", "runner", "insights"]


class Route(NamedTuple):
    """A route that ends. `day` is the first day without it, None if no date is known."""

    kind: Kind
    method: str
    path: str
    title: str
    day: str | None
    use: str | None
    remark: str | None


class Variant(NamedTuple):
    """What a call means: always, or with an argument such as `ssh=True` or `branch`."""

    condition: str | None
    use: str | None
    remark: str | None
    ends: int | None
    """The index of the route that the call uses, if that ends."""


class Method(NamedTuple):
    """A method of another client: its parameters, and first the variant without a condition."""

    takes: tuple[str, ...]
    variants: tuple[Variant, ...]


class Client(NamedTuple):
    """Another client. `classes` are its classes by the names that they are imported by."""

    package: str
    version: str
    page: str
    classes: Mapping[str, str]
    inherits: Mapping[str, str]
    methods: Mapping[str, Mapping[str, Method]]
