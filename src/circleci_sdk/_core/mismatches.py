"""What does not fit in a response: mismatches of one response, and drift, the kinds of them over all responses."""

from __future__ import annotations

import logging
import threading  # noqa: TID251  # nothing is awaited while the lock is held
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from circleci_sdk._public import public

from .checks import PLAIN_FUNCTION, Accepted, check_configuration, or_none
from .errors import FieldUnavailableError
from .logs import logger_named
from .printable import printable

logger: Final[logging.Logger] = logger_named("circleci_sdk.drift")
_ON_DRIFT: Final = Accepted("a plain function, which takes a Drift,", PLAIN_FUNCTION.admits)
_REMEMBERED: Final = 1000
_UNKNOWN: Final = 500
"""The number of unknown fields and values among them."""

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


class DriftLog:
    """Remembers and logs drift; calls `on_drift` with each kind of it at its first sight."""

    def __init__(self, on_drift: Callable[[Drift], object] | None = None) -> None:
        check_configuration(on_drift=(on_drift, or_none(_ON_DRIFT)))
        self._on_drift = on_drift
        self._seen: dict[tuple[str, str, str], Drift] = {}
        self._lock = threading.Lock()

    @property
    def seen(self) -> tuple[Drift, ...]:
        """All kinds of drift, the oldest first."""
        return tuple(self._seen.values())

    @property
    def looks_for_unknown(self) -> bool:
        """Whether unknown fields and values are of interest. Looking for them takes time."""
        return self._on_drift is not None or logger.isEnabledFor(logging.DEBUG)

    def renew_lock(self) -> None:
        """In a forked process: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()

    def note(self, operation: str, found: Iterable[tuple[DriftKind, Mismatch]]) -> None:
        """Count what was found in one response."""
        for kind, one in found:
            place = one.place.pattern if isinstance(one.place, Place) else one.place
            drift = Drift(operation, place, kind, one.expected, one.received)
            if self._count(drift):
                self._report(drift)

    def _count(self, drift: Drift) -> bool:
        """Whether it is seen for the first time."""
        key = (drift.operation, drift.place, drift.kind)
        with self._lock:  # the loops of several threads may share a client
            known = self._seen.get(key)
            if known is not None:
                self._seen[key] = replace(known, count=known.count + 1)
            elif len(self._seen) < (_UNKNOWN if drift.kind.startswith("unknown") else _REMEMBERED):
                self._seen[key] = drift
                return True
        return False

    def _report(self, drift: Drift) -> None:
        level = logging.DEBUG if drift.kind.startswith("unknown") else logging.WARNING
        what = (drift.operation, drift.place, drift.expected, drift.received)
        logger.log(level, "%s: %s: expected %s, received %s", *(ascii(part)[1:-1] for part in what))
        if self._on_drift is not None:
            try:
                self._on_drift(drift)
            except BaseException as error:  # a report must not end the call that it is about
                from .cancellation import is_failure

                if not is_failure(error):
                    raise
                logger.exception("on_drift failed for %s: %s", drift.operation, drift.place)


def with_kinds(mismatches: Iterable[Mismatch]) -> Iterator[tuple[DriftKind, Mismatch]]:
    """Mismatches as kinds of drift."""
    kinds: dict[str, DriftKind] = {"missing": "missing", "null": "null"}
    return ((kinds.get(one.received, "type"), one) for one in mismatches)
