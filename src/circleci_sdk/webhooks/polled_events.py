"""Builds events of webhooks from responses of API v2.

From their raw form, so that a field that is unavailable in a response is unavailable in the event too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from uuid import NAMESPACE_URL, uuid5

from circleci_sdk._core.errors import FieldUnavailableError
from circleci_sdk._core.serialization.slugs import long_slug
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

from .event_fields import project_id_of, project_slug_of, short_slug
from .reading import read_object

if TYPE_CHECKING:
    from circleci_sdk._core.serialization.model import Model
    from circleci_sdk.v2.models import (
        CompletedJobStatus,
        CompletedWorkflowStatus,
        Pipeline,
        Project,
        Workflow,
        WorkflowJob,
    )

    from .types import FollowedEvent

Json = dict[str, Any]
M = TypeVar("M", bound="Model")
POLLED: Final = {"id": "00000000-0000-0000-0000-000000000000", "name": "poll"}
"""The webhook of polled events."""

_WORKFLOW_ENDS: Final[dict[str, CompletedWorkflowStatus]] = {
    "success": "success",
    "failed": "failed",
    "error": "error",
    "canceled": "canceled",
    "unauthorized": "unauthorized",
}
_JOB_ENDS: Final[dict[str, CompletedJobStatus]] = {
    "success": "success",
    "failed": "failed",
    "canceled": "canceled",
    "unauthorized": "unauthorized",
    # Webhooks have four final statuses; the API has these in addition.
    "timedout": "failed",
    "infrastructure_fail": "failed",
    "terminated-unknown": "failed",
}


_ABOUT: Final = ("id", "name", "created_at", "stopped_at", "url")
_OF_VCS: Final = ("origin_repository_url", "target_repository_url", "revision", "branch", "tag")


def has_id(one: Pipeline | Workflow | WorkflowJob) -> bool:
    """Whether it has an id that is readable and no empty string, which no request can hold."""
    return bool(if_available(lambda: one.id))


def no_id(one: Pipeline | Workflow) -> FieldUnavailableError | None:
    """The reason for an id that no request can hold, or None."""
    return None if has_id(one) else _unavailable(lambda: one.id, "id")


def has_ended(workflow: Workflow) -> bool:
    """Whether a workflow has ended with an event. Without a readable status it is not known to have."""
    ended = if_available(lambda: workflow.status) in _WORKFLOW_ENDS
    return ended and if_available(lambda: workflow.stopped_at is None) is not True


def is_running(workflow: Workflow) -> bool:
    """Whether a workflow has not stopped. One whose status is unavailable is not known to have."""
    status = if_available(lambda: workflow.status)
    running = if_available(lambda: workflow.stopped_at is None)
    return status is None or (status not in _WORKFLOW_ENDS if running is None else running)


class EventBuilder:
    """Builds the events of one project. `app` is the origin of the web app."""

    def __init__(self, project: Project, app: str) -> None:
        plain = _plain(project)
        self._app = app
        self._id = if_available(lambda: project.id)
        self._slug = if_available(lambda: project.slug)
        self._about = {
            "webhook": POLLED,
            "project": _pick(plain, "id", "name") | ({"slug": long_slug(self._slug)} if self._slug else {}),
            "organization": {
                key.removeprefix("organization_"): value
                for key, value in _pick(plain, "organization_id", "organization_name").items()
            },
        }

    def is_of_project(self, event: FollowedEvent) -> bool:
        """Whether an event is one of this project, by the id, or by the slug where an id is unavailable."""
        identity = project_id_of(event)
        if identity is not None and self._id is not None:
            return identity == self._id
        return self._slug is not None and project_slug_of(event) == short_slug(self._slug)

    def workflow(self, pipeline: Pipeline, workflow: Workflow) -> WorkflowCompleted:
        """The event of an ended workflow."""
        plain = _plain(workflow)
        return self._event(
            WorkflowCompleted,
            "workflow-completed",
            workflow.id,
            plain,
            pipeline=_pipeline(pipeline),
            workflow=self._workflow(workflow) | _pick(plain, "status"),
        )

    def jobs(self, pipeline: Pipeline, workflow: Workflow, jobs: list[WorkflowJob]) -> list[JobCompleted]:
        """The events of ended jobs. Approvals have none."""
        return self._job_events(jobs, _pipeline(pipeline), self._workflow(workflow))

    def sibling_jobs(self, event: FollowedEvent, jobs: list[WorkflowJob]) -> list[JobCompleted]:
        """The events of ended jobs of the workflow of a delivery."""
        plain = _plain(event)
        return self._job_events(jobs, plain.get("pipeline"), _picked(plain.get("workflow"), *_ABOUT))

    def _job_events(self, jobs: list[WorkflowJob], pipeline: object, workflow: object) -> list[JobCompleted]:
        return [self._job_event(job, pipeline, workflow) for job in jobs if _has_run(job)]

    def _job_event(self, job: WorkflowJob, pipeline: object, workflow: object) -> JobCompleted:
        plain = _plain(job)
        about = _pick(plain, "id", "name", "stopped_at") | {"started_at": plain.get("started_at")}
        if "job_number" in plain:
            about["number"] = plain["job_number"]
        about["status"] = _JOB_ENDS[job.status]
        return self._event(
            JobCompleted, "job-completed", job.id, plain, pipeline=pipeline, workflow=workflow, job=about
        )

    def _event(self, model: type[M], kind: str, identity: str, ended: Json, **parts: object) -> M:
        """An event; `ended` is the response about what has ended, `identity` its id."""
        when = {"happened_at": ended["stopped_at"]} if "stopped_at" in ended else {}
        data = {"id": _identity(kind, identity), "type": kind, **when, **self._about, **parts}
        return read_object(model, data, kind)

    def _workflow(self, workflow: Workflow) -> Json:
        about = _pick(_plain(workflow), *_ABOUT)
        number = if_available(lambda: workflow.pipeline_number)
        if self._slug is not None and number is not None:
            where = f"pipelines/{long_slug(self._slug)}/{number}/workflows/{workflow.id}"
            about["url"] = f"{self._app}/{where}"
        return about


def gap_of(job: WorkflowJob) -> FieldUnavailableError | None:
    """The reason why a job that has ended has no event, such as an unreadable id or status. Else None."""
    if _has_run(job):
        return None
    if _may_have_run(job):
        return _unavailable(lambda: job.id and job.status, "id")
    return _contradiction(job)


def _contradiction(job: WorkflowJob) -> FieldUnavailableError | None:
    """A job that has started and ended has a number and the time of its end; one that never ran has neither."""
    if if_available(lambda: job.status) not in _JOB_ENDS or if_available(lambda: job.type) == "approval":
        return None
    if if_available(lambda: job.started_at) is None:
        return None
    name = "job_number" if if_available(lambda: job.job_number is None) is True else "stopped_at"
    message = f"{name}: expected a value, since the job has started and ended, got null."
    return FieldUnavailableError(message, place=name, expected="value", received="null")


def _unavailable(read: Callable[[], object], name: str) -> FieldUnavailableError:
    try:
        read()
    except FieldUnavailableError as error:
        return error
    message = f"{name}: expected a non-empty string, got an empty one."
    return FieldUnavailableError(message, place=name, expected="non-empty string", received="empty string")


def _has_run(job: WorkflowJob) -> bool:
    """Whether a job has ended with an event. One without an id has none: a reader could not tell it from others."""
    return has_id(job) and if_available(lambda: job.status) is not None and _may_have_run(job)


def _may_have_run(job: WorkflowJob) -> bool:
    status = if_available(lambda: job.status)
    return (
        (status is None or status in _JOB_ENDS)
        # An approval may have a number too.
        and if_available(lambda: job.type) != "approval"
        and if_available(lambda: job.job_number is None) is not True
        and if_available(lambda: job.stopped_at is None) is not True
    )


def _pipeline(pipeline: Pipeline) -> Json:
    plain = _plain(pipeline)
    about = _pick(plain, "id", "number", "created_at", "trigger_parameters", "vcs")
    if "trigger" in plain:
        about["trigger"] = _picked(plain["trigger"], "type")
    if isinstance(plain.get("vcs"), dict):
        about["vcs"] = _vcs(plain["vcs"])
    return about


def _vcs(vcs: Mapping[str, Any]) -> Json:
    about = _pick(vcs, *_OF_VCS)
    provider: object = vcs.get("provider_name")
    about["provider_name"] = provider.lower() if isinstance(provider, str) else provider
    if "commit" in vcs:
        about["commit"] = _picked(vcs["commit"], "subject", "body")
    return about


def _plain(model: Model) -> Json:
    """A response as JSON: what is unavailable is there as it came."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _pick(source: Mapping[str, Any], *keys: str) -> Json:
    """These fields of an object, as far as they came."""
    return {key: source[key] for key in keys if key in source}


def _picked(source: object, *keys: str) -> object:
    """These fields of an object; anything else as it came, to be unavailable."""
    return _pick(cast("Json", source), *keys) if isinstance(source, dict) else source


def _identity(kind: str, of: str) -> str:
    """The id of a polled event, the same for every reader."""
    return str(uuid5(NAMESPACE_URL, f"circleci:{kind}:{of}"))
