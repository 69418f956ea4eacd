"""Warnings of a receiver that many deliveries are in progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.logs import logger

if TYPE_CHECKING:
    from .handling import Running

_INTERVAL: Final = 60.0
"""Seconds between two warnings of one kind, at least."""


class Pressure:
    """Warns when half of the deliveries that may be in progress are, and when all are, each once a minute at most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._warned: dict[str, float] = {}

    def note(self, count: int, longest: Callable[[], Running | None], now: float) -> None:
        """Look at a number of deliveries in progress. `longest` is the handler that runs longest."""
        if count >= self._most:
            self._warn("further ones are rejected", count, longest(), now)
        elif count > 1 and count * 2 >= self._most:
            self._warn("half of max_running", count, longest(), now)

    def _warn(self, what: str, count: int, longest: Running | None, now: float) -> None:
        if now - self._warned.get(what, -_INTERVAL) < _INTERVAL:
            return
        self._warned[what] = now
        shown = "no handler runs"
        if longest is not None:
            shown = f"{longest.name} runs longest, for {now - longest.since:.0f} s on delivery {longest.delivery_id}"
        logger.warning("webhooks: %d of %d deliveries are in progress (%s); %s.", count, self._most, what, shown)
