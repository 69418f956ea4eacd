"""`v2.insights`: metrics computed from past runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from circleci_sdk.testing._store import metrics
from circleci_sdk.testing._store.metrics import Run, Span
from circleci_sdk.testing._wire.formats import read_time
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakeWorkflow


def _branches(ctx: RequestContext, project: FakeProject) -> list[str] | None:
    """The selected branches: one, all, or the default branch."""
    branch: str | None = ctx.call.get("branch")
    if branch is not None and ctx.call.get("all_branches"):
        raise ErrorResponse(400, "Give only one of 'branch', 'all-branches'.")
    if ctx.call.get("all_branches"):
        return None
    return [branch or project.default_branch]


def _span(ctx: RequestContext) -> Span:
    """The selected time range: a reporting window, or two dates."""
    span = metrics.span_of(ctx.call.get("reporting_window"), ctx.now)
    start, end = read_time(ctx.call.get("start_date", "")), read_time(ctx.call.get("end_date", ""))
    return Span(start or span.start, end or span.end)


def _window(runs: Sequence[FakeWorkflow | FakeJob], span: Span) -> JsonObject:
    stamps = [run.created_at for run in runs]
    return {
        "window_start": seconds(min(stamps, default=span.start)),
        "window_end": seconds(max(stamps, default=span.end)),
    }


@handles("v2.insights.list_workflow_metrics")
def list_workflow_metrics(ctx: RequestContext) -> object:
    project, span = ctx.project(), _span(ctx)
    branches = _branches(ctx, project)
    rows: list[JsonObject] = []
    for name in sorted(project.workflows_by_name):
        if runs := metrics.workflows_in(project, span, name=name, branches=branches):
            shown = metrics.counts(runs, span) | {
                "mttr": metrics.mean_time_to_recovery(runs),
                "total_recoveries": 0,
            }
            rows.append({"name": name, "metrics": shown, **_window(runs, span), "project_id": project.id})
    return ctx.page(rows, lambda row: row)


@handles("v2.insights.list_workflow_runs")
def list_workflow_runs(ctx: RequestContext) -> object:
    project = ctx.project()
    runs = metrics.workflows_in(project, _span(ctx), name=ctx.call["workflow_name"], branches=_branches(ctx, project))
    return ctx.newest(runs, _show_run)


def _show_run(workflow: FakeWorkflow) -> JsonObject:
    assert workflow.stopped_at is not None
    return {
        "id": workflow.id,
        "branch": workflow.pipeline.branch,
        "duration": round(workflow.seconds or 0),
        "created_at": millis(workflow.created_at),
        "stopped_at": millis(workflow.stopped_at),
        "credits_used": workflow.credits,
        "status": workflow.state,
        "is_approval": any(job.is_approval for job in workflow.jobs),
    }


@handles("v2.insights.list_job_runs")
def list_job_runs(ctx: RequestContext) -> object:
    project = ctx.project()
    runs = metrics.workflows_in(project, _span(ctx), name=ctx.call["workflow_name"], branches=_branches(ctx, project))
    return ctx.newest(metrics.jobs_in(runs).get(ctx.call["job_name"], []), _show_job_run)


def _show_job_run(job: FakeJob) -> JsonObject:
    assert job.started_at is not None
    assert job.stopped_at is not None
    return {
        "id": job.id,
        "started_at": millis(job.started_at),
        "stopped_at": millis(job.stopped_at),
        "status": job.state,
        "duration": round(job.seconds or 0),
        "credits_used": job.credits,
    }


@handles("v2.insights.list_job_metrics")
def list_job_metrics(ctx: RequestContext) -> object:
    project, span = ctx.project(), _span(ctx)
    runs = metrics.workflows_in(project, span, name=ctx.call["workflow_name"], branches=_branches(ctx, project))
    job_name: str | None = ctx.call.get("job_name")
    rows: list[JsonObject] = [
        {"name": name, "metrics": metrics.counts(jobs, span), **_window(jobs, span)}
        for name, jobs in sorted(metrics.jobs_in(runs).items())
        if job_name is None or job_name == name
    ]
    return ctx.page(rows, lambda row: row)


@handles("v2.insights.get_workflow_summary")
def get_workflow_summary(ctx: RequestContext) -> object:
    project, span = ctx.project(), metrics.span_of(None, ctx.now)
    name, branches = ctx.call["workflow_name"], _branches(ctx, project)
    runs = metrics.workflows_in(project, span, name=name, branches=branches)
    before = metrics.workflows_in(project, span.before(), name=name, branches=branches)
    now_, then = _summary(runs, span), _summary(before, span.before())
    trends = metrics.trends(_flat(now_), _flat(then))
    return {
        "metrics": now_ | _window(runs, span),
        "trends": trends,
        "workflow_names": sorted(project.workflows_by_name),
    }


def _summary(runs: Sequence[FakeWorkflow], span: Span) -> JsonObject:
    return metrics.counts(runs, span) | {
        "completed_runs": len(runs),
        "mttr": metrics.mean_time_to_recovery(runs),
    }


def _flat(metrics: JsonObject) -> JsonObject:
    names = ("total_runs", "failed_runs", "success_rate", "total_credits_used", "mttr", "throughput")
    durations = metrics["duration_metrics"]
    return {name: metrics[name] for name in names} | {
        "p95_duration_secs": durations["p95"],
        "median_duration_secs": durations["median"],
    }


@handles("v2.insights.get_branches")
def get_branches(ctx: RequestContext) -> object:
    project = ctx.project()
    runs = metrics.workflows_in(project, metrics.span_of(None, ctx.now), name=ctx.call.get("workflow_name"))
    branches = {run.pipeline.branch for run in runs if run.pipeline.branch is not None}
    return {"org_id": project.organization.id, "project_id": project.id, "branches": sorted(branches)}


@handles("v2.insights.get_org_summary")
def get_org_summary(ctx: RequestContext) -> object:
    organization = ctx.organization("org_slug")
    span = metrics.span_of(ctx.call.get("reporting_window"), ctx.now)
    selected: list[str] | None = ctx.call.get("project_names")
    projects = [project for project in ctx.store.projects_of(organization) if ctx.can_see(project)]
    runs = [run for project in projects for run in metrics.workflows_in(project, span)]
    before = [run for project in projects for run in metrics.workflows_in(project, span.before())]
    rows: list[JsonObject] = []
    for project in projects:
        if selected is None or project.name in selected:
            mine, then = metrics.workflows_in(project, span), metrics.workflows_in(project, span.before())
            rows.append({"project_name": project.name, **_compared(_some(mine, span), _some(then, span.before()))})
    return {
        "org_data": _compared(metrics.totals(runs, span), metrics.totals(before, span.before())),
        "org_project_data": rows,
        "all_projects": [project.name for project in projects],
    }


@handles("v2.insights.get_project_summary")
def get_project_summary(ctx: RequestContext) -> object:
    project = ctx.project()
    span = metrics.span_of(ctx.call.get("reporting_window"), ctx.now)
    names: list[str] = ctx.call.get("workflow_names") or sorted(project.workflows_by_name)
    branches: list[str] | None = ctx.call.get("branches")
    runs = [run for run in metrics.workflows_in(project, span, branches=branches) if run.name in names]
    before = [run for run in metrics.workflows_in(project, span.before(), branches=branches) if run.name in names]
    all_branches = sorted({run.pipeline.branch for run in runs if run.pipeline.branch is not None})
    by_workflow: list[JsonObject] = []
    by_branch: list[JsonObject] = []
    for name in names:
        mine, then = _named(runs, name), _named(before, name)
        if mine:
            by_workflow.append({"workflow_name": name, **_workflow_data(mine, then)})
        for branch in all_branches:
            here = [run for run in mine if run.pipeline.branch == branch]
            if here:
                there = [run for run in then if run.pipeline.branch == branch]
                by_branch.append({"workflow_name": name, "branch": branch, **_workflow_data(here, there)})
    return {
        "org_id": project.organization.id,
        "project_id": project.id,
        "project_data": _compared(metrics.totals(runs, span), metrics.totals(before, span.before())),
        "project_workflow_data": by_workflow,
        "project_workflow_branch_data": by_branch,
        "all_branches": all_branches,
        "all_workflows": sorted(project.workflows_by_name),
    }


def _named(runs: Sequence[FakeWorkflow], name: str) -> list[FakeWorkflow]:
    return [run for run in runs if run.name == name]


def _compared(now_: JsonObject, before: JsonObject) -> JsonObject:
    return {"metrics": now_, "trends": metrics.trends(now_, before)}


def _some(runs: Sequence[Run], span: Span) -> JsonObject:
    return {name: value for name, value in metrics.totals(runs, span).items() if name != "throughput"}


def _workflow_data(runs: Sequence[Run], before: Sequence[Run]) -> JsonObject:
    def data(of: Sequence[Run]) -> JsonObject:
        return {
            "total_credits_used": sum(run.credits for run in of),
            "p95_duration_secs": metrics.p95_of(of),
            "total_runs": len(of),
            "success_rate": metrics.success_rate(of),
        }

    return _compared(data(runs), data(before))


@handles("v2.insights.list_job_timeseries")
def list_job_timeseries(ctx: RequestContext) -> object:
    project = ctx.project()
    span = _span(ctx)
    hourly = ctx.call.get("granularity") == "hourly"
    runs = metrics.workflows_in(project, span, name=ctx.call["workflow_name"], branches=_branches(ctx, project))
    rows: list[JsonObject] = []
    for name, jobs in sorted(metrics.jobs_in(runs).items()):
        buckets: dict[datetime, list[FakeJob]] = {}
        for job in jobs:
            assert job.started_at is not None
            start = job.started_at.replace(minute=0, second=0, microsecond=0)
            buckets.setdefault(start if hourly else start.replace(hour=0), []).append(job)
        rows.extend(_point(name, start, each, hourly) for start, each in sorted(buckets.items()))
    return ctx.page(rows, lambda row: row)


def _point(name: str, start: datetime, jobs: Sequence[FakeJob], hourly: bool) -> JsonObject:
    span = Span(start, start + timedelta(hours=1 if hourly else 24))
    counted = metrics.counts(jobs, span)
    timed = counted["duration_metrics"]
    credits_used = sorted(job.credits for job in jobs)
    return {
        "name": name,
        "min_started_at": millis(min(job.started_at for job in jobs if job.started_at)),
        "max_ended_at": millis(max(job.stopped_at for job in jobs if job.stopped_at)),
        "timestamp": millis(start),
        "metrics": {
            "total_runs": counted["total_runs"],
            "failed_runs": counted["failed_runs"],
            "successful_runs": counted["successful_runs"],
            "throughput": counted["throughput"],
            "median_credits_used": credits_used[len(credits_used) // 2],
            "total_credits_used": counted["total_credits_used"],
            "duration_metrics": {
                "min": timed["min"],
                "median": timed["median"],
                "max": timed["max"],
                "p95": timed["p95"],
                "total": round(sum(job.seconds or 0 for job in jobs)),
            },
        },
    }
