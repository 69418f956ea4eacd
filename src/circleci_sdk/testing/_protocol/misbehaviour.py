"""Changes of JSON responses: fields of chosen or random places are dropped, null, renamed or of another type."""

from __future__ import annotations

import random  # noqa: TID251  # seeded
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias, cast
from weakref import WeakSet

MisbehaviourKind: TypeAlias = Literal["drop", "null", "rename", "retype"]
"""A random change of a field by `FakeCircleCI.misbehave`."""

KINDS: Final[tuple[MisbehaviourKind, ...]] = ("drop", "null", "rename", "retype")

WEBHOOK: Final = "webhook"
"""Name of the messages of webhooks, in place of an operation."""

Steps: TypeAlias = tuple[str, ...]
Changed: TypeAlias = tuple[Any, tuple[str, ...]]
"""A changed body, and a description of each change."""


@dataclass(frozen=True, slots=True)
class Place:
    """A chosen place and what becomes of it. `value` is the new name of a renamed field, or the value that replaces."""

    steps: Steps
    kind: Literal["drop", "null", "rename", "replace"]
    value: Any = None


MAX_COUNTS: Final = 10_000
"""Requests whose number is remembered, those made last: messages of webhooks have an id each."""


@dataclass(slots=True)
class Misbehaviour:
    """Changes in the responses of some operations; of all operations without `labels`."""

    labels: frozenset[str]
    places: Sequence[Place] = ()
    probability: float = 0.0
    seed: int = 0
    kinds: Sequence[MisbehaviourKind] = KINDS
    _counts: dict[str, int] = field(default_factory=dict[str, int])

    def changed(self, body: Any, key: str) -> Changed:
        """The changed body. `key` identifies the request.

        The random places depend on the seed, the request and how often it was made: not on the order of different
        requests, which may be concurrent.
        """
        body, changes = change_places(body, self.places)
        if self.probability:
            count = self._counts[key] = self._counts.pop(key, 0) + 1
            if len(self._counts) > MAX_COUNTS:
                del self._counts[next(iter(self._counts))]
            rng = random.Random(f"{self.seed} {count} {key}")
            body, more = change_at_random(body, rng, self.probability, self.kinds)
            changes += more
        return body, changes


class Reader(Protocol):
    """Reads responses, strictly or not."""

    strict: bool


class Misbehaviours:
    """All misbehaviour of a fake. While there is none, the `readers` are strict."""

    def __init__(self) -> None:
        self._all: list[Misbehaviour] = []
        self.readers: Final[WeakSet[Reader]] = WeakSet()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, misbehaviour: Misbehaviour) -> None:
        """Change further responses."""
        self._all.append(misbehaviour)
        self._set_strict()

    def clear(self) -> None:
        """End all misbehaviour."""
        self._all.clear()
        self._set_strict()

    def _set_strict(self) -> None:
        for reader in list(self.readers):
            reader.strict = not self._all

    def changed(self, label: str, body: Any, key: str) -> Changed:
        """The body after all changes that concern the operation."""
        changes: tuple[str, ...] = ()
        for each in self._all:
            if not each.labels or label in each.labels:
                body, more = each.changed(body, f"{label} {key}")
                changes += more
        return body, changes


def steps_of(place: str) -> Steps:
    """The names of a place such as `items.*.name`. Raises `ValueError` for an empty name."""
    steps = tuple(place.split("."))
    if not all(steps):
        raise ValueError(f"expected a place such as 'items.*.name', got {place!r}.")
    return steps


def steps_after(steps: Steps, name: str) -> Steps | None:
    """The rest of a place below a field or an element; None if it does not lead there.

    The name of a field may contain dots.
    """
    if steps[:1] == ("*",):
        return steps[1:]
    parts = tuple(name.split("."))
    return steps[len(parts) :] if steps[: len(parts)] == parts else None


# ---- chosen places ----


def change_places(body: Any, places: Sequence[Place]) -> Changed:
    """Change chosen places of a body. Places that it does not have are passed over. The given body stays unchanged."""
    changes: list[str] = []
    new = _change(body, [(place.steps, place) for place in places], "", changes) if places else body
    return new, tuple(changes)


def _change(value: Any, places: Sequence[tuple[Steps, Place]], at: str, changes: list[str]) -> Any:
    if isinstance(value, Mapping):
        known = cast("Mapping[str, Any]", value)
        return dict(_changed_children(known.items(), places, at, changes))
    if isinstance(value, (list, tuple)):
        numbered = ((str(index), each) for index, each in enumerate(cast("Sequence[Any]", value)))
        return [each for _, each in _changed_children(numbered, places, at, changes)]
    return value


def _changed_children(
    children: Iterable[tuple[str, Any]], places: Sequence[tuple[Steps, Place]], at: str, changes: list[str]
) -> Iterator[tuple[str, Any]]:
    renamed: list[tuple[str, Any]] = []
    for name, value in children:
        here = f"{at}.{name}" if at else name
        below = [(rest, place) for steps, place in places if (rest := steps_after(steps, name)) is not None]
        place = next((place for rest, place in below if not rest), None)
        if place is None:
            yield name, _change(value, below, here, changes) if below else value
            continue
        match place.kind:
            case "drop":
                changes.append(f"drop {here}")
            case "null":
                changes.append(f"null {here}")
                yield name, None
            case "replace":
                changes.append(f"replace {here}")
                yield name, place.value
            case "rename":
                changes.append(f"rename {here} to {place.value}")
                renamed.append((place.value, value))
    yield from renamed  # last, so that they take the place of a field of that name


# ---- random places ----


def change_at_random(
    body: Any, rng: random.Random, probability: float, kinds: Sequence[MisbehaviourKind] = KINDS
) -> Changed:
    """Change each field of each object with a probability. The given body stays unchanged."""
    changes: list[str] = []
    return _shaken(body, rng, probability, kinds, "", changes), tuple(changes)


def _shaken(
    value: Any,
    rng: random.Random,
    probability: float,
    kinds: Sequence[MisbehaviourKind],
    at: str,
    changes: list[str],
) -> Any:
    if isinstance(value, (list, tuple)):
        elements = enumerate(cast("Sequence[Any]", value))
        return [
            _shaken(each, rng, probability, kinds, f"{at}.{index}" if at else str(index), changes)
            for index, each in elements
        ]
    if not isinstance(value, Mapping):
        return value
    known = cast("Mapping[str, Any]", value)
    new: dict[str, Any] = {}
    for name, each in known.items():
        here = f"{at}.{name}" if at else name
        kind = rng.choice(kinds) if rng.random() < probability else None
        match kind:
            case None:
                new[name] = _shaken(each, rng, probability, kinds, here, changes)
                continue
            case "drop":
                pass
            case "null":
                new[name] = None
            case "retype":
                new[name] = _of_another_type(each)
            case "rename":
                other = f"{name}_v2"
                while other in known or other in new:
                    other += "_v2"
                new[other] = each
        changes.append(f"{kind} {here}")
    return new


def _of_another_type(value: Any) -> Any:
    """The value in a form that a later version of an API might have."""
    match value:
        case bool() | int() | float():
            return str(value)
        case str():
            return [value]
        case None:
            return {}
        case _:
            return {"value": value}
