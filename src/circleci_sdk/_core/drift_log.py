"""Remembers and logs the differences between responses and their documentation."""

from __future__ import annotations

import logging
import threading  # noqa: TID251  # nothing is awaited while the lock is held
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from .checks import PLAIN_FUNCTION, Accepted, check_configuration, or_none
from .logs import logger_named

if TYPE_CHECKING:
    from .mismatches import Drift, DriftKind, Mismatch

logger: Final[logging.Logger] = logger_named("circleci_sdk.drift")
_ON_DRIFT: Final = Accepted("a plain function, which takes a Drift,", PLAIN_FUNCTION.admits)
_REMEMBERED: Final = 1000
_UNKNOWN: Final = 500
"""The number of unknown fields and values among them."""


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
        from .mismatches import Drift, Place

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
