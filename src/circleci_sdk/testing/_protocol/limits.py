"""Rate limits and their headers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from circleci_sdk.testing._wire.messages import TEXT, Response

RateLimitFamily: TypeAlias = Literal["RateLimit", "X-RateLimit", "both"]
"""The family of rate limit headers."""


@dataclass(slots=True)
class Limit:
    """A number of requests per window of seconds, for some operations; for all operations without `labels`."""

    labels: frozenset[str]
    requests: int
    window: float
    family: RateLimitFamily
    retry_after: bool
    used: int = 0
    ends: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Count one request. False above the limit."""
        if self.ends is None or now >= self.ends:
            self.used, self.ends = 0, now + timedelta(seconds=self.window)
        if self.used >= self.requests:
            return False
        self.used += 1
        return True

    def headers(self, now: datetime) -> dict[str, str]:
        """The headers of every response. The reset is in seconds from now."""
        left = str(self.requests - self.used)
        reset = str(self._seconds_left(now))
        found: dict[str, str] = {}
        if self.family in ("RateLimit", "both"):
            found |= {
                "RateLimit-Limit": str(self.requests),
                "RateLimit-Remaining": left,
                "RateLimit-Reset": reset,
            }
        if self.family in ("X-RateLimit", "both"):
            found |= {
                "X-RateLimit-Limit": str(self.requests),
                f"X-RateLimit-Limit-{self._unit}": str(self.requests),
                "X-RateLimit-Remaining": left,
                "X-RateLimit-Reset": reset,
            }
        return found

    def rejection(self, now: datetime) -> Response:
        """The response 429 above the limit: plain text, as gateways send it."""
        headers = self.headers(now)
        if self.retry_after:
            headers["Retry-After"] = str(self._seconds_left(now))
        return Response(429, "Rate limited.", headers, TEXT)

    @property
    def _unit(self) -> str:
        for unit, seconds in (("Second", 1), ("Minute", 60), ("Hour", 3600)):
            if self.window <= seconds:
                return unit
        return "Day"

    def _seconds_left(self, now: datetime) -> int:
        assert self.ends is not None
        return max(1, math.ceil((self.ends - now).total_seconds()))
