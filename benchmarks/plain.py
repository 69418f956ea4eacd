"""The responses as handwritten plain pydantic models with the documented fields: the lower bound of decoding."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel


class Commit(BaseModel):
    """A commit."""

    subject: str | None = None
    body: str | None = None


class Vcs(BaseModel):
    """The source of the code."""

    provider_name: str
    origin_repository_url: str
    target_repository_url: str
    revision: str
    branch: str | None = None
    review_id: str | None = None
    review_url: str | None = None
    tag: str | None = None
    commit: Commit | None = None


class Actor(BaseModel):
    """Who did it."""

    login: str
    avatar_url: str | None = None


class Trigger(BaseModel):
    """What set it going."""

    type: str
    received_at: datetime
    actor: Actor


class Pipeline(BaseModel):
    """A pipeline."""

    id: str
    errors: list[dict[str, Any]]
    project_slug: str
    updated_at: datetime | None = None
    number: int
    trigger_parameters: dict[str, Any] | None = None
    state: Literal["created", "errored", "setup-pending", "setup", "pending"] | str
    created_at: datetime
    trigger: Trigger
    vcs: Vcs | None = None
    warnings: list[Any] | None = None


class Page(BaseModel):
    """A page of pipelines."""

    items: list[Pipeline]
    next_page_token: str | None = None


class Action(BaseModel):
    """What a step did in one container."""

    index: int
    step: int
    allocation_id: str | None = None
    name: str
    type: str | None = None
    source: str | None = None
    status: str
    start_time: datetime | None = None
    end_time: datetime | None = None
    run_time_millis: int | None = None
    exit_code: int | None = None
    bash_command: str | None = None
    background: bool | None = None
    canceled: bool | None = None
    failed: bool | None = None
    has_output: bool | None = None
    infrastructure_fail: bool | None = None
    insignificant: bool | None = None
    messages: list[str] | None = None
    output_url: str | None = None
    parallel: bool | None = None
    timedout: bool | None = None
    truncated: bool | None = None


class Step(BaseModel):
    """A step."""

    name: str
    actions: list[Action]


class Build(BaseModel):
    """A build of API v1.1."""

    build_num: int
    vcs_url: str
    build_url: str
    username: str
    reponame: str
    branch: str | None = None
    vcs_revision: str | None = None
    status: Literal["success", "failed", "running", "canceled", "queued"] | str
    outcome: Literal["success", "failed", "canceled"] | str | None = None
    lifecycle: Literal["queued", "running", "finished"] | str
    why: str | None = None
    queued_at: datetime | None = None
    start_time: datetime | None = None
    stop_time: datetime | None = None
    build_time_millis: int | None = None
    parallel: int | None = None
    build_parameters: dict[str, Any] | None = None
    steps: list[Step]


Outcome = Literal["succeeded", "failed", "canceled"] | str


class JobAttributes(BaseModel):
    """The attributes of a job of API v3."""

    name: str
    number: int | None = None
    phase: Literal["created", "queued", "started", "ended"] | str
    type: str | None = None
    outcome: Outcome | None = None
    current_outcome: Outcome | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


class FlatJob(JobAttributes):
    """A job without its envelope."""

    id: str
    workflow_id: str
    project_id: str
    pipeline_id: str | None = None
    user_id: str | None = None


class FlatJobs(BaseModel):
    """A page of jobs without envelopes."""

    data: list[FlatJob]
    next_page_token: str | None = None


class Reference(BaseModel):
    """The id of another entity."""

    id: str


class JobReferences(BaseModel):
    """What a job refers to."""

    workflow: Reference
    project: Reference
    pipeline: Reference | None = None
    user: Reference | None = None


class Job(BaseModel):
    """A job as it is on the wire."""

    id: str
    attributes: JobAttributes
    references: JobReferences


class Next(BaseModel):
    """Where the next page starts."""

    next: str | None = None


class Jobs(BaseModel):
    """A page of jobs as it is on the wire."""

    data: list[Job]
    page: Next
