"""Merges the deliveries and polls of one project: each event once, in order per workflow. No I/O."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.v2.models import JobCompleted

from .event_fields import delivery_id

if TYPE_CHECKING:
    from circleci_sdk.v2.models import WorkflowCompleted

    from .types import FollowedEvent

JOBS: Final = "job-completed"
WORKFLOWS: Final = "workflow-completed"
MAX_POLL_DELAY: Final = 10
"""Deliveries delay polls up to this multiple of the interval: a single delivery may be lost."""


@dataclass(slots=True)
class Merge:
    """The events that were emitted, and those that are ready.

    A workflow that had ended at the start is ignored, unless a delivery mentions it. All events of any other workflow
    are emitted: its jobs in the order of their ends, then the workflow.
    """

    events: frozenset[str]
    size: int = 100_000
    # A name in quotes, since `FollowedEvent` is imported for types only.
    ready: deque[FollowedEvent] = field(default_factory=deque["FollowedEvent"])  # pyrefly: ignore[not-a-type]
    _emitted: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])
    _ignored: OrderedDict[str, None] = field(default_factory=OrderedDict[str, None])

    @property
    def needs_jobs(self) -> bool:
        """Whether the jobs of a workflow must be listed."""
        return JOBS in self.events

    def ignore(self, workflow_id: str) -> None:
        """Ignore a workflow that had ended at the start."""
        if not self.is_done(workflow_id):
            self._remember(self._ignored, workflow_id)

    def is_done(self, workflow_id: str) -> bool:
        """Whether polling has no further events of a workflow."""
        return workflow_id in self._emitted or workflow_id in self._ignored

    def is_new(self, event: FollowedEvent) -> bool:
        """Whether an event was not emitted yet."""
        return _key(event) not in self._emitted

    def delivered(self, event: FollowedEvent, others: Iterable[JobCompleted]) -> None:
        """Emit a delivery, and before it the jobs of its workflow that stopped earlier."""
        workflow_id = workflow_id_of(event)
        if workflow_id is not None:
            self._ignored.pop(workflow_id, None)
        earlier = [other for other in others if _key(other) != _key(event)]
        if isinstance(event, JobCompleted):
            earlier = [other for other in earlier if _moment(other) <= _moment(event)]
        self._emit([*sorted(earlier, key=_moment), event])

    def polled(self, jobs: Sequence[JobCompleted], workflow: WorkflowCompleted | None) -> None:
        """Emit the polled events of a workflow: stopped jobs, and the workflow if it has ended."""
        found: list[FollowedEvent] = [*sorted(jobs, key=_moment)]
        self._emit(found if workflow is None else [*found, workflow])

    def _emit(self, events: Iterable[FollowedEvent]) -> None:
        for event in events:
            if self.is_new(event):
                self._remember(self._emitted, _key(event))
                if kind_of(event) in self.events:
                    self.ready.append(event)

    def _remember(self, known: OrderedDict[str, None], key: str) -> None:
        known[key] = None
        if len(known) > self.size:
            known.popitem(last=False)


def next_poll(polled: float, delivered: float | None, every: float) -> float:
    """When to poll: one interval after the last delivery, but not later than `MAX_POLL_DELAY` intervals."""
    if delivered is None or delivered <= polled:
        return polled + every
    return min(delivered + every, polled + every * MAX_POLL_DELAY)


def kind_of(event: FollowedEvent) -> str:
    """The type of an event by its class: the field may be unavailable."""
    return JOBS if isinstance(event, JobCompleted) else WORKFLOWS


def workflow_id_of(event: FollowedEvent) -> str | None:
    """The id of the workflow of an event; None without one, or without a readable one."""
    return if_available(lambda: event.workflow.id if event.workflow is not None else None) or None


def _key(event: FollowedEvent) -> str:
    """The id of the job or the workflow that ended; that of the delivery if it is unavailable."""
    identity = if_available(lambda: event.job.id if isinstance(event, JobCompleted) else event.workflow.id)
    return identity or delivery_id(event)


def _moment(event: FollowedEvent) -> float:
    """When the job or workflow ended; before all others if that is unavailable."""
    ended = if_available(lambda: (event.job if isinstance(event, JobCompleted) else event.workflow).stopped_at)
    ended = ended or if_available(lambda: event.happened_at)
    return ended.timestamp() if ended is not None else 0.0
