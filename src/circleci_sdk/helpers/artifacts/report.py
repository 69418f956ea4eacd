"""Reports on artifacts: the newest run that has them, the files that were downloaded, and what was passed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from circleci_sdk._public import public
from circleci_sdk.helpers._shared.reports import raise_for_items
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.skipped import Skipped
    from circleci_sdk.v2.models import Artifact, Pipeline, Workflow, WorkflowJob


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class DownloadedArtifact(Value):
    """A file on disk: its `path`, its `size` in bytes, and whether it was `skipped` because it existed already."""

    artifact: Artifact
    path: Path
    size: int
    skipped: bool = False


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class DownloadReport(Value):
    """The result of a download; a collection of its `files`.

    `files` are the complete files, in the order of the API. `skipped` are the artifacts that could not be downloaded,
    in the same order, each with its path as `id`; nothing of them is left on disk. After `download_latest` it begins
    with what the search passed over.
    """

    files: tuple[DownloadedArtifact, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was passed over."""
        return not self.skipped

    def __iter__(self) -> Iterator[DownloadedArtifact]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def raise_for_failure(self) -> DownloadReport:
        """Return this report if it is `ok`.

        Otherwise raise `CircleCIError`, whose message lists what was passed over; its `__cause__` is an
        `ExceptionGroup` of the errors.
        """
        raise_for_items(f"artifacts: {len(self.files)} downloaded, {len(self.skipped)} passed over", self.skipped)
        return self


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobArtifacts(Value):
    """A job, its `number` for `Artifacts.download`, and its artifacts."""

    job: WorkflowJob
    number: int
    artifacts: tuple[Artifact, ...]


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class LatestArtifacts(Value):
    """The newest run that matches, with the artifacts of its jobs.

    `skipped` is what could not be read: newer pipelines or workflows, which may match too, and jobs of this run, which
    are missing from `jobs`, or the last of their artifacts.
    """

    pipeline: Pipeline
    workflow: Workflow
    jobs: tuple[JobArtifacts, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts of all jobs."""
        return tuple(artifact for job in self.jobs for artifact in job.artifacts)
