"""Artifacts: download the files that jobs have stored, and find those of the newest run."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from anyio.to_thread import run_sync

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._downloads.files import safe_parts, save
from circleci_sdk.helpers._downloads.inflate import encodings_of_file
from circleci_sdk.helpers._shared.arguments import check_count, check_filter, check_project_slug, check_timeout, got
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.v2._client import V2

from .selection import Match, matches, pick_workflows, plan

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import Artifact, JobStatus, Pipeline, Workflow, WorkflowJob, WorkflowStatus

Overwrite: TypeAlias = bool | Literal["skip"]
"""What to do with files that exist: False raises before any download, True replaces, `"skip"` keeps them."""
OnFile: TypeAlias = Callable[["DownloadedArtifact"], None]
"""Called after each file."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class DownloadedArtifact:
    """A file on disk: its `path`, its `size` in bytes, and whether it was `skipped` because it existed already."""

    artifact: Artifact
    path: Path
    size: int
    skipped: bool = False


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobArtifacts:
    """A job, its `number` for `Artifacts.download`, and its artifacts."""

    job: WorkflowJob
    number: int
    artifacts: tuple[Artifact, ...]


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class LatestArtifacts:
    """The newest run that matches, with the artifacts of its jobs."""

    pipeline: Pipeline
    workflow: Workflow
    jobs: tuple[JobArtifacts, ...]

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts of all jobs."""
        return tuple(artifact for job in self.jobs for artifact in job.artifacts)


@public("circleci_sdk.helpers")
class Artifacts(Uncopied):
    """The files that jobs have stored. Available as `circleci.artifacts`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return "<Artifacts>"

    async def download(
        self,
        project_slug: str | ProjectSlug,
        job_number: int,
        dest: str | os.PathLike[str],
        *,
        match: Match | Unset = UNSET,
        concurrency: int = 4,
        overwrite: Overwrite = False,
        timeout: float | None = 3600.0,
        on_file: OnFile | None = None,
    ) -> list[DownloadedArtifact]:
        """Download the artifacts of a job into a folder.

        Each goes to `dest/<node index>/<path>`, so that the files of parallel runs stay apart. A file is written
        under a temporary name beside it and renamed when it is complete; after a broken connection the download
        resumes. Only servers of CircleCI receive the token.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            job_number: Number of the job within its project.
            dest: The folder; created if it is missing.
            match: Which artifacts: a pattern, several, or a function. In a pattern `*` and `?` stop at a slash, `**`
                does not; a pattern without a slash applies to the name of the file alone. Default: all.
            concurrency: The most files downloaded at once.
            overwrite: What to do with files that exist. False raises before any download, True replaces them,
                `"skip"` keeps them and downloads the rest: the way to continue after a failure.
            timeout: Seconds for all files together, None for no limit. The read timeout of the client applies too.
            on_file: Called after each file.

        Returns:
            The files, in the order of the API.

        Raises:
            InvalidArgumentError: An argument is invalid; an artifact has a name that leads out of `dest` or that
                Windows reserves, or two have the same one. Nothing was downloaded. `match` can leave them out.
            FieldUnavailableError: The path, index or URL of an artifact is unavailable. Nothing was downloaded. `match`
                can leave it out.
            FileExistsError: A file exists and `overwrite` is False.
            NotFoundError: The job is missing or hidden, or an artifact has expired; no part of its file is left.
            RequestTimeoutError: The timeout has passed. Complete files stay.

        Calls `v2.jobs.list_artifacts` once per page, and downloads each file once.
        """
        method = "artifacts.download"
        slug = check_project_slug(method, project_slug)
        options = _check_options(method, match, concurrency, overwrite, timeout, on_file)
        caller = TimedCaller(self._caller, timeout)
        listed = V2(caller).jobs.list_artifacts(slug, job_number)
        return await _download(caller, [(one, Path(dest)) async for one in listed if matches(match, one)], options)

    async def download_latest(
        self,
        project_slug: str | ProjectSlug,
        dest: str | os.PathLike[str],
        *,
        branch: str | Unset = UNSET,
        workflow: str | Unset = UNSET,
        job: str | Unset = UNSET,
        status: WorkflowStatus | JobStatus | Unset = "success",
        max_pipelines: int = 100,
        match: Match | Unset = UNSET,
        concurrency: int = 4,
        overwrite: Overwrite = False,
        timeout: float | None = 3600.0,
        on_file: OnFile | None = None,
    ) -> list[DownloadedArtifact] | None:
        """Find the newest run that matches and download the artifacts of its jobs: `latest` and `download` in one.

        Each file goes to `dest/<job name>/<node index>/<path>`.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            dest: The folder; created if it is missing.
            branch: As for `latest`.
            workflow: As for `latest`.
            job: As for `latest`.
            status: As for `latest`.
            max_pipelines: As for `latest`.
            match: As for `download`.
            concurrency: As for `download`.
            overwrite: As for `download`. `"skip"` also keeps the files of an older run, since their paths are the same.
            timeout: Seconds for the search and all files together, None for no limit.
            on_file: As for `download`.

        Returns:
            The files, job by job; or None if there is no such run.

        Raises:
            The errors of `latest` and `download`.

        Makes the calls of `latest`, and downloads each file once.
        """
        method = "artifacts.download_latest"
        slug = check_project_slug(method, project_slug)
        _check_filters(method, branch, workflow, job, status, max_pipelines)
        options = _check_options(method, match, concurrency, overwrite, timeout, on_file)
        caller = TimedCaller(self._caller, timeout)
        found = await _find(V2(caller), slug, branch, workflow, job, status, max_pipelines)
        if found is None:
            return None
        selected = [(one.job, artifact) for one in found.jobs for artifact in one.artifacts if matches(match, artifact)]
        listed = [(artifact, Path(dest).joinpath(*safe_parts(of.name))) for of, artifact in selected]
        return await _download(caller, listed, options)

    async def latest(
        self,
        project_slug: str | ProjectSlug,
        *,
        branch: str | Unset = UNSET,
        workflow: str | Unset = UNSET,
        job: str | Unset = UNSET,
        status: WorkflowStatus | JobStatus | Unset = "success",
        max_pipelines: int = 100,
    ) -> LatestArtifacts | None:
        """Find the artifacts of the newest run that matches.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            branch: Only this branch. Default: all.
            workflow: Only workflows of this name. Default: all but setup workflows.
            job: Only jobs of this name; `status` is then the status of the job, whatever that of the workflow.
            status: The status of the workflow, or of the job; UNSET for any.
            max_pipelines: The most pipelines to look at, newest first.

        Returns:
            The run with the artifacts of its jobs, which may be none; or None if there is no such run.

        Raises:
            InvalidArgumentError: An argument is invalid.
            NotFoundError: The project is missing, or hidden from this token.
            FieldUnavailableError: An id or number that the search needs is unavailable in a response; or the tag of the
                workflow found, which may be a setup workflow: pass `workflow`.

        Calls `v2.pipelines.list_for_project`, then for each pipeline `v2.pipelines.list_workflows`, with `job` also
        `v2.workflows.list_jobs`, until one matches; then `v2.jobs.list_artifacts` for each job.
        """
        slug = check_project_slug("artifacts.latest", project_slug)
        _check_filters("artifacts.latest", branch, workflow, job, status, max_pipelines)
        return await _find(V2(self._caller), slug, branch, workflow, job, status, max_pipelines)


@dataclass(frozen=True, slots=True)
class _Options:
    """How to download."""

    method: str
    concurrency: int
    overwrite: Overwrite
    on_file: OnFile | None


def _check_options(
    method: str,
    match: object,
    concurrency: int,
    overwrite: Overwrite,
    timeout: float | None,
    on_file: OnFile | None,
) -> _Options:
    if not (match is UNSET or callable(match) or isinstance(match, str | Sequence)):
        raise InvalidArgumentError(
            f"{method}: match: expected a pattern, several, or a function, got {got(match)}. Leave it out for all."
        )
    if overwrite not in (True, False, "skip"):
        raise InvalidArgumentError(f"{method}: overwrite: expected True, False or 'skip', got {overwrite!r}.")
    check_count(method, "concurrency", concurrency)
    check_timeout(method, timeout)
    return _Options(method, concurrency, overwrite, on_file)


def _check_filters(
    method: str, branch: object, workflow: object, job: object, status: object, max_pipelines: int
) -> None:
    for name, value in (("branch", branch), ("workflow", workflow), ("job", job), ("status", status)):
        check_filter(method, name, value)
    check_count(method, "max_pipelines", max_pipelines)


async def _download(
    caller: TimedCaller, listed: Sequence[tuple[Artifact, Path]], options: _Options
) -> list[DownloadedArtifact]:
    planned = plan(options.method, listed)
    existing = await run_sync(_sizes, [path for _, path in planned])
    if options.overwrite is False and existing:
        raise FileExistsError(
            f"{options.method}: {next(iter(existing))} exists; pass overwrite=True to replace it, or 'skip' to keep it."
        )

    async def fetch(item: tuple[Artifact, Path]) -> DownloadedArtifact:
        artifact, path = item
        if options.overwrite == "skip" and path in existing:
            file = DownloadedArtifact(artifact, path, existing[path], skipped=True)
        else:
            opened = download_of(
                caller,
                artifact.url,
                label=options.method,
                timeout=caller.left,
                keep=encodings_of_file(path.name),
            )
            size = await save(opened, path, replace=options.overwrite is not False)
            file = DownloadedArtifact(artifact, path, size)
        if options.on_file is not None:
            options.on_file(file)
        return file

    return await map_concurrently(fetch, planned, limit=options.concurrency)


async def _find(
    v2: V2,
    project_slug: str,
    branch: str | Unset,
    workflow: str | Unset,
    job: str | Unset,
    status: str | Unset,
    max_pipelines: int,
) -> LatestArtifacts | None:
    seen = 0
    async for pipeline in v2.pipelines.list_for_project(project_slug, branch=branch):
        for candidate in pick_workflows(await v2.pipelines.list_workflows(pipeline.id).collect(), workflow):
            if job is UNSET and not _has_status(candidate, status):
                continue
            jobs = [
                one
                for one in await v2.workflows.list_jobs(candidate.id).collect()
                if job is UNSET or (if_available(lambda it: it.name, one) == job and _has_status(one, status))
            ]
            if job is UNSET or jobs:
                if workflow is UNSET:
                    _ = candidate.tag  # raises if it is unavailable: the workflow may be a setup workflow
                return LatestArtifacts(pipeline, candidate, tuple(await _list_artifacts(v2, project_slug, jobs)))
        seen += 1
        if seen >= max_pipelines:
            break
    return None


def _has_status(one: Workflow | WorkflowJob, wanted: str | Unset) -> bool:
    """Whether it has the wanted status. An unavailable status is none of them, least of all `success`."""
    return wanted is UNSET or if_available(lambda: str(one.status)) == wanted


async def _list_artifacts(v2: V2, project_slug: str, jobs: Sequence[WorkflowJob]) -> list[JobArtifacts]:
    async def list_one(item: tuple[WorkflowJob, int]) -> JobArtifacts:
        job, number = item
        return JobArtifacts(job, number, tuple(await v2.jobs.list_artifacts(project_slug, number).collect()))

    ran = [job for job in jobs if if_available(lambda one: one.type, job) != "approval"]
    numbered = [(job, job.job_number) for job in ran if job.job_number is not None]
    return await map_concurrently(list_one, numbered, limit=4)


def _sizes(paths: Sequence[Path]) -> dict[Path, int]:
    """The sizes of the files that exist."""
    return {path: path.stat().st_size for path in paths if path.exists()}
