"""Every row of the table of statuses is scripted on the fake in a line or two, and has the status of the table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

import pytest

from circleci_sdk import RunTimeoutError
from circleci_sdk.helpers.runs.state import WORKFLOW_ENDED
from circleci_sdk.testing import Approval, FakeCircleCI, FakePipeline, Job, Workflow
from tests.helpers.test_run_status_table import ROWS, Row, by_watch

SLUG: Final = "gh/acme/web"
LIST: Final = "v2.pipelines.list_workflows"
LONG: Final = 10**9
YEAR: Final = 365 * 86400.0
CONTRADICTIONS: Final = {
    "pending: success ()",
    "pending: failed (failed)",
    "pending: running ()",
    "pending: none ()",
    "setup-pending: none ()",
    "setup: none ()",
    "setup: setup success, success ()",
    "setup: setup success, failed ()",
    "created errors: none ()",
    "created errors: setup success ()",
    "created: setup failed (failed)",
    "errored errors: success ()",
    "errored errors: failed (failed)",
    "errored errors: running ()",
}
"""Rows where CircleCI has stopped, or contradicts itself: they take a line that sets `pipeline.state`."""


def scripted(fake: FakeCircleCI, row: Row) -> FakePipeline:
    """The run of a row."""
    web = fake.add_project(SLUG)
    web.push(Workflow("other", Job("ship", LONG, serial_group="prod")))
    workflows = [
        workflow_of(
            number, words, row.jobs if number == 0 else (), continues=row.pipeline != "setup" or len(row.workflows) > 1
        )
        for number, words in enumerate(row.workflows)
    ]
    if row.pipeline.endswith(" errors") and "unread" not in row.pipeline:
        web.will_error("Bad.", *workflows)
    else:
        web.will_run(*workflows)
    pipeline = web.push()
    fake.clock.advance(100)
    state = row.pipeline.split()[0]
    forced = state != "novel" and pipeline.state != state
    assert forced == (str(row) in CONTRADICTIONS), (pipeline.state, str(row))
    if forced:
        pipeline.state = state  # type: ignore[assignment]  # statuses that the fake itself does not have too
    misbehave(fake, row)
    return pipeline


def workflow_of(number: int, words: str, jobs: Sequence[str], *, continues: bool) -> Workflow:
    *about, status = words.split()
    name, setup = f"build-{number}", "setup" in about or "tag" in about
    options: dict[str, Any] = {"setup": setup, "continues": continues or not setup}
    if status in WORKFLOW_ENDED:
        options["outcome"] = status
    # The status is asked 100 seconds after the start.
    if "brief" in about:
        options["delay"] = 96
    if "reruns" in about:
        options |= {"delay": 99.5, "max_auto_reruns": 1}
    made = [job_of(index, one) for index, one in enumerate(jobs)]
    default = {
        "queued": Job("ship", LONG, serial_group="prod"),
        "on_hold": Approval("ok?"),
        "success": Job("a", 2 if "brief" in about else 20),
    }.get(status, Job("a", LONG))
    if made or status not in WORKFLOW_ENDED - {"success"}:
        return Workflow(name, *(made or [default]), **options)
    return Workflow(name, **options)


def job_of(index: int, words: str) -> Job | Approval:
    *_, status = words.split()
    if status == "on_hold":
        return Approval(f"job-{index}")
    if status == "running":
        return Job(f"job-{index}", LONG)
    return Job(f"job-{index}", 0, outcome="success" if status == "novel" else status)  # type: ignore[arg-type]  # any str


def misbehave(fake: FakeCircleCI, row: Row) -> None:
    """Values that no version knows, values that cannot be read, and workflows that vanish."""
    if row.pipeline == "novel":
        fake.misbehave("v2.pipelines.get", replace={"state": "novel"})
    if "unread errors" in row.pipeline:
        fake.misbehave("v2.pipelines.get", replace={"errors": "Bad."})
    if "novel" in row.jobs:
        fake.misbehave("v2.workflows.list_jobs", replace={"items.0.status": "novel"})
    for place, words in enumerate(reversed(row.workflows)):  # the list has the newest first
        if words == "novel":
            fake.misbehave(LIST, replace={f"items.{place}.status": "novel"})
        if "unknown" in words:
            fake.misbehave(LIST, null=f"items.{place}.status")
        if "tag unread" in words:
            fake.misbehave(LIST, replace={f"items.{place}.tag": 5})


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("row", [row for row in ROWS if not any("gone" in one for one in row.workflows)], ids=str)
async def test_a_row_is_scripted(row: Row) -> None:
    fake = FakeCircleCI()
    pipeline = scripted(fake, row)
    statuses = [words.split()[-1] for words in row.workflows]
    async with fake.client() as client:
        run = client.runs.attach(pipeline.id)
        result = await run.result()
        if row.pipeline != "pending":  # its workflows are read later
            found = sorted((one.status, one.name) for one in result.workflows)
            assert found == sorted((one, f"build-{number}") for number, one in enumerate(statuses))
            if row.quiet != 0:
                assert result.status == row.meanwhile
        if row.jobs:
            jobs = await client.v2.workflows.list_jobs(pipeline.workflow("build-0").id).collect()
            assert [one.status for one in jobs] == [words.split()[-1] for words in row.jobs]
        if "reruns" in str(row):  # the fake does rerun it
            return
        fake.clock.advance(YEAR)
        result = await (by_watch(run) if row.final else run.result())
        assert result.status == (row.final or row.meanwhile)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("row", [row for row in ROWS if any("gone" in one for one in row.workflows)], ids=str)
async def test_a_row_with_a_workflow_that_vanishes_is_scripted(row: Row) -> None:
    fake = FakeCircleCI()
    pipeline = scripted(fake, row)
    async with fake.client() as client:
        watch = client.runs.attach(pipeline.id).watch(timeout=300)
        await anext(watch)
        fake.misbehave(LIST, drop=f"items.{len(row.workflows) - 1}")
        fake.fail_next("v2.workflows.get", status=404, times=99)
        with nullcontext() if row.final else pytest.raises(RunTimeoutError):
            async for _ in watch:
                pass
        assert watch.result.status == (row.final or row.meanwhile)
