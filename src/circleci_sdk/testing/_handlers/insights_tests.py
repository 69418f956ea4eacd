"""`v2.insights`: flaky tests and metrics of single tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store import metrics

from .context import RequestContext, handles, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from circleci_sdk.testing._store.plans import JobTest
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakeWorkflow

_MOST = 100
_RUNS = 10
TestKey = tuple[str, str, str]


def _test_runs(workflows: Iterable[FakeWorkflow]) -> dict[TestKey, list[tuple[FakeJob, JobTest]]]:
    """All runs of all tests, by job, class and name."""
    found: dict[TestKey, list[tuple[FakeJob, JobTest]]] = {}
    for jobs in metrics.jobs_in(workflows).values():
        for job in jobs:
            for _, test in job.tests:
                found.setdefault((job.name, test.classname, test.name), []).append((job, test))
    return found


def _flakes(runs: Sequence[tuple[FakeJob, JobTest]]) -> list[FakeJob]:
    """The jobs in which a test failed that succeeded on the same revision."""
    passed = {job.workflow.pipeline.revision for job, test in runs if test.status == "success"}
    return [job for job, test in runs if test.status == "failure" and job.workflow.pipeline.revision in passed]


@handles("v2.insights.get_flaky_tests")
def get_flaky_tests(ctx: RequestContext) -> object:
    span = metrics.span_of("last-30-days", ctx.now)
    rows: list[JsonObject] = []
    for (_, classname, name), runs in _test_runs(metrics.workflows_in(ctx.project(), span)).items():
        if not (flaked := _flakes(runs)):
            continue
        last, test = flaked[-1], runs[-1][1]
        rows.append(
            {
                "time_wasted": round(sum(job.seconds or 0 for job in flaked)),
                "workflow_created_at": seconds(last.workflow.created_at),
                "workflow_id": last.workflow.id,
                "classname": classname,
                "pipeline_number": last.workflow.pipeline.number,
                "workflow_name": last.workflow.name,
                "test_name": name,
                "job_name": last.name,
                "job_number": last.number,
                "times_flaked": len(flaked),
                "source": "pytest",
                "file": test.file or "",
            }
        )
    return {"flaky_tests": rows, "total_flaky_tests": len(rows)}


@handles("v2.insights.get_test_metrics")
def get_test_metrics(ctx: RequestContext) -> object:
    project = ctx.project()
    span = metrics.span_of(None, ctx.now)
    workflows = metrics.workflows_in(project, span, name=ctx.call["workflow_name"], branches=_branches(ctx, project))[
        -_RUNS:
    ]
    tests = [_test(key, runs) for key, runs in _test_runs(workflows).items()]
    failing = sorted((test for test in tests if test["failed_runs"]), key=lambda test: -test["failed_runs"])
    slow = sorted(tests, key=lambda test: -test["p95_duration"])
    runs = [_counted(workflow) for workflow in workflows]
    runs = [run for run in runs if run["test_counts"]["total"]]
    total = sum(run["test_counts"]["total"] for run in runs)
    return {
        "average_test_count": round(total / len(runs)) if runs else 0,
        "most_failed_tests": failing[:_MOST],
        "most_failed_tests_extra": max(0, len(failing) - _MOST),
        "slowest_tests": slow[:_MOST],
        "slowest_tests_extra": max(0, len(slow) - _MOST),
        "total_test_runs": len(runs),
        "test_runs": runs,
    }


def _branches(ctx: RequestContext, project: FakeProject) -> list[str] | None:
    return None if ctx.call.get("all_branches") else [ctx.call.get("branch") or project.default_branch]


def _test(key: TestKey, runs: Sequence[tuple[FakeJob, JobTest]]) -> JsonObject:
    job_name, classname, name = key
    return {
        "p95_duration": metrics.p95(sorted(test.seconds for _, test in runs)),
        "total_runs": len(runs),
        "classname": classname,
        "failed_runs": sum(test.status == "failure" for _, test in runs),
        "flaky": bool(_flakes(runs)),
        "source": "pytest",
        "file": runs[-1][1].file or "",
        "job_name": job_name,
        "test_name": name,
    }


def _counted(workflow: FakeWorkflow) -> JsonObject:
    statuses = [test.status for job in workflow.jobs if job.workflow is workflow for _, test in job.tests]
    counts = {kind: statuses.count(kind) for kind in ("error", "failure", "skipped", "success")}
    return {
        "pipeline_number": workflow.pipeline.number,
        "workflow_id": workflow.id,
        "success_rate": counts["success"] / len(statuses) if statuses else 0.0,
        "test_counts": {**counts, "total": len(statuses)},
    }
