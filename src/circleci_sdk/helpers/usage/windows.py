"""Periods of usage exports, and the names of their files. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from circleci_sdk._core.checks import got
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.values import Value

LONGEST_WINDOW: Final = timedelta(days=31)
_TICK: Final = timedelta(microseconds=1)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class UsageWindow(Value):
    """A period, from `start` (included) to `end` (excluded), both in UTC."""

    start: datetime
    end: datetime

    @property
    def last(self) -> datetime:
        """The last microsecond: the API includes the end of a period."""
        return self.end - _TICK


def windows(start: date | datetime, end: date | datetime, method: str = "usage.rows") -> list[UsageWindow]:
    """The period in windows of at most 31 days, without gaps or overlaps, split at midnight UTC.

    At midnight it makes no difference whether the API compares times or days.
    """
    begin, stop = _utc(method, "start", start), _utc(method, "end", end)
    if begin >= stop:
        raise InvalidArgumentError(
            f"{method}: end: expected a time after start; the period from {begin:%Y-%m-%d} to {stop:%Y-%m-%d} is empty."
        )
    found: list[UsageWindow] = []
    while begin < stop:
        latest = begin + LONGEST_WINDOW
        cut = stop if stop <= latest else datetime.combine(latest.date(), time(), UTC)
        found.append(UsageWindow(begin, cut))
        begin = cut
    return found


def _utc(method: str, name: str, value: object) -> datetime:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise InvalidArgumentError(f"{method}: {name}: expected a time zone, such as tzinfo=UTC; got none.")
        return value.astimezone(UTC)
    if not isinstance(value, date):
        raise InvalidArgumentError(f"{method}: {name}: expected date or datetime, got {got(value)}.")
    return datetime.combine(value, time(), UTC)


def file_stem(window: UsageWindow) -> str:
    """The first part of the file names of a window."""
    return f"usage-{_stamp(window.start)}-{_stamp(window.last)}"


def _stamp(moment: datetime) -> str:
    whole_day = moment.time() in (time(), time(23, 59, 59, 999999))
    return f"{moment:%Y%m%d}" if whole_day else f"{moment:%Y%m%dT%H%M%S}"
