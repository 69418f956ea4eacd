"""What is missing of a period: windows, files and rows that could not be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circleci_sdk._core.errors import CallError, CircleCIError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.reports import raise_for_skipped
from circleci_sdk.helpers._shared.skipped import SkipLog, Skipped
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from .windows import UsageWindow


class UsageLog:
    """What was passed over of a period, and whether anything came of it."""

    def __init__(self) -> None:
        self._log = SkipLog()
        self._missing: dict[UsageWindow, None] = {}
        self._has_raised = False
        self.has_any = False

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The items that were passed over."""
        return self._log.skipped

    @property
    def missing(self) -> tuple[UsageWindow, ...]:
        """The windows of these items."""
        return tuple(self._missing)

    def add(self, operation: str, window: UsageWindow, part: str, error: CircleCIError) -> None:
        """Pass over a window, or a part of it. Raises the error if it concerns all."""
        if isinstance(error, CallError):
            error.next = window.start.isoformat()
        period = f"{window.start.isoformat()}/{window.end.isoformat()}"
        self._log.add(operation, f"{period} {part}" if part else period, error)
        self._missing[window] = None

    def succeeded(self) -> None:
        """Note that something was read."""
        self._log.succeeded()

    def raise_if_nothing(self) -> None:
        """Raise the first error, once, if nothing came of the whole period: no result needs to be kept."""
        if self.skipped and not self.has_any and not self._has_raised:
            self._has_raised = True
            raise self.skipped[0].error


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class UsageDownload(Value):
    """The result of `circleci.usage.download`; a collection of its `files`.

    `skipped` are the windows and files that could not be downloaded, each with its period as `id`, in ISO 8601, and the
    number of the file. `missing` are their windows, to be requested again with `overwrite=True`.
    """

    files: tuple[Path, ...]
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[UsageWindow, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was passed over."""
        return not self.skipped

    def __iter__(self) -> Iterator[Path]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def raise_for_failure(self) -> UsageDownload:
        """Return this report if it is `ok`.

        Otherwise raise `CircleCIError`, whose message lists what was passed over; its `__cause__` is an
        `ExceptionGroup` of the errors.
        """
        raise_for_skipped("usage.download", self.skipped)
        return self
