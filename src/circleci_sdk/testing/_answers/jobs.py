"""`v2.jobs`: reading them, their artifacts and tests, and canceling them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers
from .runs_v2 import show_job

if TYPE_CHECKING:
    from circleci_sdk.testing._state.runs import FakeJob
    from circleci_sdk.testing._state.things import JsonObject


@answers("v2.jobs.get")
def get(desk: Desk) -> object:
    return show_job(desk.job())


@answers("v2.jobs.cancel")
def cancel(desk: Desk) -> object:
    desk.world.engine.cancel_job(desk.job(), desk.user)
    return {"message": "Job canceled successfully."}


@answers("v2.jobs.cancel_by_id")
def cancel_by_id(desk: Desk) -> object:
    job = desk.world.jobs.get(desk.call["job_id"])
    if job is None or not desk.sees(job.project):
        raise Refusal(404, "Job not found")
    desk.world.engine.cancel_job(job, desk.user)
    return {"message": "Job canceled successfully."}


@answers("v2.jobs.list_artifacts")
def list_artifacts(desk: Desk) -> object:
    return desk.page(artifacts_of(desk.job(), desk.origin), lambda artifact: artifact)


@answers("v2.jobs.list_tests")
def list_tests(desk: Desk) -> object:
    return desk.page(tests_of(desk.job()), lambda test: test)


def artifacts_of(job: FakeJob, origin: str) -> list[JsonObject]:
    """The artifacts of a job, with links that lead back to the fake."""
    return [
        {"path": path, "node_index": node, "url": f"{origin}/output/job/{job.id}/artifacts/{node}/{quote(path)}"}
        for node, path in job.artifacts
    ]


def tests_of(job: FakeJob) -> list[JsonObject]:
    """The test results of a job."""
    return [
        {
            "message": case.failure or "",
            "source": "pytest",
            "run_time": case.seconds,
            "file": case.file,
            "result": case.verdict,
            "name": case.name,
            "classname": case.classname,
        }
        for _, case in job.tests
    ]
