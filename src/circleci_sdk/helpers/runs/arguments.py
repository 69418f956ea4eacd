"""What users ask of a run, checked before anything is sent. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset

from .state import WORKFLOW_FAILED

if TYPE_CHECKING:
    from circleci_sdk.v2.models import PipelineDefinition

    from .facts import RunJob, RunWorkflow

MOST_PARAMETERS: Final = 100
LONGEST_NAME: Final = 128
LONGEST_VALUE: Final = 512


def check_ref(branch: str | Unset, tag: str | Unset, prefix: str = "") -> dict[str, str]:
    """A branch or a tag as the body of a request wants it; empty for neither."""
    given: dict[str, object] = {"branch": branch, "tag": tag}
    ref = {name: value for name, value in given.items() if value is not UNSET}
    if len(ref) > 1:
        raise InvalidArgumentError(f"start: give {prefix}branch= or {prefix}tag=, not both.")
    checked: dict[str, str] = {}
    for name, value in ref.items():
        if not isinstance(value, str) or not value:
            raise InvalidArgumentError(f"start: {prefix}{name}= is the name of a {name}, not {value!r}.")
        checked[name] = value
    return checked


def check_parameters(parameters: Mapping[str, Any] | Unset) -> None:
    """Refuse pipeline parameters that the API would refuse, in words."""
    if parameters is UNSET:
        return
    if len(parameters) > MOST_PARAMETERS:
        raise InvalidArgumentError(
            f"start: a pipeline takes at most {MOST_PARAMETERS} parameters, these are {len(parameters)}."
        )
    for name, value in parameters.items():
        _check_parameter(name, value)


def _check_parameter(name: object, value: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError(f"start: the name of a parameter is a text, not {name!r}.")
    if len(name) > LONGEST_NAME:
        raise InvalidArgumentError(
            f"start: the name of a parameter has at most {LONGEST_NAME} characters; {name[:20]!r}... has {len(name)}."
        )
    if not isinstance(value, str | int):
        raise InvalidArgumentError(
            f"start: parameter {name!r} is a text, a whole number or a boolean, not {type(value).__name__}."
        )
    if len(str(value)) > LONGEST_VALUE:
        raise InvalidArgumentError(
            f"start: the value of a parameter has at most {LONGEST_VALUE} characters; that of {name!r} has "
            f"{len(str(value))}."
        )


def choose_definition(project_slug: str, definitions: Sequence[PipelineDefinition]) -> str:
    """The id of the only definition. None or several are refused with a list of what there is."""
    usable = [(one.id, one.name or "without a name") for one in definitions if one.id]
    if len(usable) == 1:
        return usable[0][0]
    if not usable:
        raise InvalidArgumentError(
            f"start: {project_slug} has no pipeline definition to start from. Set one up in the project's settings."
        )
    listed = ", ".join(f"{identifier} ({name})" for identifier, name in usable)
    raise InvalidArgumentError(
        f"start: {project_slug} has several pipeline definitions; pass definition_id=: {listed}."
    )


def check_rerun(
    jobs: Sequence[str | UUID] | Unset, *, from_failed: bool, ssh: bool, sparse_tree: bool
) -> tuple[str, ...] | None:
    """The jobs asked for, or None for no choice. Refuses what the API does not take together."""
    if jobs is UNSET:
        for name, asked in (("ssh", ssh), ("sparse_tree", sparse_tree)):
            if asked:
                raise InvalidArgumentError(f"rerun: {name}=True needs jobs=: the jobs to run again.")
        return None
    if isinstance(jobs, str | UUID):
        raise InvalidArgumentError("rerun: jobs= is a list of names or ids, not a single one.")
    if from_failed:
        raise InvalidArgumentError("rerun: give from_failed=True or jobs=, not both.")
    if not jobs:
        raise InvalidArgumentError("rerun: jobs= is empty. Leave it out to run all jobs again.")
    return tuple(str(job) for job in jobs)


def choose_workflow(workflows: Iterable[RunWorkflow], wanted: str | None, *, failed_only: bool) -> RunWorkflow:
    """The workflow to run again: the one asked for, else the only one that fits."""
    there = tuple(workflows)
    if wanted is not None:
        fitting = [one for one in there if wanted in (one.id, one.name)]
        problem = f"there is no workflow {wanted!r}"
    else:
        fitting = [one for one in there if not failed_only or one.status in WORKFLOW_FAILED]
        problem = "no workflow has failed" if failed_only and there else "there is no workflow yet"
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        problem = "several workflows fit; pass workflow="
    listed = ", ".join(f"{one.name} ({one.status})" for one in there) or "none"
    raise InvalidArgumentError(f"rerun: {problem}. There are: {listed}.")


def choose_jobs(jobs: Mapping[str, Sequence[RunJob]], wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The one workflow that has all the jobs given by name or id, and the ids of these jobs.

    `jobs` are all jobs by the id of their workflow.
    """
    fitting = [(workflow, ids) for workflow, there in jobs.items() if (ids := _ids_of(there, wanted)) is not None]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{job.workflow_name}/{job.name}" for there in jobs.values() for job in there) or "none"
    problem = "several workflows have these jobs; pass workflow=" if fitting else f"no workflow has {', '.join(wanted)}"
    raise InvalidArgumentError(f"rerun: {problem}. There are: {listed}.")


def _ids_of(jobs: Sequence[RunJob], wanted: Sequence[str]) -> list[str] | None:
    ids: dict[str, None] = {}
    for name in wanted:
        fitting = [job.id for job in jobs if name in (job.id, job.name)]
        if not fitting:
            return None
        ids |= dict.fromkeys(fitting)
    return list(ids)


def choose_approval(jobs: Iterable[RunJob], wanted: str | None) -> RunJob:
    """The approval to give: the one asked for, which may be given already, else the only one that waits."""
    approvals = [job for job in jobs if job.is_approval]
    waiting = [job for job in approvals if job.status == "on_hold"]
    if wanted is None:
        fitting = waiting
    else:
        named = [job for job in approvals if wanted in (job.id, job.name, job.approval_request_id)]
        fitting = [job for job in named if job.status == "on_hold"] or [job for job in named if job.status == "success"]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{job.workflow_name}/{job.name} ({job.status})" for job in approvals) or "none"
    if wanted is None:
        problem = "several approvals wait; pass job=" if fitting else "no approval waits"
    else:
        problem = f"{wanted!r} names several approvals; pass an id" if fitting else f"no approval {wanted!r} waits"
    raise InvalidArgumentError(f"approve: {problem}. There are: {listed}.")
