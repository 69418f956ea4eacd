"""Whether Redis is available, and what the log says of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import ConfigError
from circleci_sdk._core.logs import logger

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock

_CODE: Final = re.compile(r"([A-Z]{3,20})(?: |$)")


class Outage:
    """The time in which Redis is not asked, because it failed. One WARNING when it begins, one INFO when it ends."""

    def __init__(self, clock: Clock, retry_interval: float) -> None:
        self._clock = clock
        self._interval = retry_interval
        self._until: float | None = None
        self._is_trying = False

    @property
    def is_over_or_tried(self) -> bool:
        """Whether a script call may run: there is no outage, or it is the attempt to come back."""
        return self._until is None or self._is_trying

    def may_ask(self) -> bool:
        """Whether to ask Redis now. In an outage one call may, each interval; that call is the attempt to come back."""
        if self._until is None:
            return True
        now = self._clock.monotonic()
        if now < self._until:
            return False
        self._until, self._is_trying = now + self._interval, True
        return True

    def begin(self, error: Exception) -> None:
        """Redis failed. The log names the kind of the error: texts of servers and clients may quote a password."""
        was_on = self._until is not None
        self._until, self._is_trying = self._clock.monotonic() + self._interval, False
        if was_on:
            return
        logger.warning(
            "Redis is not available (%s): each process keeps the rate limit alone; next attempt in %g s",
            _describe(error),
            self._interval,
        )

    def end(self) -> None:
        """Redis responded."""
        if self._until is not None:
            self._until, self._is_trying = None, False
            logger.info("Redis is available again: the rate limit is shared")


def _describe(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    code = _CODE.match(str(error))
    return f"{type(error).__name__} {code[1]}" if code else type(error).__name__
