"""Errors that concern the whole of a project: when to try again, and when to raise. No I/O."""

from __future__ import annotations

from typing import Final

from circleci_sdk._core.errors import CircleCIError, DecodeError, StatusError
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS, asked_wait, may_pass

RETRY_DELAY: Final = 5.0
"""Seconds between a failure and the next attempt."""
MAX_FAILING: Final = 300.0
"""Seconds of failures in a row after which the last error is raised."""


class WholeFailure:
    """Failures in a row. After an error was raised, counting starts anew."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._refusals = 0

    def pause(self, error: CircleCIError, now: float, *, first: bool) -> float:
        """Seconds until the next attempt. Raises the error if there is none.

        Temporary errors are raised after `MAX_FAILING` seconds, or at once if the server asks for a longer wait.
        Refusals such as 401, 403 and 404, and responses that cannot be used, may be errors of the server: the third
        refusal in a row is raised, and at the first look each one.
        """
        since = self._since = now if self._since is None else self._since
        pause = max(RETRY_DELAY, asked_wait(error, MAX_FAILING))
        if not may_pass(error):
            self._refusals += 1
            over = first or self._refusals >= MAX_REFUSALS or not isinstance(error, StatusError | DecodeError)
        else:
            self._refusals = 0
            over = now + pause - since > MAX_FAILING
        if over:
            self.end()
            raise error
        return pause

    def end(self) -> None:
        """Note a success."""
        self._since = None
        self._refusals = 0
