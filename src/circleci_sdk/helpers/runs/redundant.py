"""Redundant runs: the workflows that have not ended, of pipelines that a newer one replaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

from circleci_sdk._core.errors import FieldUnavailableError, InvalidArgumentError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import Partial, of_helper, try_field
from circleci_sdk.helpers._shared.reports import raise_for_skipped
from circleci_sdk.helpers._shared.skipped import SkipLog, Skipped
from circleci_sdk.helpers._shared.values import Value

from .facts import id_of
from .run import cancel_workflow
from .state import WORKFLOW_ENDED

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk.v2._client import V2
    from circleci_sdk.v2.models import Pipeline, Workflow

CancelOutcome: TypeAlias = Literal["canceled", "already_over", "would_cancel"]
"""`canceled`; `already_over` if the workflow had ended meanwhile; `would_cancel` in a dry run."""

_PIPELINES = "v2.pipelines.list_for_project"
_WORKFLOWS = "v2.pipelines.list_workflows"
_CANCEL = "v2.workflows.cancel"


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Cancellation(Partial):
    """The effect of `Runs.cancel_redundant` on one workflow."""

    pipeline_id: str
    pipeline_number: int
    workflow_id: str
    workflow_name: str
    outcome: CancelOutcome


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class CancelReport(Value):
    """The effect of `Runs.cancel_redundant`: `results` by workflow, newest pipeline first.

    `skipped` are the pipelines and workflows that were passed over, with the reason: they may still run. A new call
    asks for them again.
    """

    results: tuple[Cancellation, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was passed over."""
        return not self.skipped

    def raise_for_failure(self) -> CancelReport:
        """Return this report if nothing was passed over.

        Otherwise raise `CircleCIError`, whose message lists `skipped`; its `__cause__` is an `ExceptionGroup` of the
        errors.
        """
        raise_for_skipped("runs.cancel_redundant", self.skipped)
        return self


class RedundantWork:
    """One call of `Runs.cancel_redundant`, after its list of pipelines."""

    def __init__(self, caller: Caller, v2: V2) -> None:
        self._caller = caller
        self._v2 = v2
        self._log = SkipLog()

    async def cancel(self, pipelines: Sequence[Pipeline], keep: str, *, dry_run: bool) -> CancelReport:
        """Read the workflows of all pipelines older than the one to keep, then cancel those that have not ended."""
        older: list[Pipeline] = []
        for pipeline, error in older_than_kept(pipelines, keep):
            if error is None:
                older.append(pipeline)
            else:
                self._log.add(_PIPELINES, _named(pipeline), of_helper(error))
        unfinished = [(one, workflow) for one in older for workflow in await self._unfinished(one)]
        done: list[Cancellation] = []
        for pipeline, workflow in unfinished:
            outcome = "would_cancel" if dry_run else await self._cancel(workflow.id)
            if outcome is not None:
                name = try_field(partial(_name_of, workflow))
                done.append(Cancellation(pipeline.id, pipeline.number, workflow.id, name, outcome))
        return CancelReport(tuple(done), self._log.skipped)

    async def _unfinished(self, pipeline: Pipeline) -> list[Workflow]:
        """The workflows that are known to have an id, and known not to have ended."""
        read = partial(self._workflows, pipeline)
        listed = await self._log.attempt(_WORKFLOWS, _named(pipeline), read)
        found: list[Workflow] = []
        for workflow in listed or ():
            try:
                if id_of(workflow) and workflow.status not in WORKFLOW_ENDED:
                    found.append(workflow)
            except FieldUnavailableError as error:
                named = if_available(lambda one: one.id, workflow) or pipeline.id
                self._log.add(_WORKFLOWS, named, of_helper(error))
        return found

    async def _workflows(self, pipeline: Pipeline) -> list[Workflow]:
        pipelines = self._v2.pipelines
        return await self._log.retry_reads(self._caller, lambda: pipelines.list_workflows(pipeline.id).collect())

    async def _cancel(self, workflow_id: str) -> CancelOutcome | None:
        was_running = await self._log.attempt(_CANCEL, workflow_id, partial(cancel_workflow, self._v2, workflow_id))
        return None if was_running is None else "canceled" if was_running else "already_over"


def older_than_kept(pipelines: Sequence[Pipeline], keep: str) -> list[tuple[Pipeline, FieldUnavailableError | None]]:
    """The pipelines older than the one to keep; with the error those of which it cannot be said, or that have no id.

    Raises the error of a field that decides which one to keep.
    """
    kept = _kept(pipelines, keep)
    if kept is None:
        return []
    number = kept.number
    found: list[tuple[Pipeline, FieldUnavailableError | None]] = []
    for one in pipelines:
        if one is kept:
            continue
        try:
            _ = one.id  # raises if it is unavailable
            if one.number < number:
                found.append((one, None))
        except FieldUnavailableError as error:
            found.append((one, error))
    return found


def _kept(pipelines: Sequence[Pipeline], keep: str) -> Pipeline | None:
    if keep == "newest":
        return next((one for one in pipelines if one.state != "errored"), None)
    kept = next((one for one in pipelines if if_available(lambda it: it.id, one) == keep), None)
    if kept is None:
        for one in pipelines:
            _ = one.id  # raises if it is unavailable: this may be the one to keep
        raise InvalidArgumentError(
            f"runs.cancel_redundant: keep: pipeline {keep} is not among the {len(pipelines)} newest of the branch."
        )
    return kept


def _named(pipeline: Pipeline) -> str:
    """The id of a pipeline; its number if that is unavailable."""
    return if_available(lambda: pipeline.id) or str(if_available(lambda: pipeline.number) or "unknown")


def _name_of(workflow: Workflow) -> str:
    return workflow.name
