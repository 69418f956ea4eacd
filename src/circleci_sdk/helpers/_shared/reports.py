"""Reports of many items: the error for those that failed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from circleci_sdk._core.errors import CircleCIError


class FailedItem(Protocol):
    """An item of a report, with the reason of its failure. Its text says both."""

    @property
    def error(self) -> BaseException | None:
        """The reason, if it is an error."""
        ...


def raise_for_items(message: str, items: Iterable[FailedItem], cause: str = "items that were passed over") -> None:
    """Raise `CircleCIError` with a line for each item, caused by a group of their errors. Nothing without items."""
    failed = list(items)
    if not failed:
        return
    lines = "".join(f"\n  {one}" for one in failed)
    errors = [one.error for one in failed if isinstance(one.error, Exception)]
    raise CircleCIError(f"{message}:{lines}") from (ExceptionGroup(cause, errors) if errors else None)


def raise_for_skipped(method: str, skipped: Collection[FailedItem]) -> None:
    """Raise the error of `raise_for_items` for what a method passed over. Nothing if that is nothing."""
    raise_for_items(f"{method}: {len(skipped)} passed over", skipped)
