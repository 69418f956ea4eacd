"""What does not fit in a response: mismatches of one response, and drift, the kinds of them over all responses.

It is loaded when something does not fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from circleci_sdk._public import public

from .errors import FieldUnavailableError
from .printable import printable

DriftKind = Literal["missing", "null", "type", "unknown_field", "unknown_value"]


class Place(str):  # noqa: SLOT000  # a pickle keeps attributes, but no slots
    """A place in a response. `pattern` has `*` for the indices of lists and the keys of maps."""

    pattern: str = ""

    def below(self, *path: str | int, varies: bool = False) -> Place:
        """The place of a part; one that `varies` is an index or a key of a map."""
        dot, part = "." if self.pattern else "", ".".join(map(str, path))
        made = Place(f"{self}{dot}{part}")
        made.pattern = f"{self.pattern}{dot}{'*' if varies else part}"
        return made


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field of a response that does not fit its documented type.

    `place` is the place in the response, such as `items.3.vcs.provider_name`; `expected` the type by the
    documentation (`integer`, `string or null`, `timestamp`); `received` the JSON type that came (`null`, `boolean`,
    `number`, `string`, `array`, `object`), or `missing`. It never holds the value.
    """

    place: str
    expected: str
    received: str

    def __str__(self) -> str:
        return printable(f"{self.place}: expected {self.expected}, received {self.received}")


def unavailable(operation: str, mismatch: Mismatch, raw_in: str = "model_dump()") -> FieldUnavailableError:
    """The error of a field that was not read. `raw_in` has its raw value, if it came."""
    raw = "" if mismatch.received == "missing" else f"; its raw value is in {raw_in}"
    return FieldUnavailableError(
        f"{operation}: {mismatch}. getattr() reads the field with a default{raw}.",
        operation=operation,
        place=mismatch.place,
        expected=mismatch.expected,
        received=mismatch.received,
    )


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class Drift:
    """A difference between responses and their documentation, seen `count` times.

    `operation` is the operation, such as `v2.jobs.get`, or the type of an event. `place` is the place in the response
    with `*` for the indices of lists and the keys of maps. `kind` is `missing`, `null` or `type` for a field that
    cannot be read, and `unknown_field` or `unknown_value` for what is read, but not documented. `expected` and
    `received` are those of the first `Mismatch`.
    """

    operation: str
    place: str
    kind: DriftKind
    expected: str
    received: str
    count: int = 1


def with_kinds(mismatches: Iterable[Mismatch]) -> Iterator[tuple[DriftKind, Mismatch]]:
    """Mismatches as kinds of drift."""
    kinds: dict[str, DriftKind] = {"missing": "missing", "null": "null"}
    return ((kinds.get(one.received, "type"), one) for one in mismatches)
