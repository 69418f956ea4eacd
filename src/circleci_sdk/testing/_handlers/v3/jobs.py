"""`v3.jobs`: jobs with their steps, artifacts, tests and use of resources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles, millis, present
from circleci_sdk.testing._handlers.jobs import artifacts_of, tests_of
from circleci_sdk.testing._store.plans import CHECKOUT, Job
from circleci_sdk.testing._store.step_runs import step_runs
from circleci_sdk.testing._wire.messages import LINES, ErrorResponse, Response

from .envelope import all_of, entity, id_of, one, page
from .phases import STEPS, progress_of_job, show_progress

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakeWorkflow
    from circleci_sdk.testing._store.step_runs import StepRun

_INTERVAL_MS: Final = 15_000
_GIB: Final = 1 << 30
_MACHINES: Final = {"small": (1.0, 2), "medium": (2.0, 4), "medium+": (3.0, 6), "large": (4.0, 8), "xlarge": (8.0, 16)}
"""CPU cores and GiB of memory by resource class. Others count as medium."""

_LOAD: Final = (0.25, 0.75, 1.0, 0.5)
"""The share of its CPU and memory that a job uses, sample by sample, over and over."""


@handles("v3.jobs.list")
def list_(ctx: RequestContext) -> object:
    workflow = ctx.workflow()
    return page(ctx, workflow.jobs, lambda job: _show(job, workflow))


@handles("v3.jobs.get")
def get(ctx: RequestContext) -> object:
    job = ctx.job_by_id()
    shown = _show(job, job.latest_workflow)
    attributes = {name: value for name, value in shown["attributes"].items() if name not in _ONLY_IN_LISTS}
    if job.started_at is not None:
        steps = [_show_step(step) for step in step_runs(job, ctx.now)]
        attributes["parallel_executions"] = [{"steps": steps} for _ in range(job.parallelism)]
    return one({**shown, "attributes": attributes})


@handles("v3.jobs.list_artifacts")
def list_artifacts(ctx: RequestContext) -> object:
    job = ctx.job_by_id()
    return all_of(
        entity(
            id_of(job.id, each["node_index"], each["path"]),
            {"path": each["path"], "url": each["url"], "execution": each["node_index"]},
        )
        for each in artifacts_of(job, ctx.origin)
    )


@handles("v3.jobs.stream_tests")
def stream_tests(ctx: RequestContext) -> object:
    names = ("classname", "name", "result", "run_time", "message")
    lines = [json.dumps({name: test[name] for name in names}) + "\n" for test in tests_of(ctx.job_by_id())]
    return Response(200, "".join(lines), media_type=LINES)


@handles("v3.jobs.get_resource_usage")
def get_resource_usage(ctx: RequestContext) -> object:
    job = ctx.job_by_id()
    if not isinstance(job.plan, Job) or job.started_at is None:
        raise ErrorResponse(404, "The job never had an executor.")
    cores, gib = _MACHINES.get(job.plan.resource_class, _MACHINES["medium"])
    seconds = ((job.stopped_at or ctx.now) - job.started_at).total_seconds()
    load = [_LOAD[at % len(_LOAD)] for at in range(int(seconds * 1000 // _INTERVAL_MS) + 1)]
    return one(
        entity(
            job.id,
            {
                "resource_class": {
                    "name": job.plan.resource_class,
                    "cpu_count": cores,
                    "memory_limit_bytes": gib * _GIB,
                },
                "parallel_executions": [
                    {
                        "execution": execution,
                        "interval_ms": _INTERVAL_MS,
                        "cpu_cores": [cores * share for share in load],
                        "memory_bytes": [int(gib * _GIB * share) for share in load],
                        "network_rx_bytes": 1_048_576 * len(load),
                        "network_tx_bytes": 20_480 * len(load),
                    }
                    for execution in range(job.parallelism)
                ],
            },
        )
    )


_ONLY_IN_LISTS: Final = frozenset({"number", "current_outcome"})


def _show(job: FakeJob, workflow: FakeWorkflow) -> JsonObject:
    """A job in a list. `workflow` is the one that the list is of: a rerun includes jobs of the workflow before it."""
    return entity(
        job.id,
        {
            "name": job.name,
            "number": job.number,
            **show_progress(progress_of_job(job)),
            "type": "approval" if job.is_approval else "build",
            "started_at": millis(job.started_at) if job.started_at else None,
            "ended_at": millis(job.stopped_at) if job.stopped_at else None,
        },
        workflow=workflow.id,
        project=job.project.id,
        pipeline=workflow.pipeline.id,
        user=workflow.started_by.id,
    )


def _show_step(step: StepRun) -> JsonObject:
    kind = "spinup_environment" if step.is_machine else "checkout" if step.name == CHECKOUT else "run"
    return present(
        name=step.name,
        type=kind,
        num=step.number,
        **show_progress(STEPS[step.state]),
        exit_code=0 if step.is_machine else step.exit_code,
        started_at=millis(step.started_at),
        ended_at=millis(step.ended_at) if step.ended_at else None,
        command=step.name if kind == "run" else None,
        stdout_bytes=sum(len(write.content) for write in step.stdout),
        stderr_bytes=sum(len(write.content) for write in step.stderr),
    )
