"""Runs: start a pipeline, wait for its end, see what happens in it, approve, run again, cancel.

    run = await circleci.runs.start("gh/acme/web", branch="main", parameters={"deploy": True})
    result = await run.wait(timeout=1800)
    result.raise_for_failure()

A run is a pipeline with its workflows. One watcher looks after a whole run: at first about every second, later every
20 to 60 seconds, and never faster than the rate limit allows. While a run waits it costs one call for each look (its
workflows); until its first workflow is there one or two (its pipeline). `watch`, which tells of jobs too, adds one call
for each workflow that has not ended. Calls that fail for a while are asked again until the time is over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID
from weakref import WeakSet

from circleci_sdk._core.errors import ConfigError, InvalidArgumentError, NotFoundError, RunSkippedError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.retrying import patiently

from .arguments import check_parameters, check_ref, choose_definition
from .run import Run, cancel_workflow
from .watcher import MISSING, MISSING_OLD, Watcher

if TYPE_CHECKING:
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import Pipeline


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class Cancellation:
    """What `cancel_redundant` did to one workflow.

    `outcome` is `canceled`, `already_over` when it had ended meanwhile, or `would_cancel` in a dry run.
    """

    pipeline_id: str
    pipeline_number: int
    workflow_id: str
    workflow_name: str
    outcome: Literal["canceled", "already_over", "would_cancel"]


@public("circleci_sdk.helpers")
class Runs:
    """Starts runs and finds them. Reached as `circleci.runs`."""

    def __init__(self, circleci: AsyncCircleCI) -> None:
        self._circleci = circleci
        self._crowd: WeakSet[Watcher] = WeakSet()

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
        """Start a pipeline. The server takes at most one; nothing is sent again that it may have carried out.

        Args:
            project_slug: the project, such as `gh/acme/web` or `circleci/<organization>/<project>`.
            branch: the branch to run; not together with `tag`. Default: the project's default branch.
            tag: the tag to run.
            parameters: pipeline parameters: texts, whole numbers or booleans. At most 100, with names of up to 128 and
                values of up to 512 characters.
            definition_id: the pipeline definition. Default for a `circleci/...` slug: the project's only one.
            config_branch: the branch to take the config from; only with definitions, not together with `config_tag`.
            config_tag: the tag to take the config from.

        Raises:
            RunSkippedError: the server started nothing, and its message says why.
            InvalidArgumentError: something contradicts itself or is too long, or the project has no definition or
                several, which it lists. Nothing was started.

        One call; for a `circleci/...` slug or a config of its own, without `definition_id`, two more to find the only
        definition.
        """
        checkout = check_ref(branch, tag)
        config = check_ref(config_branch, config_tag, "config_")
        check_parameters(parameters)
        slug, v2 = str(project_slug), self._circleci.v2
        if definition_id is UNSET and not config and not slug.startswith("circleci/"):
            response = await v2.pipelines.trigger(project_slug, branch=branch, tag=tag, parameters=parameters)
        else:
            definition = await self._only_definition(slug) if definition_id is UNSET else definition_id
            response = await v2.pipelines.trigger_run(
                project_slug,
                pipeline_definition_id=definition,
                checkout=checkout or UNSET,
                config=config or UNSET,
                parameters=parameters,
            )
        from circleci_sdk.v2.models import MessageResponse

        if isinstance(response, MessageResponse):
            raise RunSkippedError(response.message)
        return self._run(response.id, number=response.number, project_slug=slug, missing=MISSING)

    async def _only_definition(self, project_slug: str) -> str:
        v2 = self._circleci.v2
        project = await patiently(self._circleci, lambda: v2.projects.get(project_slug))
        definitions = await patiently(self._circleci, lambda: v2.pipeline_definitions.list(project.id).collect())
        return choose_definition(project_slug, definitions)

    def attach(self, pipeline_id: str | UUID) -> Run:
        """The run of a pipeline that was started elsewhere. Makes no call: a wrong id shows when it is used."""
        return self._run(str(pipeline_id))

    async def latest(self, project_slug: str | ProjectSlug, branch: str | Unset = UNSET) -> Run | None:
        """The newest run of a branch, or of the whole project; None if there is none. One call."""
        v2 = self._circleci.v2
        found = await patiently(
            self._circleci, lambda: v2.pipelines.list_for_project(project_slug, branch=branch).take(1)
        )
        if not found:
            return None
        return self._run(found[0].id, number=found[0].number, project_slug=found[0].project_slug)

    async def current(self) -> Run:
        """The run that this program is a job of, from the environment of the job.

        Reads `CIRCLE_PIPELINE_ID` (set it from `<< pipeline.id >>`), else asks for the pipeline of
        `CIRCLE_WORKFLOW_ID`, which every job has: one call. Waiting for the own run never ends, of course.

        Raises:
            ConfigError: neither is set, so this is no job of CircleCI.
        """
        if pipeline_id := os.environ.get("CIRCLE_PIPELINE_ID"):
            return self._run(pipeline_id)
        workflow_id = os.environ.get("CIRCLE_WORKFLOW_ID")
        if not workflow_id:
            raise ConfigError(
                "This is no job of CircleCI: neither CIRCLE_PIPELINE_ID nor CIRCLE_WORKFLOW_ID is set. Use attach() "
                "with the id of a pipeline."
            )
        workflow = await patiently(self._circleci, lambda: self._circleci.v2.workflows.get(workflow_id))
        return self._run(workflow.pipeline_id, number=workflow.pipeline_number, project_slug=workflow.project_slug)

    async def cancel_redundant(
        self,
        project_slug: str | ProjectSlug,
        branch: str,
        *,
        keep: Literal["newest"] | str | UUID = "newest",
        dry_run: bool = False,
        look_back: int = 20,
    ) -> list[Cancellation]:
        """Cancel what still runs or waits on a branch for pipelines older than the one to keep.

        Args:
            project_slug: the project.
            branch: its branch.
            keep: `"newest"`, the newest pipeline that could be made; or the id of a pipeline, to leave it and all newer
                ones alone.
            dry_run: only say what would be canceled.
            look_back: how many pipelines of the branch to look at, newest first.

        Raises:
            InvalidArgumentError: the pipeline to keep is not among those looked at; nothing was canceled.

        One call for each page of pipelines, one for each older pipeline, one for each workflow that is canceled.
        Workflows that end meanwhile are no error. Any other error ends it; it is safe to call again.
        """
        v2 = self._circleci.v2
        found = await patiently(
            self._circleci, lambda: v2.pipelines.list_for_project(project_slug, branch=branch).take(look_back)
        )
        done: list[Cancellation] = []
        for pipeline in _older_than_kept(found, str(keep)):
            for workflow_id, name in await self._unfinished(pipeline.id):
                if dry_run:
                    outcome: Literal["canceled", "already_over", "would_cancel"] = "would_cancel"
                else:
                    outcome = "canceled" if await cancel_workflow(self._circleci, workflow_id) else "already_over"
                done.append(Cancellation(pipeline.id, pipeline.number, workflow_id, name, outcome))
        return done

    async def _unfinished(self, pipeline_id: str) -> list[tuple[str, str]]:
        try:
            workflows = await patiently(
                self._circleci, lambda: self._circleci.v2.pipelines.list_workflows(pipeline_id).collect()
            )
        except NotFoundError:  # expired, so nothing of it runs
            return []
        return [(one.id, one.name) for one in workflows if one.status in ("running", "failing", "on_hold")]

    def _run(
        self,
        pipeline_id: str,
        *,
        number: int | None = None,
        project_slug: str | None = None,
        missing: float = MISSING_OLD,
    ) -> Run:
        return Run(self._circleci, self._crowd, pipeline_id, number=number, project_slug=project_slug, missing=missing)


def _older_than_kept(pipelines: Sequence[Pipeline], keep: str) -> list[Pipeline]:
    if keep == "newest":
        kept = next((one for one in pipelines if one.state != "errored"), None)
    else:
        kept = next((one for one in pipelines if one.id == keep), None)
        if kept is None:
            raise InvalidArgumentError(
                f"cancel_redundant: pipeline {keep} is not among the {len(pipelines)} newest of the branch."
            )
    return [] if kept is None else [one for one in pipelines if one.number < kept.number]
