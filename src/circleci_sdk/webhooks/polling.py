"""Builds events of webhooks from responses of API v2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from pydantic import ValidationError
from pydantic_core import to_json

from circleci_sdk._core.serialization.slugs import long_slug
from circleci_sdk.v2.models import (
    CompletedJob,
    CompletedWorkflow,
    EventCommit,
    EventOrganization,
    EventPipeline,
    EventProject,
    EventTrigger,
    EventTriggerParameters,
    EventVcs,
    EventWebhook,
    EventWorkflow,
    JobCompleted,
    WorkflowCompleted,
)

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.v2.models import (
        CompletedJobStatus,
        CompletedWorkflowStatus,
        Pipeline,
        Project,
        Workflow,
        WorkflowJob,
    )

    from .types import FollowedEvent

POLLED: Final = EventWebhook(id="00000000-0000-0000-0000-000000000000", name="poll")
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


def has_ended(workflow: Workflow) -> bool:
    """Whether a workflow has ended with an event."""
    return workflow.status in _WORKFLOW_ENDS and workflow.stopped_at is not None


class EventBuilder:
    """Builds the events of one project. `app` is the origin of the web app."""

    def __init__(self, project: Project, app: str) -> None:
        self._app = app
        self._project = EventProject(id=project.id, name=project.name, slug=long_slug(project.slug))
        self._organization = EventOrganization(id=project.organization_id, name=project.organization_name)

    @property
    def project_id(self) -> str:
        """The id of the project."""
        return self._project.id

    def workflow(self, pipeline: Pipeline, workflow: Workflow) -> WorkflowCompleted:
        """The event of an ended workflow."""
        assert workflow.stopped_at is not None
        return WorkflowCompleted(
            id=_identity("workflow-completed", workflow.id),
            type="workflow-completed",
            happened_at=workflow.stopped_at,
            webhook=POLLED,
            project=self._project,
            organization=self._organization,
            pipeline=_pipeline(pipeline),
            workflow=CompletedWorkflow(
                id=workflow.id,
                name=workflow.name,
                created_at=workflow.created_at,
                stopped_at=workflow.stopped_at,
                url=self._url(workflow),
                status=_WORKFLOW_ENDS[workflow.status],
            ),
        )

    def jobs(self, pipeline: Pipeline, workflow: Workflow, jobs: list[WorkflowJob]) -> list[JobCompleted]:
        """The events of ended jobs. Approvals have none."""
        about = EventWorkflow(
            id=workflow.id,
            name=workflow.name,
            created_at=workflow.created_at,
            stopped_at=workflow.stopped_at,
            url=self._url(workflow),
        )
        return self._job_events(jobs, _pipeline(pipeline), about)

    def sibling_jobs(self, event: FollowedEvent, jobs: list[WorkflowJob]) -> list[JobCompleted]:
        """The events of ended jobs of the workflow of a delivery."""
        about = event.workflow
        plain = None if about is None else EventWorkflow(**{name: getattr(about, name) for name in _ABOUT})
        return self._job_events(jobs, event.pipeline, plain)

    def _job_events(
        self, jobs: list[WorkflowJob], pipeline: EventPipeline, about: EventWorkflow | None
    ) -> list[JobCompleted]:
        return [
            JobCompleted(
                id=_identity("job-completed", job.id),
                type="job-completed",
                happened_at=stopped,
                webhook=POLLED,
                project=self._project,
                organization=self._organization,
                pipeline=pipeline,
                workflow=about,
                job=CompletedJob(
                    id=job.id,
                    name=job.name,
                    number=number,
                    status=_JOB_ENDS[job.status],
                    started_at=job.started_at,
                    stopped_at=stopped,
                ),
            )
            for job, number, stopped in _ended(jobs)
        ]

    def _url(self, workflow: Workflow) -> str:
        where = f"pipelines/{self._project.slug}/{workflow.pipeline_number}/workflows/{workflow.id}"
        return f"{self._app}/{where}"


_ABOUT: Final = ("id", "name", "created_at", "stopped_at", "url")


def _ended(jobs: list[WorkflowJob]) -> list[tuple[WorkflowJob, int, datetime]]:
    return [
        (job, job.job_number, job.stopped_at)
        for job in jobs
        if job.status in _JOB_ENDS and job.job_number is not None and job.stopped_at is not None
    ]


def _pipeline(pipeline: Pipeline) -> EventPipeline:
    vcs = pipeline.vcs
    return EventPipeline(
        id=pipeline.id,
        number=pipeline.number,
        created_at=pipeline.created_at,
        # Decoded from JSON, where open enums accept values that only the API has.
        trigger=EventTrigger.model_validate_json(to_json({"type": pipeline.trigger.type})),
        trigger_parameters=_parameters(pipeline.trigger_parameters),
        vcs=None
        if vcs is None
        else EventVcs(
            provider_name=vcs.provider_name and vcs.provider_name.lower(),
            origin_repository_url=vcs.origin_repository_url,
            target_repository_url=vcs.target_repository_url,
            revision=vcs.revision,
            branch=vcs.branch,
            tag=vcs.tag,
            commit=None if vcs.commit is None else EventCommit(subject=vcs.commit.subject, body=vcs.commit.body),
        ),
    )


def _parameters(given: Mapping[str, Any] | None) -> EventTriggerParameters | None:
    """The parameters of the trigger; None if they do not fit the model of deliveries."""
    if given is None:
        return None
    try:
        return EventTriggerParameters.model_validate_json(to_json(given))
    except ValidationError:
        return None


def _identity(kind: str, of: str) -> str:
    """The id of a polled event, the same for every reader."""
    return str(uuid5(NAMESPACE_URL, f"circleci:{kind}:{of}"))
