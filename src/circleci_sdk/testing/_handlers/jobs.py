"""`v2.jobs`: jobs, their artifacts and tests, and cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .context import RequestContext, handles
from .runs_v2 import show_job

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob


@handles("v2.jobs.get")
def get(ctx: RequestContext) -> object:
    return show_job(ctx.job())


@handles("v2.jobs.cancel")
def cancel(ctx: RequestContext) -> object:
    ctx.store.engine.cancel_job(ctx.job(), ctx.user)
    return {"message": "Job canceled successfully."}


@handles("v2.jobs.cancel_by_id")
def cancel_by_id(ctx: RequestContext) -> object:
    ctx.store.engine.cancel_job(ctx.job_by_id(), ctx.user)
    return {"message": "Job canceled successfully."}


@handles("v2.jobs.list_artifacts")
def list_artifacts(ctx: RequestContext) -> object:
    return ctx.page(artifacts_of(ctx.job(), ctx.origin), lambda artifact: artifact)


@handles("v2.jobs.list_tests")
def list_tests(ctx: RequestContext) -> object:
    return ctx.page(tests_of(ctx.job()), lambda test: test)


def artifacts_of(job: FakeJob, origin: str) -> list[JsonObject]:
    """The artifacts of a job, with links to the fake."""
    return [
        {"path": path, "node_index": node, "url": f"{origin}/output/job/{job.id}/artifacts/{node}/{quote(path)}"}
        for node, path in job.artifacts
    ]


def tests_of(job: FakeJob) -> list[JsonObject]:
    """The test results of a job."""
    return [
        {
            "message": test.failure or "",
            "source": "pytest",
            "run_time": test.seconds,
            "file": test.file,
            "result": test.status,
            "name": test.name,
            "classname": test.classname,
        }
        for _, test in job.tests
    ]
