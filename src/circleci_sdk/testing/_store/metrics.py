"""Insights: metrics of past runs. Pure functions over ended workflows and jobs."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from .plans import FAILURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .projects import FakeProject
    from .records import JsonObject
    from .runs import FakeJob, FakeWorkflow

WINDOWS: Final = {
    "last-24-hours": timedelta(hours=24),
    "last-7-days": timedelta(days=7),
    "last-30-days": timedelta(days=30),
    "last-60-days": timedelta(days=60),
    "last-90-days": timedelta(days=90),
}


class Run(Protocol):
    """An ended workflow or job."""

    @property
    def state(self) -> str: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def credits(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Span:
    """A time range."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400

    def before(self) -> Span:
        """The range of the same length before it."""
        return Span(self.start - (self.end - self.start), self.start)


def span_of(window: str | None, now: datetime) -> Span:
    """The time range of a reporting window. Default: 90 days."""
    return Span(now - WINDOWS.get(window or "", WINDOWS["last-90-days"]), now)


def workflows_in(
    project: FakeProject, span: Span, *, name: str | None = None, branches: Iterable[str] | None = None
) -> list[FakeWorkflow]:
    """The ended workflows that were created in a time range, oldest first."""
    selected = None if branches is None else set(branches)
    names = [name] if name is not None else list(project.workflows_by_name)
    found: list[FakeWorkflow] = []
    for each in names:
        for workflow in reversed(project.workflows_by_name.get(each, [])):
            if workflow.created_at < span.start:
                break
            if (
                workflow.ended
                and workflow.created_at <= span.end
                and (selected is None or workflow.pipeline.branch in selected)
            ):
                found.append(workflow)
    return sorted(found, key=lambda workflow: workflow.created_at)


def jobs_in(workflows: Iterable[FakeWorkflow]) -> dict[str, list[FakeJob]]:
    """The ended jobs of workflows, by name."""
    found: dict[str, list[FakeJob]] = {}
    for workflow in workflows:
        for job in workflow.jobs:
            if job.workflow is workflow and job.ended and job.started_at is not None:
                found.setdefault(job.name, []).append(job)
    return found


def failed(run: Run) -> bool:
    return run.state in FAILURES or run.state == "error"


def success_rate(runs: Sequence[Run]) -> float:
    """The share of successful runs among successful and failed ones."""
    passed = sum(run.state == "success" for run in runs)
    counted = passed + sum(map(failed, runs))
    return passed / counted if counted else 0.0


def durations(runs: Iterable[Run]) -> JsonObject:
    """Metrics of durations, in seconds."""
    seconds = sorted(run.seconds for run in runs if run.seconds is not None)
    if not seconds:
        return dict.fromkeys(("min", "mean", "median", "p95", "max", "standard_deviation"), 0)
    return {
        "min": round(seconds[0]),
        "mean": round(statistics.fmean(seconds)),
        "median": round(statistics.median(seconds)),
        "p95": round(p95(seconds)),
        "max": round(seconds[-1]),
        "standard_deviation": round(statistics.pstdev(seconds), 1),
    }


def p95(ordered: Sequence[float]) -> float:
    """The 95th percentile of values in ascending order."""
    return ordered[max(0, math.ceil(len(ordered) * 0.95) - 1)] if ordered else 0.0


def p95_of(runs: Iterable[Run]) -> float:
    return p95(sorted(run.seconds for run in runs if run.seconds is not None))


def mean_time_to_recovery(workflows: Sequence[FakeWorkflow]) -> int:
    """Mean seconds from a failure to the next success, of workflows in order."""
    broken: datetime | None = None
    gaps: list[float] = []
    for workflow in workflows:
        assert workflow.stopped_at is not None
        if failed(workflow):
            broken = broken or workflow.stopped_at
        elif workflow.state == "success" and broken is not None:
            gaps.append((workflow.stopped_at - broken).total_seconds())
            broken = None
    return round(statistics.fmean(gaps)) if gaps else 0


def counts(runs: Sequence[Run], span: Span) -> JsonObject:
    """The common metrics of workflows and of jobs."""
    return {
        "total_runs": len(runs),
        "successful_runs": sum(run.state == "success" for run in runs),
        "failed_runs": sum(map(failed, runs)),
        "success_rate": success_rate(runs),
        "total_credits_used": sum(run.credits for run in runs),
        "throughput": round(len(runs) / max(span.days, 1 / 24), 4),
        "duration_metrics": durations(runs),
    }


def totals(runs: Sequence[Run], span: Span) -> JsonObject:
    """The five totals of a project or an organization."""
    return {
        "total_runs": len(runs),
        "total_duration_secs": round(sum(run.seconds or 0 for run in runs)),
        "total_credits_used": sum(run.credits for run in runs),
        "success_rate": success_rate(runs),
        "throughput": round(len(runs) / max(span.days, 1 / 24), 4),
    }


def trends(now: JsonObject, before: JsonObject) -> JsonObject:
    """The change of each metric: now divided by before; 1 without a value before."""
    return {
        name: round(value / before[name], 4) if before.get(name) else 1.0
        for name, value in now.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
