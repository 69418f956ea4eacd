"""Indexes of all runs: by id, by organization, and as builds in the order of their start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .entities import FakeOrganization
    from .projects import FakeProject
    from .runs import FakeJob, FakePipeline, FakeWorkflow


class RunIndex:
    """Pipelines, workflows and jobs of all projects."""

    def __init__(self) -> None:
        self.pipelines: Final[dict[str, FakePipeline]] = {}
        self.workflows: Final[dict[str, FakeWorkflow]] = {}
        self.jobs: Final[dict[str, FakeJob]] = {}
        self.builds: Final[list[FakeJob]] = []
        self._by_organization: dict[str, list[FakePipeline]] = {}
        self._projects: dict[str, FakeProject] = {}  # removed projects too: their runs may still be in progress

    def pipelines_of(self, organization: FakeOrganization) -> list[FakePipeline]:
        """All pipelines of an organization, oldest first."""
        return self._by_organization.setdefault(organization.id, [])

    def register_pipeline(self, project: FakeProject, pipeline: FakePipeline) -> None:
        """Add a new pipeline."""
        self._projects[project.id] = project
        project.pipelines.append(pipeline)
        if pipeline.branch is not None:
            project.pipelines_by_branch.setdefault(pipeline.branch, []).append(pipeline)
        self.pipelines[pipeline.id] = pipeline
        self.pipelines_of(project.organization).append(pipeline)

    def register_workflow(self, workflow: FakeWorkflow) -> None:
        """Add a new workflow."""
        self.workflows[workflow.id] = workflow
        project = self._projects[workflow.pipeline.project.id]
        project.workflows_by_name.setdefault(workflow.name, []).append(workflow)

    def register_job(self, job: FakeJob) -> None:
        """Add a new job, which has no number yet."""
        self.jobs[job.id] = job

    def number_job(self, job: FakeJob) -> None:
        """Number a job, which makes it a build of v1.1 too. An approval has a number, but is no build."""
        project = self._projects[job.project.id]
        project.numbered.append(job)
        job.number = len(project.numbered)
        if job.is_approval:
            return
        project.jobs.append(job)
        branch = job.workflow.pipeline.branch
        if branch is not None:
            project.jobs_by_branch.setdefault(branch, []).append(job)
        self.builds.append(job)

    def remove_project(self, project: FakeProject) -> None:
        """Remove all runs of a project."""
        for pipeline in project.pipelines:
            del self.pipelines[pipeline.id]
            for workflow in pipeline.workflows:
                self.workflows.pop(workflow.id, None)
                for job in workflow.jobs:
                    self.jobs.pop(job.id, None)
        self.builds[:] = [job for job in self.builds if job.project is not project]
        left = [pipeline for pipeline in self.pipelines_of(project.organization) if pipeline.project is not project]
        self._by_organization[project.organization.id] = left
