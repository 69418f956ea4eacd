"""From what API v2 responses to the events that a webhook would have told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from pydantic import ValidationError
from pydantic_core import to_json

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

    from .merging import Followed

POLLED: Final = EventWebhook(id="00000000-0000-0000-0000-000000000000", name="poll")
"""The webhook of events that no webhook told."""

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
    # Webhooks tell four ways to end; the API tells these apart from an ordinary failure.
    "timedout": "failed",
    "infrastructure_fail": "failed",
    "terminated-unknown": "failed",
}
_LONG: Final = {"gh": "github", "bb": "bitbucket"}


def is_over(workflow: Workflow) -> bool:
    """Whether a workflow has ended, so that a webhook would tell of it."""
    return workflow.status in _WORKFLOW_ENDS and workflow.stopped_at is not None


class Teller:
    """Tells events of one project as a webhook would. `app` is the origin of the web app."""

    def __init__(self, project: Project, app: str) -> None:
        self._app = app
        first, _, rest = project.slug.partition("/")
        self._project = EventProject(id=project.id, name=project.name, slug=f"{_LONG.get(first, first)}/{rest}")
        self._organization = EventOrganization(id=project.organization_id, name=project.organization_name)

    @property
    def project_id(self) -> str:
        """The id of the project."""
        return self._project.id

    def workflow(self, pipeline: Pipeline, workflow: Workflow) -> WorkflowCompleted:
        """The end of a workflow."""
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
        """The ends of jobs; those that have not ended, and approvals, are left out."""
        about = EventWorkflow(
            id=workflow.id,
            name=workflow.name,
            created_at=workflow.created_at,
            stopped_at=workflow.stopped_at,
            url=self._url(workflow),
        )
        return self._ends(jobs, _pipeline(pipeline), about)

    def jobs_beside(self, event: Followed, jobs: list[WorkflowJob]) -> list[JobCompleted]:
        """The ends of jobs of the workflow that a delivery speaks of."""
        about = event.workflow
        plain = None if about is None else EventWorkflow(**{name: getattr(about, name) for name in _ABOUT})
        return self._ends(jobs, event.pipeline, plain)

    def _ends(
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
        # By way of JSON, so that words which only the API uses are read as open sets are.
        trigger=EventTrigger.model_validate_json(to_json({"type": pipeline.trigger.type})),
        trigger_parameters=_parameters(pipeline.trigger_parameters),
        vcs=None
        if vcs is None
        else EventVcs(
            provider_name=vcs.provider_name.lower(),
            origin_repository_url=vcs.origin_repository_url,
            target_repository_url=vcs.target_repository_url,
            revision=vcs.revision,
            branch=vcs.branch,
            tag=vcs.tag,
            commit=None if vcs.commit is None else EventCommit(subject=vcs.commit.subject, body=vcs.commit.body),
        ),
    )


def _parameters(given: Mapping[str, Any] | None) -> EventTriggerParameters | None:
    """What the trigger gave; None if it is not what a delivery would hold, since nobody vouches for its form."""
    if given is None:
        return None
    try:
        return EventTriggerParameters.model_validate_json(to_json(given))
    except ValidationError:
        return None


def _identity(kind: str, of: str) -> str:
    """The same id for the same event, whoever polls."""
    return str(uuid5(NAMESPACE_URL, f"circleci:{kind}:{of}"))
