"""Differences between a value and the structure that a table gives it, without tolerance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Protocol, Self, TypeVar


class Structure(Protocol):
    """A value in a table: an object, a list or a map of `items`, one of `variants`, or a scalar."""

    @property
    def kind(self) -> str: ...

    @property
    def items(self) -> Self | None: ...

    @property
    def variants(self) -> Sequence[Self]: ...


S = TypeVar("S", bound=Structure)


class Differences(Generic[S]):
    """Walks through a value. What a table says of objects and of scalars is its own."""

    def of(self, structure: S, value: Any, place: str) -> Iterator[str]:
        """What of the value, which has this place in the body, is not as the table says."""
        match structure.kind:
            case "object":
                if isinstance(value, dict):
                    yield from self.of_object(structure, value, place)
                else:
                    yield f"{place}: {value!r} is no object"
            case "list" if structure.items:
                if not isinstance(value, list):
                    yield f"{place}: {value!r} is no list"
                    return
                for at, item in enumerate(value):
                    yield from self.of(structure.items, item, f"{place}[{at}]")
            case "map" if structure.items:
                for name, item in value.items():
                    yield from self.of(structure.items, item, f"{place}.{name}")
            case "union":
                tried = [list(self.of(variant, value, place)) for variant in structure.variants]
                if all(tried):
                    yield from min(tried, key=len)
            case "any":
                pass
            case _:
                yield from self.of_scalar(structure, value, place)

    def of_object(self, structure: S, value: dict[str, Any], place: str) -> Iterator[str]:
        """The same of an object."""
        raise NotImplementedError

    def of_scalar(self, structure: S, value: Any, place: str) -> Iterator[str]:
        """The same of a scalar."""
        raise NotImplementedError
