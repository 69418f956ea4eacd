"""Arguments of the methods of runs, checked before anything is sent. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from circleci_sdk._core.checks import BOOL, check, got, is_printable
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._shared.arguments import check_filter, check_list, check_text
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import UNAVAILABLE

from .facts import label
from .state import JOB_WAITING, WORKFLOW_FAILED, approval_id

if TYPE_CHECKING:
    from circleci_sdk.v2.models import PipelineDefinition

    from .facts import RunJob, RunWorkflow

MAX_PARAMETERS: Final = 100
MAX_NAME_LENGTH: Final = 128
MAX_VALUE_LENGTH: Final = 512
MIN_REVISION_LENGTH: Final = 7


def check_ref(branch: str | Unset, tag: str | Unset, prefix: str = "") -> dict[str, str]:
    """A branch or a tag as part of a request body; empty for neither."""
    values: dict[str, object] = {"branch": branch, "tag": tag}
    ref = {name: value for name, value in values.items() if value is not UNSET}
    if len(ref) > 1:
        raise InvalidArgumentError(f"runs.start: {prefix}branch and {prefix}tag exclude each other.")
    remedy = " Leave it out for the default branch."
    return {name: check_text("runs.start", f"{prefix}{name}", value, remedy) for name, value in ref.items()}


def check_parameters(parameters: object) -> None:
    """Reject pipeline parameters that the API would reject."""
    if parameters is UNSET:
        return
    if not isinstance(parameters, Mapping):
        raise InvalidArgumentError(f"runs.start: parameters: expected a mapping, got {got(parameters)}.")
    pairs = cast("Mapping[object, object]", parameters)
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidArgumentError(f"runs.start: parameters: expected at most {MAX_PARAMETERS}, got {len(pairs)}.")
    for name, value in pairs.items():
        _check_parameter(name, value)


def _check_parameter(name: object, value: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidArgumentError(f"runs.start: parameters: expected non-empty str names, got {got(name)}.")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidArgumentError(
            f"runs.start: parameters: a name has at most {MAX_NAME_LENGTH} characters; {name[:20]!r}... has "
            f"{len(name)}."
        )
    if not isinstance(value, str | int):
        raise InvalidArgumentError(f"runs.start: parameters: {name!r}: expected str, int or bool, got {got(value)}.")
    if isinstance(value, int) and not is_printable(value):
        raise InvalidArgumentError(f"runs.start: parameters: {name!r}: expected fewer digits, got a huge int.")
    if len(str(value)) > MAX_VALUE_LENGTH:
        raise InvalidArgumentError(
            f"runs.start: parameters: a value has at most {MAX_VALUE_LENGTH} characters; that of {name!r} has "
            f"{len(str(value))}."
        )


def check_id(method: str, name: str, value: object, expected: str = "an id") -> str:
    """An id, or with another `expected` also a name, as a string."""
    if isinstance(value, UUID):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(f"{method}: {name}: expected {expected} (str or UUID), got {got(value)}.")
    return value.strip()


def check_revision(revision: object) -> str:
    """The SHA of a commit, or the beginning of one, in lower case."""
    text = check_text("runs.find", "revision", revision).strip().lower()
    if len(text) < MIN_REVISION_LENGTH or not all(char in "0123456789abcdef" for char in text):
        raise InvalidArgumentError(
            f"runs.find: revision: expected a commit SHA of at least {MIN_REVISION_LENGTH} hexadecimal digits, got "
            f"{text[:50]!r}."
        )
    return text


def choose_definition(project_slug: str, definitions: Sequence[PipelineDefinition]) -> str:
    """The id of the only definition. None or several are rejected with a list."""
    usable = [(one.id, if_available(lambda it: it.name or "", one) or "unnamed") for one in definitions if one.id]
    if len(usable) == 1:
        return usable[0][0]
    if not usable:
        raise InvalidArgumentError(
            f"runs.start: {project_slug} has no pipeline definition. Create one in the project settings."
        )
    listed = ", ".join(f"{identifier} ({name})" for identifier, name in usable)
    raise InvalidArgumentError(
        f"runs.start: {project_slug} has several pipeline definitions; pass definition_id=: {listed}."
    )


def check_rerun(
    jobs: Sequence[str | UUID] | Unset, workflow: str | UUID | Unset, *, from_failed: bool, ssh: bool, sparse_tree: bool
) -> tuple[str, ...] | None:
    """The requested jobs, or None for no selection. Rejects combinations that the API rejects."""
    check("run.rerun", from_failed=(from_failed, BOOL), ssh=(ssh, BOOL), sparse_tree=(sparse_tree, BOOL))
    if workflow is not UNSET:
        check_id("run.rerun", "workflow", workflow, "an id or name")
    if jobs is UNSET:
        for name, value in (("ssh", ssh), ("sparse_tree", sparse_tree)):
            if value:
                raise InvalidArgumentError(f"run.rerun: {name}=True requires jobs=, the jobs to rerun.")
        return None
    check_list("run.rerun", "jobs", jobs, "a list of names or ids")
    if from_failed:
        raise InvalidArgumentError("run.rerun: from_failed=True and jobs= exclude each other.")
    if not jobs:
        raise InvalidArgumentError("run.rerun: jobs: expected at least one job. Leave it out to rerun all jobs.")
    return tuple(check_id("run.rerun", "jobs", job, "ids or names") for job in jobs)


def choose_workflow(workflows: Iterable[RunWorkflow], wanted: str | None, *, failed_only: bool) -> RunWorkflow:
    """The workflow to rerun: the requested one, else the only one that matches."""
    existing = tuple(workflows)
    if wanted is not None:
        matching = [one for one in existing if wanted in _names_of(one)]
        problem = f"no workflow {wanted!r}"
    else:
        matching = [one for one in existing if not failed_only or one.status in WORKFLOW_FAILED]
        unclear = [label(one) for one in existing if failed_only and one.status == UNAVAILABLE]
        if unclear:
            raise InvalidArgumentError(
                f"run.rerun: the status of {', '.join(unclear)} is unavailable: it may have failed. Pass workflow=."
            )
        problem = "no workflow has failed" if failed_only and existing else "no workflow exists yet"
    if len(matching) == 1:
        return matching[0]
    if matching:
        problem = "several workflows match; pass workflow="
    listed = ", ".join(f"{label(one)} ({one.status})" for one in existing) or "none"
    raise InvalidArgumentError(f"run.rerun: {problem}. Workflows: {listed}.")


def choose_jobs(jobs: Mapping[str, Sequence[RunJob]], wanted: Sequence[str]) -> tuple[str, list[str]]:
    """The one workflow that has all the jobs given by name or id, and the ids of these jobs.

    `jobs` are all jobs by the id of their workflow.
    """
    matching = [(workflow, ids) for workflow, those in jobs.items() if (ids := _ids_of(those, wanted)) is not None]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(label(job) for those in jobs.values() for job in those) or "none"
    problem = (
        "several workflows have these jobs; pass workflow=" if matching else f"no workflow has {', '.join(wanted)}"
    )
    raise InvalidArgumentError(f"run.rerun: {problem}. Jobs: {listed}.")


def _names_of(one: RunJob | RunWorkflow) -> tuple[str | None, ...]:
    """The id and the name by which a user may call it, as far as they are available."""
    return if_available(lambda: one.id), if_available(lambda: one.name)


def _ids_of(jobs: Sequence[RunJob], wanted: Sequence[str]) -> list[str] | None:
    ids: dict[str, None] = {}
    for name in wanted:
        matching = [job.id for job in jobs if name in _names_of(job)]
        if not matching:
            return None
        ids |= dict.fromkeys(matching)
    return list(ids)


def choose_approval(jobs: Sequence[RunJob], wanted: str | Unset) -> RunJob:
    """The approval to send: the requested one, which may be approved already, else the only one that is pending."""
    check_filter("run.approve", "job", wanted)
    possible = [job for job in jobs if job.type in ("approval", UNAVAILABLE)]
    if wanted is not UNSET:
        possible = [job for job in possible if wanted in (*_names_of(job), approval_id(job))]
    unclear = [
        label(job)
        for job in possible
        if UNAVAILABLE in (job.type, job.status) and job.status in ("on_hold", UNAVAILABLE)
    ]
    if unclear:
        remedy = "job=" if wanted is UNSET else "the id of another one"
        raise InvalidArgumentError(
            f"run.approve: the type or status of {', '.join(unclear)} is unavailable: it may be a pending approval. "
            f"Pass {remedy}."
        )
    approvals = [job for job in jobs if job.is_approval]
    matching = [job for job in possible if job.is_approval and job.status == "on_hold"]
    if wanted is not UNSET and not matching:
        matching = [job for job in possible if job.is_approval and job.status == "success"]
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(f"{label(job)} ({job.status})" for job in approvals) or "none"
    if wanted is UNSET:
        problem = "several approvals are pending; pass job=" if matching else "no approval is pending"
    else:
        problem = f"several approvals match {wanted!r}; pass an id" if matching else f"no pending approval {wanted!r}"
    if not matching and (not approvals or any(job.status in JOB_WAITING - {"on_hold"} for job in approvals)):
        problem += ': it may not wait yet, since other jobs have to end. Use run.wait(on_hold="return") first'
    raise InvalidArgumentError(f"run.approve: {problem}. Approvals: {listed}.")
