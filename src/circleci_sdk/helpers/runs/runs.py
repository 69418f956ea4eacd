"""Runs: start a pipeline, wait for its end, watch its events, approve, rerun, cancel.

    run = await circleci.runs.start("gh/acme/web", branch="main", parameters={"deploy": True})
    result = await run.wait(timeout=1800)
    result.raise_for_failure()

A run is a pipeline with its workflows. One watcher polls a whole run: at first about every second, after a minute about
every eight to ten seconds, after ten minutes at longer and longer intervals up to a minute. The watchers of a client
make at most 25 calls in any second all together, and no more than the rate limit allows: a hundred take turns. While a
run waits, each poll makes one call: its workflows; until one exists, and when all have ended, its pipeline.
`Run.watch`, which also reports jobs, adds one call for each workflow that has not ended. Transient errors are retried
until the timeout.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from circleci_sdk._core.checks import BOOL, check, instance
from circleci_sdk._core.errors import CallFacts, ConfigError, DecodeError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._shared.arguments import check_count, check_filter, check_project_slug, check_text
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.retrying import retry_reads

from .arguments import check_id, check_parameters, check_ref, check_revision, choose_definition
from .context import context_of
from .redundant import CancelReport, RedundantWork
from .result import Explanation, RunResult, RunSkippedError, explain
from .run import Run
from .search import RunSearch, newest_by_v3
from .search_query import RunQuery, check_query, is_full_revision
from .watcher import NEW_PIPELINE_DELAY, OTHER_PIPELINE_DELAY

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import MessageResponse, Pipeline, PipelineCreation

    from .search_query import SearchStatus


@public("circleci_sdk.helpers")
class Runs(Uncopied):
    """Starts and finds runs. Available as `circleci.runs`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller
        self._context = context_of(caller)
        self._v2 = self._context.v2

    def __repr__(self) -> str:
        return "<Runs>"

    async def start(
        self,
        project_slug: str | ProjectSlug,
        *,
        branch: str | Unset = UNSET,
        tag: str | Unset = UNSET,
        parameters: Mapping[str, Any] | Unset = UNSET,
        definition_id: str | UUID | Unset = UNSET,
        config_branch: str | Unset = UNSET,
        config_tag: str | Unset = UNSET,
    ) -> Run:
        """Start a pipeline, at most one: a request that the server may have processed is not sent again.

        Args:
            project_slug: the project, such as `gh/acme/web` or `circleci/<organization>/<project>`.
            branch: the branch to run; excludes `tag`. Default: the default branch of the project.
            tag: the tag to run.
            parameters: pipeline parameters: strings, integers or booleans. At most 100, with names of up to 128 and
                values of up to 512 characters.
            definition_id: the pipeline definition. Default for a `circleci/...` slug: the only one of the project.
            config_branch: the branch to take the config from; only with definitions, excludes `config_tag`.
            config_tag: the tag to take the config from.

        Raises:
            RunSkippedError: the server started nothing; the message is the server's. Any response with a message and
                neither an id nor a number counts as this one.
            DecodeError: the server processed the request, but the id of the new pipeline is unavailable; with
                `request_outcome` `processed`. Do not start again: `find` or `latest` has the run.
            InvalidArgumentError: an argument is invalid, or the project has no definition or several (listed in the
                message). Nothing was started.

        One call; for a `circleci/...` slug or a config ref, without `definition_id`, two more to find the only
        definition.
        """
        slug, v2 = check_project_slug("runs.start", project_slug), self._v2
        checkout = check_ref(branch, tag)
        config = check_ref(config_branch, config_tag, "config_")
        check_parameters(parameters)
        if definition_id is UNSET and not config and not slug.startswith("circleci/"):
            response = await v2.pipelines.trigger(slug, branch=branch, tag=tag, parameters=parameters)
        else:
            from circleci_sdk.v2.models import PipelineRunCheckout, PipelineRunConfig

            if definition_id is UNSET:
                definition = await self._only_definition(slug)
            else:
                definition = check_id("runs.start", "definition_id", definition_id)
            response = await v2.pipelines.trigger_run(
                slug,
                pipeline_definition_id=definition,
                checkout=PipelineRunCheckout(**checkout) if checkout else UNSET,
                config=PipelineRunConfig(**config) if config else UNSET,
                parameters=parameters,
            )
        return self._run(_started(response), _int_in(response, "number"), slug, NEW_PIPELINE_DELAY)

    async def _only_definition(self, project_slug: str) -> str:
        v2 = self._v2
        project = await retry_reads(self._caller, lambda: v2.projects.get(project_slug))
        definitions = await retry_reads(self._caller, lambda: v2.pipeline_definitions.list(project.id).collect())
        return choose_definition(project_slug, definitions)

    def attach(self, pipeline_id: str | UUID) -> Run:
        """The run of a pipeline that was started elsewhere. Makes no call: a wrong id raises on first use."""
        return self._run(check_id("runs.attach", "pipeline_id", pipeline_id))

    async def latest(self, project_slug: str | ProjectSlug, *, branch: str | Unset = UNSET) -> Run | None:
        """The newest run of a branch, or of the whole project; None if there is none. One call.

        Raises:
            NotFoundError: the project does not exist, or is hidden from this token.
        """
        slug = check_project_slug("runs.latest", project_slug)
        check_filter("runs.latest", "branch", branch)
        pipelines = self._v2.pipelines
        found = await retry_reads(self._caller, lambda: pipelines.list_for_project(slug, branch=branch).take(1))
        return self._run_of(found[0]) if found else None

    async def find(
        self,
        project_slug: str | ProjectSlug,
        *,
        revision: str,
        branch: str | Unset = UNSET,
        max_pipelines: int = 100,
    ) -> Run | None:
        """The newest run of a commit; None if no recent pipeline is known to have this commit.

        Args:
            project_slug: the project, such as `gh/acme/web`.
            revision: the SHA of the commit, or at least its first 7 digits.
            branch: only pipelines of this branch. Default: all branches.
            max_pipelines: the most pipelines to look at, newest first.

        Raises:
            InvalidArgumentError: an argument is invalid.
            NotFoundError: the project does not exist, or is hidden from this token.

        A whole SHA is searched for by API v3, with two calls, among the runs of 90 days. Where v3 finds none or does
        not serve this client, and for the beginning of a SHA: one call for each page of pipelines, until it is found.
        """
        slug, wanted = check_project_slug("runs.find", project_slug), check_revision(revision)
        check_filter("runs.find", "branch", branch)
        check_count("runs.find", "max_pipelines", max_pipelines)
        if is_full_revision(wanted):
            newest = await newest_by_v3(self._caller, RunQuery((slug,), branch=branch, revision=wanted))
            if newest is not None:
                return self._run(newest.id, if_available(lambda: newest.number), slug)

        async def search() -> Pipeline | None:
            seen = 0
            async for pipeline in self._v2.pipelines.list_for_project(slug, branch=branch):
                revision = if_available(lambda one: one.vcs.revision if one.vcs else None, pipeline)
                if revision is not None and revision.lower().startswith(wanted):
                    return pipeline
                seen += 1
                if seen == max_pipelines:
                    break
            return None

        found = await retry_reads(self._caller, search)
        return None if found is None else self._run_of(found)

    def search(
        self,
        project_slugs: Sequence[str | ProjectSlug],
        *,
        branch: str | Unset = UNSET,
        revision: str | Unset = UNSET,
        status: SearchStatus | Unset = UNSET,
        since: datetime | Unset = UNSET,
        until: datetime | Unset = UNSET,
    ) -> RunSearch:
        """The runs of projects, newest first, for `async for`.

        Args:
            project_slugs: the projects, such as `["gh/acme/web"]`.
            branch: only runs of this branch. Default: of all branches and tags.
            revision: only runs of this commit, by its whole SHA.
            status: only runs with this status, by API v3 alone.
            since: the earliest start. Default: 90 days before `until`.
            until: the latest start. Default: now.

        Raises:
            InvalidArgumentError: at once, for invalid arguments. From the loop, for a `status` where v3 does not serve
                this client, such as on a Server.
            NotFoundError: from the loop; a project does not exist, or is hidden from this token.

        By API v3: one call for each project, and one for each 20 runs. On a Server, and where v3 refuses the token or
        does not find a project, by v2: one call for each page of pipelines of each project, within the time.
        """
        query = check_query(project_slugs, branch, revision, status, since, until)
        return RunSearch(self._caller, query)

    async def current(self) -> Run:
        """The run that this process is a job of, from the environment of the job.

        Reads `CIRCLE_PIPELINE_ID` (set it from `<< pipeline.id >>`), else makes one call for the pipeline of
        `CIRCLE_WORKFLOW_ID`, which every job has. A job cannot wait for its own run: the run ends after the job.

        Raises:
            ConfigError: neither variable is set, so this process is no job of CircleCI.
        """
        if pipeline_id := os.environ.get("CIRCLE_PIPELINE_ID"):
            return self._run(pipeline_id)
        workflow_id = os.environ.get("CIRCLE_WORKFLOW_ID")
        if not workflow_id:
            raise ConfigError(
                "runs.current: this process is no job of CircleCI: neither CIRCLE_PIPELINE_ID nor CIRCLE_WORKFLOW_ID "
                "is set. Use runs.attach with the id of a pipeline."
            )
        workflow = await retry_reads(self._caller, lambda: self._v2.workflows.get(workflow_id))
        return self._run(
            workflow.pipeline_id,
            if_available(lambda: workflow.pipeline_number),
            if_available(lambda: workflow.project_slug),
        )

    async def explain(
        self, result: RunResult, *, tail: int = 50, concurrency: int = 8, timeout: float | None = 300.0
    ) -> Explanation:
        """Read why a run failed: the failed steps of each failed job, the end of their output, and its failed tests.

        All reads run concurrently: two calls for each failed job, for its steps and its tests, one or two for each
        failed step, and one for the flaky tests of the project. Where v3 does not serve this client, each job takes
        one call more. Anything that cannot be read is listed under `problems`.

        Args:
            result: of `Run.result`, `Run.wait` or `Run.watch`; also a copy, or one that was pickled.
            tail: lines to keep of the output of each step.
            concurrency: the most calls in progress at once.
            timeout: seconds for all reads together, None for no limit. Anything unread by then is listed as a problem.

        Raises:
            InvalidArgumentError: an argument is invalid.
        """
        check("runs.explain", result=(result, instance("a RunResult", RunResult)))
        return await explain(self._caller, result, "runs.explain", tail=tail, concurrency=concurrency, timeout=timeout)

    async def cancel_redundant(
        self,
        project_slug: str | ProjectSlug,
        branch: str,
        *,
        keep: Literal["newest"] | str | UUID = "newest",
        dry_run: bool = False,
        max_pipelines: int = 20,
    ) -> CancelReport:
        """Cancel the unfinished workflows of a branch whose pipelines are older than the one to keep.

        Args:
            project_slug: the project.
            branch: its branch.
            keep: `"newest"`, the newest pipeline that could be created; or the id of a pipeline, which is kept with
                all newer ones.
            dry_run: only report what would be canceled.
            max_pipelines: the most pipelines of the branch to look at, newest first.

        A workflow that cannot be read or canceled, and a pipeline that cannot be compared or read, does not stop the
        rest: it is in `skipped` of the report. Call `raise_for_failure` of the report to hear of it.

        Raises:
            InvalidArgumentError: an argument is invalid, or the pipeline to keep is not among those looked at; nothing
                was canceled.
            FieldUnavailableError: the state of a pipeline that may be the newest is unavailable, or the number of the
                one to keep; nothing was canceled.
            AuthenticationError: at once from the list of pipelines; later after three refusals in a row.
            RateLimitError: the rate limit does not allow the calls.

        Reads all workflows before the first request to cancel: one call for each page of pipelines, one for each
        older pipeline. Then one for each canceled workflow. Workflows that end meanwhile are no error. An error of the
        list of pipelines is raised. A repeated call is safe, and asks for what was passed over.
        """
        method, pipelines = "runs.cancel_redundant", self._v2.pipelines
        slug = check_project_slug(method, project_slug)
        check_text(method, "branch", branch)
        kept = check_id(method, "keep", keep)
        check_count(method, "max_pipelines", max_pipelines)
        check(method, dry_run=(dry_run, BOOL))
        found = await retry_reads(
            self._caller, lambda: pipelines.list_for_project(slug, branch=branch).take(max_pipelines)
        )
        return await RedundantWork(self._caller, self._v2).cancel(found, kept, dry_run=dry_run)

    def _run_of(self, pipeline: Pipeline) -> Run:
        return self._run(
            pipeline.id, if_available(lambda: pipeline.number), if_available(lambda: pipeline.project_slug)
        )

    def _run(
        self,
        pipeline_id: str,
        number: int | None = None,
        project_slug: str | None = None,
        not_found_delay: float = OTHER_PIPELINE_DELAY,
    ) -> Run:
        return Run(self._context, pipeline_id, number, project_slug, not_found_delay)


def _started(response: PipelineCreation | MessageResponse) -> str:
    """The id of the new pipeline. Raises if there is none: `RunSkippedError` for a message alone.

    An id or number that cannot be read belongs to a pipeline all the same.
    """
    # By name: a response may be either object, or a part of it.
    identity = getattr(response, "id", None)
    if isinstance(identity, str) and identity:
        return identity
    message = getattr(response, "message", None)
    raw = response.model_dump(mode="json")
    is_alone = raw.get("id") is None and raw.get("number") is None
    if isinstance(message, str) and message and is_alone:
        raise RunSkippedError(message)
    facts = CallFacts("runs.start", "POST", "", retry_stop_reason="not_retryable", request_outcome="processed")
    raise DecodeError(
        "runs.start: the server processed the request, but the id of the new pipeline is unavailable in its response. "
        "The request is not sent again. Find the run with runs.latest or runs.find.",
        facts=facts,
    )


def _int_in(response: object, name: str) -> int | None:
    value = getattr(response, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
