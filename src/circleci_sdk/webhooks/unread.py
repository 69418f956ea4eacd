"""What a poll could not read: when it is asked again, and when it is given up and named. No I/O."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from circleci_sdk._core.errors import CircleCIError, FieldUnavailableError, InvalidArgumentError
from circleci_sdk.helpers._shared.skipped import Skipped

GIVE_UP_POLLS: Final = 5
"""Polls that ask for an item before it is given up."""
GIVE_UP_SECONDS: Final = 300.0
"""Seconds between the first failure and giving up, at least."""
MAX_PAUSE: Final = 3600.0
"""Seconds until an item that was given up is asked again, at most."""
MAX_SKIPPED: Final = 1000
"""Number of items that are named, and of those that fail, which bounds the memory."""

Key = tuple[str, str]
"""An operation, and the id in it."""


@dataclass(slots=True)
class _Failing:
    """An item that fails: how often, since when, and when it is asked again. `partly` if the rest of it is readable."""

    since: float
    ask_at: float
    failures: int = 0
    partly: bool = False


class Unread:
    """The items that could not be read.

    An item is asked at each poll until it is given up, and then at growing intervals. Once it is read it is no longer
    named. All times are those of a monotonic clock.
    """

    def __init__(self) -> None:
        self._failing: OrderedDict[Key, _Failing] = OrderedDict()
        self._skipped: OrderedDict[Key, Skipped] = OrderedDict()
        self.count: int = 0
        """Number of items that were given up and not read since."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The items that were given up and not read since, the last `MAX_SKIPPED` of them."""
        return tuple(self._skipped.values())

    def failed(self, operation: str, item: str, error: CircleCIError, now: float) -> bool:
        """Note a failure. True if the item is given up.

        An id that no request can hold is given up at once: asking again cannot help.
        """
        key = (operation, item)
        failing = self._failing.pop(key, None) or _Failing(now, now)
        self._failing[key] = failing
        _trim(self._failing)
        failing.failures += 1
        enough = failing.failures >= GIVE_UP_POLLS and now - failing.since >= GIVE_UP_SECONDS
        if enough or key in self._skipped or isinstance(error, InvalidArgumentError):
            self.give_up(operation, item, error, now)
            return True
        return False

    def give_up(self, operation: str, item: str, error: CircleCIError, now: float) -> None:
        """Name an item without further attempts before."""
        key = (operation, item)
        failing = self._failing.setdefault(key, _Failing(now, now))
        failing.partly = isinstance(error, FieldUnavailableError)
        failing.ask_at = now + min(now - failing.since, MAX_PAUSE)
        self.count += key not in self._skipped
        self._skipped[key] = Skipped(operation, item, error)
        _trim(self._failing)
        _trim(self._skipped)

    def succeeded(self, operation: str, item: str) -> None:
        """Note that an item was read."""
        key = (operation, item)
        self._failing.pop(key, None)
        if self._skipped.pop(key, None) is not None:
            self.count -= 1

    def is_failing(self, operation: str, item: str) -> bool:
        """Whether the last attempt failed."""
        return (operation, item) in self._failing

    def is_given_up(self, operation: str, item: str) -> bool:
        """Whether an item is named."""
        return (operation, item) in self._skipped

    def is_due(self, operation: str, item: str, now: float, *, finished: bool) -> bool:
        """Whether to ask for an item now.

        An item that may get further parts, so is not finished, is asked for as long as the rest of it is readable.
        """
        failing = self._failing.get((operation, item))
        return failing is None or now >= failing.ask_at or (failing.partly and not finished)


def _trim(known: OrderedDict[Key, _Failing] | OrderedDict[Key, Skipped]) -> None:
    while len(known) > MAX_SKIPPED:
        known.popitem(last=False)
