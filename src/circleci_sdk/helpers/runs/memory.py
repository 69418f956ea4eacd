"""What the watchers of one run share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .facts import RunWorkflow

if TYPE_CHECKING:
    from .state import RunState


@dataclass(slots=True)
class RunMemory:
    """What a `Run` knows from before: its watchers share it.

    `awaited` are the reruns that were requested, `approved` the approvals that were sent; for each rerun whose id is
    unknown, `before` has the workflows before it. `workflows` were read, `gone` are those that the API no longer knows.
    """

    awaited: set[str] = field(default_factory=set[str])
    before: list[frozenset[str]] = field(default_factory=list[frozenset[str]])
    approved: set[str] = field(default_factory=set[str])
    workflows: dict[str, RunWorkflow] = field(default_factory=dict[str, RunWorkflow])
    gone: frozenset[str] = frozenset()

    def keep(self, state: RunState) -> None:
        """Remember the workflows of this state."""
        self.gone = (self.gone - state.workflows.keys()) | state.gone
        self.workflows.update(state.workflows)
