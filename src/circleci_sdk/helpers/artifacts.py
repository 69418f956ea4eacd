"""The files that jobs leave behind: fetched safely, and found by branch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anyio.to_thread import run_sync

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import public
from circleci_sdk.v2._client import V2

from ._downloads.download import download_of
from ._downloads.files import safe_parts, save
from ._shared.concurrency import together
from ._shared.deadline import TimedCaller

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import Artifact, JobStatus, Pipeline, Workflow, WorkflowJob, WorkflowStatus

Overwrite = bool | Literal["skip"]
Match = str | Sequence[str] | Callable[["Artifact"], bool]


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class DownloadedArtifact:
    """An artifact on disk: its `path`, its `size` in bytes, and whether it was `kept` because it was there already."""

    artifact: Artifact
    path: Path
    size: int
    kept: bool = False


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobArtifacts:
    """A job, its `number` as `download` takes it, and the artifacts it has stored."""

    job: WorkflowJob
    number: int
    artifacts: tuple[Artifact, ...]


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class LatestArtifacts:
    """The newest run that was asked for, with the artifacts of its jobs."""

    pipeline: Pipeline
    workflow: Workflow
    jobs: tuple[JobArtifacts, ...]

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Those of all jobs."""
        return tuple(artifact for job in self.jobs for artifact in job.artifacts)


@public("circleci_sdk.helpers")
class Artifacts:
    """What jobs have stored. Reached as `circleci.artifacts`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._v2 = V2(caller)

    async def download(
        self,
        project_slug: str | ProjectSlug,
        job_number: int,
        dest: str | os.PathLike[str],
        *,
        match: Match | None = None,
        concurrency: int = 4,
        overwrite: Overwrite = False,
        timeout: float | None = 3600.0,
        on_file: Callable[[DownloadedArtifact], None] | None = None,
    ) -> list[DownloadedArtifact]:
        """Fetch the artifacts of a job into a folder.

        Each goes to `dest/<node index>/<path>`, so that the files of parallel runs stay apart. A file is written
        under another name beside it and renamed when it is whole; after a broken connection it goes on where it
        broke. The token is sent to CircleCI's own servers only.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            job_number: Number of the job within its project.
            dest: The folder; made if it is missing.
            match: Which artifacts: a pattern, several, or a function. In a pattern `*` and `?` stop at a slash, `**`
                does not; a pattern without a slash is held against the name of the file alone. Default: all.
            concurrency: Files under way at once.
            overwrite: What to do with files that are there already. False refuses before anything is fetched, True
                replaces them, `"skip"` keeps them and fetches the rest: the way to go on after a failure.
            timeout: Seconds for all files together; None for no limit. Silence on a connection ends sooner.
            on_file: Called after each file.

        Returns:
            The files, in the order of the API.

        Raises:
            InvalidArgumentError: An artifact has a name that would lead out of `dest` or that Windows reserves, or
                two would have the same one; nothing was fetched. `match` can leave them out.
            FileExistsError: A file is there already and `overwrite` is False.
            NotFoundError: The job is missing or hidden, or an artifact has expired; no file of it is left.
            RequestTimeoutError: The time ran out. Files that were whole stay.

        Calls `v2.jobs.list_artifacts` once per page, and fetches each file once.
        """
        caller = TimedCaller(self._caller, timeout)
        wanted = [
            artifact
            async for artifact in V2(caller).jobs.list_artifacts(project_slug, job_number)
            if match is None or matches(match, artifact)
        ]
        planned = plan(wanted, Path(dest))
        there = await run_sync(_sizes, [path for _, path in planned])
        if overwrite is False and there:
            raise FileExistsError(
                f"{next(iter(there))} exists; pass overwrite=True to replace it, or 'skip' to keep it."
            )

        async def fetch(item: tuple[Artifact, Path]) -> DownloadedArtifact:
            artifact, path = item
            if overwrite == "skip" and path in there:
                file = DownloadedArtifact(artifact, path, there[path], kept=True)
            else:
                opened = download_of(
                    caller,
                    artifact.url,
                    label="artifacts.download",
                    timeout=caller.left,
                    decode=not is_compressed(path.name),
                )
                file = DownloadedArtifact(artifact, path, await save(opened, path, replace=overwrite is not False))
            if on_file is not None:
                on_file(file)
            return file

        return await together(fetch, planned, limit=concurrency)

    async def latest(
        self,
        project_slug: str | ProjectSlug,
        *,
        branch: str | None = None,
        workflow: str | None = None,
        job: str | None = None,
        status: WorkflowStatus | JobStatus | None = "success",
        max_pipelines: int = 100,
    ) -> LatestArtifacts | None:
        """Find the artifacts of the newest run that ended well.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            branch: Only this branch. Default: any.
            workflow: Only workflows of this name. Default: any but setup workflows.
            job: Only jobs of this name; then `status` is that of the job, whatever became of the rest.
            status: What the workflow, or the job, must have ended as; None for whatever it is.
            max_pipelines: How many pipelines to go back.

        Returns:
            The run with the artifacts of its jobs, which may be none; or None if there is no such run.

        Raises:
            NotFoundError: The project is missing, or hidden from this token.

        Calls `v2.pipelines.list_for_project`, then for each pipeline `v2.pipelines.list_workflows`, with `job` also
        `v2.workflows.list_jobs`, until one fits; then `v2.jobs.list_artifacts` for each job.
        """
        pipelines = self._v2.pipelines.list_for_project(project_slug, branch=UNSET if branch is None else branch)
        seen = 0
        async for pipeline in pipelines:
            for candidate in pick_workflows(await self._v2.pipelines.list_workflows(pipeline.id).collect(), workflow):
                if job is None and status is not None and candidate.status != status:
                    continue
                jobs = [
                    one
                    for one in await self._v2.workflows.list_jobs(candidate.id).collect()
                    if job is None or (one.name == job and (status is None or one.status == status))
                ]
                if job is None or jobs:
                    return LatestArtifacts(pipeline, candidate, tuple(await self._of_jobs(project_slug, jobs)))
            seen += 1
            if seen >= max_pipelines:
                break
        return None

    async def _of_jobs(self, project_slug: str | ProjectSlug, jobs: Sequence[WorkflowJob]) -> list[JobArtifacts]:
        async def list_one(item: tuple[WorkflowJob, int]) -> JobArtifacts:
            job, number = item
            return JobArtifacts(job, number, tuple(await self._v2.jobs.list_artifacts(project_slug, number).collect()))

        numbered = [(job, job.job_number) for job in jobs if job.job_number is not None]
        return await together(list_one, numbered, limit=4)


def plan(artifacts: Sequence[Artifact], dest: Path) -> list[tuple[Artifact, Path]]:
    """Where each artifact goes. Raises `InvalidArgumentError` for names that are refused or meet in one file."""
    taken: dict[str, Artifact] = {}
    planned: list[tuple[Artifact, Path]] = []
    for artifact in artifacts:
        path = dest.joinpath(str(artifact.node_index), *safe_parts(artifact.path))
        other = taken.setdefault(os.path.normcase(path), artifact)
        if other is artifact:
            planned.append((artifact, path))
        elif other.url != artifact.url:
            raise InvalidArgumentError(f"The artifacts {other.path!r} and {artifact.path!r} would be one file, {path}.")
    return planned


def matches(match: Match, artifact: Artifact) -> bool:
    """Whether an artifact is wanted."""
    if callable(match):
        return match(artifact)
    patterns = [match] if isinstance(match, str) else match
    return any(fits(pattern, artifact.path) for pattern in patterns)


def fits(pattern: str, path: str) -> bool:
    """Whether a path fits a pattern.

    `*` stops at slashes, `**` stands for any folders, and a pattern without a slash speaks of the file's name alone.
    """
    names = path.strip("/").split("/")
    parts = pattern.strip("/").split("/")
    return _fits(parts, names[-1:] if len(parts) == 1 and parts[0] != "**" else names)


def _fits(parts: Sequence[str], names: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_fits(parts[1:], names[skip:]) for skip in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _fits(parts[1:], names[1:])


def is_compressed(name: str) -> bool:
    """Whether a file is meant to be compressed, so that the compression is not the server's to undo."""
    return name.lower().endswith((".gz", ".tgz", ".svgz"))


def pick_workflows(workflows: Sequence[Workflow], name: str | None) -> list[Workflow]:
    """Those of the name, or all but setup workflows; newest first."""
    chosen = [one for one in workflows if (one.tag != "setup" if name is None else one.name == name)]
    return sorted(chosen, key=lambda one: one.created_at, reverse=True)


def _sizes(paths: Sequence[Path]) -> dict[Path, int]:
    """The sizes of those that exist."""
    return {path: path.stat().st_size for path in paths if path.exists()}
