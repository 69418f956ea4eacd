"""Deliveries and polls of one project merged: each event once, in order per workflow. Pure decisions, no I/O."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

    Followed: TypeAlias = JobCompleted | WorkflowCompleted

JOBS: Final = "job-completed"
WORKFLOWS: Final = "workflow-completed"
SWEEP: Final = 10
"""While deliveries come, every tenth poll is made all the same: a single one may have got lost."""


@dataclass(slots=True)
class Merge:
    """What was given out, and what is next.

    The unit is the workflow: one that was over when following began is silent unless a delivery speaks of it; of any
    other all events come, jobs by the time they stopped and then the workflow.
    """

    events: frozenset[str]
    size: int = 100_000
    # A name in quotes, since `Followed` is imported for types only.
    ready: deque[Followed] = field(default_factory=deque["Followed"])  # pyrefly: ignore[not-a-type]
    _given: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    _silent: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])

    @property
    def needs_jobs(self) -> bool:
        """Whether the jobs of a workflow have to be asked for."""
        return JOBS in self.events

    def silence(self, workflow_id: str) -> None:
        """Note a workflow that was over when following began."""
        if not self.is_over(workflow_id):
            self._note(self._silent, workflow_id)

    def is_over(self, workflow_id: str) -> bool:
        """Whether polling has nothing more to say about a workflow."""
        return workflow_id in self._given or workflow_id in self._silent

    def is_news(self, event: Followed) -> bool:
        """Whether a delivery says something that was not given out."""
        return _key(event) not in self._given

    def delivered(self, event: Followed, others: Iterable[JobCompleted]) -> None:
        """Give out a delivery, and before it the jobs of its workflow that stopped earlier."""
        if event.workflow is not None:
            self._silent.pop(event.workflow.id, None)
        earlier = [other for other in others if _key(other) != _key(event)]
        if event.type == JOBS:
            earlier = [other for other in earlier if _moment(other) <= _moment(event)]
        self._give([*sorted(earlier, key=_moment), event])

    def polled(self, jobs: Sequence[JobCompleted], workflow: WorkflowCompleted | None) -> None:
        """Give out what polling saw of a workflow: jobs that stopped, and the workflow if it is over."""
        found: list[Followed] = [*sorted(jobs, key=_moment)]
        self._give(found if workflow is None else [*found, workflow])

    def _give(self, events: Iterable[Followed]) -> None:
        for event in events:
            if self.is_news(event):
                self._note(self._given, _key(event))
                if event.type in self.events:
                    self.ready.append(event)

    def _note(self, known: OrderedDict[str, None], key: str) -> None:
        known[key] = None
        if len(known) > self.size:
            known.popitem(last=False)


def next_poll(polled: float, delivered: float | None, every: float) -> float:
    """When to poll: after so much silence, but not put off for ever by deliveries."""
    if delivered is None or delivered <= polled:
        return polled + every
    return min(delivered + every, polled + every * SWEEP)


def _key(event: Followed) -> str:
    return event.job.id if event.type == JOBS else event.workflow.id


def _moment(event: Followed) -> float:
    done = event.job if event.type == JOBS else event.workflow
    return (done.stopped_at or event.happened_at).timestamp()
