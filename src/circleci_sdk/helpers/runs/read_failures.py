"""Which failures of its reads a watcher passes over, and when it raises the error. No I/O."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import NotFoundError
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS, backoff, is_refusal, may_pass

if TYPE_CHECKING:
    from circleci_sdk._core.errors import CircleCIError

MAX_FAILURE_TIME: Final = 300.0
MAX_CONSECUTIVE_FAILURES: Final = 8
"""An error is raised after this many consecutive failures of one read that span at least this many seconds."""


class ReadFailures:
    """The failures in a row of each read of a watcher: pipeline, workflows, the jobs of each workflow.

    `not_found_delay` is the time in seconds for which the pipeline may be unknown.
    """

    def __init__(self, not_found_delay: float) -> None:
        self._not_found_delay = not_found_delay
        self._not_found_since: float | None = None
        self._failures: dict[str, tuple[int, float]] = {}
        self._refusals: dict[str, int] = {}

    def pause(
        self, read: str, error: CircleCIError, now: float, *, first: bool, chance: float, left: float = inf
    ) -> float | None:
        """Seconds until the next attempt, at least; None if the error is to be raised. The wait ends in `left` seconds.

        A refusal is raised at the `first` look, where it shows a wrong token, and when it is the third in a row. A
        transient error ends such a row; refusals do not end a row of transient errors, so that each mixture ends.
        """
        if isinstance(error, NotFoundError):
            since = self._not_found_since = now if self._not_found_since is None else self._not_found_since
            return None if now - since > self._not_found_delay else 0.0
        if is_refusal(error):
            self._refusals[read] = count = self._refusals.get(read, 0) + 1
            is_over = first or count >= MAX_REFUSALS
        elif may_pass(error):
            self._refusals.pop(read, None)
            count, since = self._failures.get(read, (0, now))
            count += 1
            self._failures[read] = count, since
            is_over = count >= MAX_CONSECUTIVE_FAILURES and now - since > MAX_FAILURE_TIME
        else:
            return None
        return None if is_over else backoff(error, count, chance, left)

    def read(self, read: str) -> None:
        """Note a success of one read."""
        self._failures.pop(read, None)
        self._refusals.pop(read, None)

    def polled(self) -> None:
        """Note a poll in which every read succeeded."""
        self._not_found_since = None
