"""The workflows that the lists of a run lack, and when to ask for them by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .state import RunState, has_ended

if TYPE_CHECKING:
    from collections.abc import Container

    from .facts import RunWorkflow

GONE_DELAY: Final = 30.0
GONE_POLLS: Final = 3
"""A workflow is asked for by its id once this many lists in a row, over at least this many seconds, lack it."""


class Unlisted:
    """How long the lists have lacked the workflows of a run that have not ended. No I/O."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}

    def due(self, state: RunState, listed: Container[str], now: float) -> list[RunWorkflow]:
        """The workflows to ask for, after a list with these ids."""
        missing = [one for one in state.workflows.values() if one.id not in listed and not has_ended(state, one)]
        before = {one.id: self._seen.get(one.id, (0, now)) for one in missing}
        self._seen = {workflow_id: (lists + 1, since) for workflow_id, (lists, since) in before.items()}
        return [one for one in missing if self._is_due(*self._seen[one.id], now)]

    def found(self, workflow_id: str) -> None:
        """The API knows it by its id: count from the beginning."""
        del self._seen[workflow_id]

    @staticmethod
    def _is_due(lists: int, since: float, now: float) -> bool:
        return lists >= GONE_POLLS and now - since >= GONE_DELAY
