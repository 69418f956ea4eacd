"""The classes of events, and their known statuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_args

from circleci_sdk.v1.models import Build
from circleci_sdk.v2.models import CompletedJobStatus, CompletedWorkflowStatus, JobCompleted, Ping, WorkflowCompleted

from .unknown_event import UnknownEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

Event: TypeAlias = WorkflowCompleted | JobCompleted | Ping | Build | UnknownEvent
"""Any event. `Build` is the notification of CircleCI 1.0."""


def _known(alias: Any) -> tuple[str, ...]:
    return tuple(value for member in get_args(alias.__value__) for value in get_args(member))


EVENT_STATUSES: Final[Mapping[type[Any], tuple[str, ...] | None]] = {
    WorkflowCompleted: _known(CompletedWorkflowStatus),
    JobCompleted: _known(CompletedJobStatus),
    Build: (),
    Ping: None,
    UnknownEvent: None,
}
"""The classes with their known statuses: any status for builds, None for classes without a status."""
