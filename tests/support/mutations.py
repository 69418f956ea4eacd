"""Mutations of JSON bodies: one value at one place is deleted, or replaced by another one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any, Final, TypeAlias, cast

Json: TypeAlias = Any
Place: TypeAlias = tuple[str | int, ...]
"""The keys and indices on the way to a value."""

HUGE: Final = inf
"""A number that no float holds. `encoded` writes it as 1e400, and decoders read it as infinity."""

VALUES: Final[Mapping[str, Json]] = {
    "null": None,
    "boolean": True,
    "number": 7,
    "empty array": [],
    "array": ["odd", 7],
    "empty object": {},
    "object": {"odd": 1},
    "empty string": "",
    "huge integer": 10**30,
    "huge number": HUGE,
    "unknown word": "no-such-word",
}
"""The replacements by name. An object or an array replaces only values of another JSON type."""

DELETED: Final = "deleted"


@dataclass(frozen=True, slots=True)
class Mutation:
    """A change of the value at `place`. `kind` is `deleted` or a name in `VALUES`."""

    place: Place
    kind: str

    def __str__(self) -> str:
        return f"{dotted(self.place)}: {self.kind if self.kind == DELETED else f'replaced by {self.value!r}'}"

    @property
    def value(self) -> Json:
        return VALUES[self.kind]

    def apply(self, body: Json) -> Json:
        """A changed copy of a body. Everything beside the way to the place is shared with the original."""
        return self._apply(body, self.place)

    def _apply(self, body: Json, place: Place) -> Json:
        if not place:
            return self.value
        key, *rest = place
        copied: Json = cast(Json, body.copy())
        if self.kind == DELETED and not rest:
            del copied[key]
        else:
            copied[key] = self._apply(body[key], tuple(rest))
        return copied


def mutations(body: Json) -> Iterator[Mutation]:
    """All mutations of a body, at every depth."""
    return _below(body, ())


def _below(value: Json, place: Place) -> Iterator[Mutation]:
    for key, child in _children(value):
        here = (*place, key)
        if isinstance(key, str):
            yield Mutation(here, DELETED)
        for kind, replacement in VALUES.items():
            if _replaces(replacement, child):
                yield Mutation(here, kind)
        yield from _below(child, here)


def _children(value: Json) -> Sequence[tuple[str | int, Json]]:
    match value:
        case dict():
            return list(cast(dict[str, Json], value).items())
        case list():
            return list(enumerate(value))
        case _:
            return ()


def _replaces(replacement: Json, value: Json) -> bool:
    if isinstance(replacement, list | dict) or replacement is None:
        return json_type(replacement) != json_type(value)
    return json_type(replacement) != json_type(value) or replacement != value


def sample(body: Json, count: int, seed: str) -> Sequence[Mutation]:
    """Up to `count` mutations of a body, each at another place or of another kind. Equal seeds give equal samples.

    Places that differ only in the indices of lists are one place, so that a list of hundreds of items is no more
    likely to be changed than the object that holds it.
    """
    rng = Random(seed)
    found: dict[tuple[Place, str], list[Mutation]] = {}
    for mutation in mutations(body):
        general = tuple("*" if isinstance(part, int) else part for part in mutation.place)
        found.setdefault((general, mutation.kind), []).append(mutation)
    chosen = rng.sample(list(found), min(count, len(found)))
    return [rng.choice(found[key]) for key in chosen]


def encoded(body: Json) -> bytes:
    """The bytes of a body, with 1e400 for numbers that no float holds."""
    return json.dumps(body).replace("Infinity", "1e400").encode()


def json_type(value: Json) -> str:
    """The JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def dotted(place: Place) -> str:
    """A place as `items.3.name`."""
    return ".".join(map(str, place))
