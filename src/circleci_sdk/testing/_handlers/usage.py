"""`v2.usage_exports`: credit usage as compressed CSV files."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._store.records import FakeUsageExport
from circleci_sdk.testing._wire.formats import read_time
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, seconds
from .storage import sign

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from circleci_sdk.testing._store.entities import FakeOrganization
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob
    from circleci_sdk.testing._store.store import Store

PROCESSING_AFTER: Final = 5.0
COMPLETED_AFTER: Final = 60.0
LINK_SECONDS: Final = 36 * 3600.0
LONGEST: Final = timedelta(days=31)
OLDEST: Final = timedelta(days=366)


@handles("v2.usage_exports.create")
def create(ctx: RequestContext) -> object:
    organization = ctx.organization()
    start, end = read_time(ctx.call["start"]), read_time(ctx.call["end"])
    assert start is not None
    assert end is not None
    if not start < end or end - start > LONGEST:
        raise ErrorResponse(400, "The end must lie after the start, by 31 days at most.")
    if start < ctx.now - OLDEST:
        raise ErrorResponse(400, "The start is too long ago.")
    export = FakeUsageExport(ctx.store.ids.uuid(), start, end, "created")
    organization.usage_exports[export.id] = export
    owners = [organization]
    for id in ctx.call.get("shared_org_ids", ()):
        other = ctx.store.organizations.get(id)
        if other is None or other.hidden:
            raise ErrorResponse(404, "Org not found.")
        owners.append(other)
    store = ctx.store
    store.clock.call_later(PROCESSING_AFTER, lambda: _set_state(export, "processing"))
    store.clock.call_later(COMPLETED_AFTER, lambda: _complete(store, export, owners))
    return {
        "usage_export_job_id": export.id,
        "state": export.state,
        "start": seconds(start),
        "end": seconds(end),
        "download_urls": None,
    }


@handles("v2.usage_exports.get")
def get(ctx: RequestContext) -> object:
    export = ctx.organization().usage_exports.get(ctx.call["usage_export_job_id"])
    if export is None:
        raise ErrorResponse(404, "Usage export job not found")
    shown: JsonObject = {"usage_export_job_id": export.id, "state": export.state, "download_urls": None}
    if export.state == "completed":
        shown["download_urls"] = [
            sign(ctx.store, f"{ctx.origin}/output/usage/{export.id}/{at}.csv.gz", LINK_SECONDS)
            for at in range(len(export.files))
        ]
    if export.state == "failed":
        shown["error_reason"] = "The export failed."
    return shown


def _set_state(export: FakeUsageExport, state: str) -> None:
    export.state = state


def _complete(store: Store, export: FakeUsageExport, owners: Sequence[FakeOrganization]) -> None:
    if store.usage_export_fails:
        export.state = "failed"
        return
    rows = [
        _row(job)
        for organization in owners
        for project in store.projects_of(organization)
        for job in project.jobs
        if job.stopped_at is not None and job.started_at is not None and export.start <= job.stopped_at < export.end
    ]
    count = store.usage_export_files
    export.files = [_csv(rows[at::count]) for at in range(count)]
    export.state = "completed"


def _csv(rows: Sequence[JsonObject]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _time(moment: datetime | None) -> str:
    return "\\N" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def _row(job: FakeJob) -> JsonObject:
    pipeline, project, workflow = job.workflow.pipeline, job.project, job.workflow
    organization = project.organization
    return {
        "ORGANIZATION_ID": organization.id,
        "ORGANIZATION_NAME": organization.name,
        "ORGANIZATION_CREATED_DATE": organization.created_at.date(),
        "PROJECT_ID": project.id,
        "PROJECT_NAME": project.name,
        "PROJECT_CREATED_DATE": project.created_at.date(),
        "VCS_NAME": organization.vcs_type.upper(),
        "VCS_BRANCH": pipeline.branch or "\\N",
        "PIPELINE_ID": pipeline.id,
        "PIPELINE_CREATED_AT": _time(pipeline.created_at),
        "PIPELINE_NUMBER": pipeline.number,
        "PIPELINE_TRIGGER_SOURCE": pipeline.trigger_type,
        "PIPELINE_TRIGGER_USER_ID": pipeline.actor.id,
        "WORKFLOW_ID": workflow.id,
        "WORKFLOW_NAME": workflow.name,
        "WORKFLOW_STOPPED_AT": _time(workflow.stopped_at),
        "JOB_ID": job.id,
        "JOB_NAME": job.name,
        "JOB_RUN_NUMBER": job.number,
        "JOB_RUN_DATE": "" if job.started_at is None else job.started_at.date(),
        "JOB_RUN_QUEUED_AT": _time(job.queued_at),
        "JOB_RUN_STARTED_AT": _time(job.started_at),
        "JOB_RUN_STOPPED_AT": _time(job.stopped_at),
        "JOB_BUILD_STATUS": job.state,
        "RESOURCE_CLASS": getattr(job.plan, "resource_class", "").upper(),
        "EXECUTOR": getattr(job.plan, "executor", ""),
        "PARALLELISM": job.parallelism,
        "JOB_RUN_SECONDS": round(job.seconds or 0),
        "COMPUTE_CREDITS": job.credits,
        "TOTAL_CREDITS": job.credits,
    }


_COLUMNS: Final[Sequence[str]] = (
    "ORGANIZATION_ID",
    "ORGANIZATION_NAME",
    "ORGANIZATION_CREATED_DATE",
    "PROJECT_ID",
    "PROJECT_NAME",
    "PROJECT_CREATED_DATE",
    "VCS_NAME",
    "VCS_BRANCH",
    "PIPELINE_ID",
    "PIPELINE_CREATED_AT",
    "PIPELINE_NUMBER",
    "PIPELINE_TRIGGER_SOURCE",
    "PIPELINE_TRIGGER_USER_ID",
    "WORKFLOW_ID",
    "WORKFLOW_NAME",
    "WORKFLOW_STOPPED_AT",
    "JOB_ID",
    "JOB_NAME",
    "JOB_RUN_NUMBER",
    "JOB_RUN_DATE",
    "JOB_RUN_QUEUED_AT",
    "JOB_RUN_STARTED_AT",
    "JOB_RUN_STOPPED_AT",
    "JOB_BUILD_STATUS",
    "RESOURCE_CLASS",
    "EXECUTOR",
    "PARALLELISM",
    "JOB_RUN_SECONDS",
    "COMPUTE_CREDITS",
    "TOTAL_CREDITS",
)
