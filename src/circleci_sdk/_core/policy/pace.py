"""The pace of calls after a refusal, and how it grows again. Pure functions over immutable facts.

A server that names no limit has one all the same. The calls that wait leave slowly at first, and the pace doubles
until the next refusal: that finds a limit of any size within seconds. From then on it follows a cubic curve, as the
congestion control of TCP does: quickly back to just below the pace of the refusal, for some time near it, then
further up with growing steps. So refusals stay rare, and a limit that was raised is found too.
"""

from __future__ import annotations

from math import inf, log, log2
from typing import Final, NamedTuple

from .rate_limit import DEFAULT_SPACING, LONGEST_SPACING

FIRST_RATE: Final = 1 / DEFAULT_SPACING
"""Calls per second after the first refusal."""
DOUBLING: Final = 0.5
"""Seconds in which the pace doubles, until a second refusal shows the limit."""
OVERSHOOT: Final = 0.7
"""The part of a pace found by doubling that is taken to be the limit: the refusal comes late."""
KEPT: Final = 0.7
"""The part of the pace that is left after a refusal."""
RECOVERY: Final = 10.0
"""Seconds until the pace is back where it was refused."""
LONGEST_STEP: Final = 1.0
"""Seconds that count at most between two calls: a limit is tried only by calls that are made."""
FASTEST_RATE: Final = 1e6


class Pace(NamedTuple):
    """The pace of a queue.

    `known` is the spacing in seconds that the headers allow, None without such headers. `ceiling` is the rate in calls
    per second that was refused last, infinite before, and `served` the seconds in which calls waited since.
    """

    known: float | None = None
    ceiling: float = inf
    served: float = 0.0


def spacing_at(pace: Pace) -> float:
    """Seconds between two calls that leave a queue."""
    return 1 / rate_of(pace) if pace.known is None else pace.known


def rate_of(pace: Pace) -> float:
    """Calls per second."""
    if pace.known is not None:
        return 1 / pace.known
    if pace.ceiling == inf:
        return min(FASTEST_RATE, FIRST_RATE * 2 ** min(pace.served / DOUBLING, 64))
    bend = (pace.served - RECOVERY) / RECOVERY
    return min(FASTEST_RATE, max(1 / LONGEST_SPACING, pace.ceiling * (1 + (1 - KEPT) * bend**3)))


def grown(pace: Pace, seconds: float) -> Pace:
    """The pace after calls waited for so many seconds more without a refusal."""
    return pace._replace(served=pace.served + min(seconds, LONGEST_STEP))


def refused(pace: Pace | None) -> Pace:
    """The pace after a refusal without a known limit."""
    if pace is None:
        return Pace()
    rate = rate_of(pace)
    return Pace(ceiling=rate * OVERSHOOT if pace.known is None and pace.ceiling == inf else rate)


def time_for(pace: Pace, calls: int) -> float:
    """Seconds until so many calls have left, if none is refused."""
    if pace.known is None and pace.ceiling == inf:
        return DOUBLING * log2(1 + calls * log(2) / (rate_of(pace) * DOUBLING))
    return calls * (1 / pace.ceiling if pace.known is None else pace.known)
