"""Serial groups: of the jobs of one group in an organization, one runs at a time, oldest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .plans import Job

if TYPE_CHECKING:
    from .runs import FakeJob


class SerialGroups:
    """The jobs of each group that are ready and have not ended. A job without a group waits for no other."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], list[FakeJob]] = {}

    def may_run(self, job: FakeJob) -> bool:
        """Add a job to its group; whether it is the turn of the job."""
        group = self._group_of(job)
        if group is None:
            return True
        if job not in group:
            group.append(job)
        return group[0] is job

    def waits(self, job: FakeJob) -> bool:
        """Whether a job has a group, and its turn has not come."""
        group = self._group_of(job)
        return group is not None and not (group and group[0] is job)

    def leave(self, job: FakeJob) -> FakeJob | None:
        """Remove a job that has ended; returns the one whose turn it is then, if any."""
        group = self._group_of(job)
        if group is None or job not in group:
            return None
        group.remove(job)
        return group[0] if group else None

    def _group_of(self, job: FakeJob) -> list[FakeJob] | None:
        name = job.plan.serial_group if isinstance(job.plan, Job) else None
        return None if name is None else self._groups.setdefault((job.project.organization.id, name), [])
