"""Artifacts: download the files that jobs have stored, and find those of the newest run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from circleci_sdk._core.checks import at_least, check
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._shared.arguments import (
    CALLBACK,
    PATH,
    check_count,
    check_filter,
    check_project_slug,
    check_timeout,
)
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.helpers._shared.skipped import SkipLog
from circleci_sdk.v2._client import V2

from .latest import LIST, Wanted, find_latest, list_artifacts
from .report import DownloadReport, LatestArtifacts
from .selection import MATCH, STATUS, Listed, Match, selected
from .work import OVERWRITE, OnFile, Options, Overwrite, download_all, identity

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import JobStatus, WorkflowJob, WorkflowStatus


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
    ) -> DownloadReport:
        """Download the artifacts of a job into a folder.

        Each goes to `dest/<node index>/<path>`, so that the files of parallel runs stay apart. A file is written to the
        hidden folder `dest/.<hexadecimal digits>.part` and renamed when it is complete; after a broken connection the
        download resumes. What a killed program has left there is removed by the next download. Only servers of CircleCI
        receive the token.

        Args:
            project_slug: The project, such as `gh/acme/web`.
            job_number: Number of the job within its project.
            dest: The folder; created if it is missing.
            match: Which artifacts: a pattern, several, or a function. In a pattern `*` and `?` stop at a slash, `**`
                does not; a pattern without a slash applies to the name of the file alone. Default: all.
            concurrency: The most files downloaded at once.
            overwrite: What to do with files that exist. False raises before any download. True replaces them; what
                another download has put there meanwhile is a failed item. `"skip"` keeps files that are this very
                artifact, and downloads the rest: the way to continue after a failure. A file of another job, or one
                that was not downloaded by this method, is a failed item.
            timeout: Seconds for all files together, None for no limit. The read timeout of the client applies too.
            on_file: Called after each file.

        Returns:
            The files, in the order of the API, and the artifacts that could not be downloaded, as `skipped`: an
            expired one, one without a path or URL, one whose name leads out of the folder or is none on this system,
            the second one with the same path, one inside of a folder that is another artifact, one that cannot be
            written. So is the rest of a list that breaks off after some of them, with the number of the job as `id`.
            `raise_for_failure` of the report raises for them.

        Raises:
            InvalidArgumentError: An argument is invalid.
            FileExistsError: A file exists and `overwrite` is False. Nothing was downloaded.
            NotADirectoryError: `dest` is no folder. Nothing was downloaded.
            OSError: The disk is full or read-only. Complete files stay.
            NotFoundError: The job is missing, an approval, or hidden.
            AuthenticationError: Three downloads in a row were refused with 401.
            RateLimitError: The rate limit has no place within the longest delay of the client.
            RequestTimeoutError: The timeout has passed. Complete files stay.

        The hidden file `.circleci-artifacts.jsonl` in `dest` records which artifact each file is.

        Calls `v2.jobs.list_artifacts` once per page, and downloads each file once.
        """
        method = "artifacts.download"
        slug = check_project_slug(method, project_slug)
        check(method, job_number=(job_number, at_least(1)))
        options = _check_options(method, dest, match, concurrency, overwrite, timeout, on_file)
        caller = TimedCaller(self._caller, timeout)
        of_job = identity(self._caller.session.origin, slug, job_number)
        log = SkipLog(caller)
        artifacts, gap = await list_artifacts(V2(caller), slug, job_number)
        if gap is not None:
            log.add(LIST, str(job_number), gap)
        listed = [Listed(one, lambda: "", of_job) for one in artifacts if await selected(match, one)]
        report = await download_all(caller, Path(dest), listed, options)
        return DownloadReport(report.files, report.skipped + log.skipped)

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
    ) -> DownloadReport | None:
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
            overwrite: As for `download`. With `"skip"` the files of an older run are failed items, since they have the
                same paths; True replaces them.
            timeout: Seconds for the search and all files together, None for no limit.
            on_file: As for `download`.

        Returns:
            The files, job by job, and what could not be read or downloaded, as `skipped`, beginning with that of the
            search; or None if there is no such run.

        It raises the errors of `latest` and `download`.

        Makes the calls of `latest`, and downloads each file once.
        """
        method = "artifacts.download_latest"
        slug = check_project_slug(method, project_slug)
        _check_filters(method, branch, workflow, job, status, max_pipelines)
        options = _check_options(method, dest, match, concurrency, overwrite, timeout, on_file)
        caller = TimedCaller(self._caller, timeout)
        wanted = Wanted(branch, workflow, job, status, max_pipelines)
        found = await find_latest(method, caller, slug, wanted)
        if found is None:
            return None
        origin = self._caller.session.origin
        listed = [
            Listed(artifact, _name_of(one.job), identity(origin, slug, one.number))
            for one in found.jobs
            for artifact in one.artifacts
            if await selected(match, artifact)
        ]
        report = await download_all(caller, Path(dest), listed, options)
        return DownloadReport(report.files, found.skipped + report.skipped)

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
            The run with the artifacts of its jobs, which may be none; or None if there is no such run. Its `skipped` is
            what could not be read: a pipeline without its workflows, a workflow without its jobs, a job without its
            artifacts or the last of them; also a workflow whose tag is unavailable, since it may be a setup workflow:
            pass `workflow`.

        Raises:
            InvalidArgumentError: An argument is invalid.
            NotFoundError: The project is missing, or hidden from this token.
            AuthenticationError: Three reads in a row were refused with 401.
            CircleCIError: No run matches, but some could not be read; the message lists them.

        Calls `v2.pipelines.list_for_project`, then for each pipeline `v2.pipelines.list_workflows`, with `job` also
        `v2.workflows.list_jobs`, until one matches; then `v2.jobs.list_artifacts` for each job. Eight pipelines are
        read at once, so up to seven after the match too, and the artifacts of eight jobs.
        """
        slug = check_project_slug("artifacts.latest", project_slug)
        _check_filters("artifacts.latest", branch, workflow, job, status, max_pipelines)
        wanted = Wanted(branch, workflow, job, status, max_pipelines)
        return await find_latest("artifacts.latest", TimedCaller(self._caller, None), slug, wanted)


def _check_options(
    method: str,
    dest: object,
    match: object,
    concurrency: int,
    overwrite: Overwrite,
    timeout: float | None,
    on_file: OnFile | None,
) -> Options:
    check(
        method, dest=(dest, PATH), match=(match, MATCH), overwrite=(overwrite, OVERWRITE), on_file=(on_file, CALLBACK)
    )
    check_count(method, "concurrency", concurrency)
    check_timeout(method, timeout)
    return Options(method, concurrency, overwrite, on_file)


def _check_filters(
    method: str, branch: object, workflow: object, job: object, status: object, max_pipelines: int
) -> None:
    for name, value in (("branch", branch), ("workflow", workflow), ("job", job)):
        check_filter(method, name, value)
    check(method, status=(status, STATUS))
    check_count(method, "max_pipelines", max_pipelines)


def _name_of(job: WorkflowJob) -> Callable[[], str]:
    return lambda: job.name
