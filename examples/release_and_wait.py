"""Start a pipeline, show what happens, and end as it ends: for release scripts.

    python release_and_wait.py gh/acme/web --branch main --parameter deploy=true --timeout 1800

Exit code: 0 for success, 1 for failure, 2 when nothing was started, 3 when the time is over (the run continues),
4 for errors of the API, which are on standard error. Needs CIRCLECI_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError, RunSkippedError, RunTimeoutError, printable
from circleci_sdk.helpers import ApprovalEvent, JobEvent, PipelineEvent, RunEvent, RunJob, WorkflowEvent


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What to start."""
    parser = argparse.ArgumentParser(description="Start a pipeline and wait for its end.")
    parser.add_argument("project", help="such as gh/acme/web")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds")
    return parser.parse_args(words)


def parameter(text: str) -> tuple[str, str | int | bool]:
    """`deploy=true` and `count=3` as a boolean and a number, everything else as a string."""
    name, _, value = text.partition("=")
    try:
        read = json.loads(value)
    except ValueError:
        read = value
    return name, read if isinstance(read, str | int) else value


def describe(event: RunEvent) -> str:
    """One line for each event. A name that the API did not send must not end the wait."""
    match event:
        case PipelineEvent(pipeline):
            return f"{getattr(pipeline, 'url', pipeline.id)}: {event.status}"
        case WorkflowEvent(workflow):
            return f"{getattr(workflow, 'name', workflow.id)}: {event.status}"
        case JobEvent(job):
            return f"{name_of(job)}: {event.status}"
        case ApprovalEvent(job):
            where = getattr(job, "url", "its page")
            return f"{name_of(job)}: {f'approve it at {where}' if event.status == 'on_hold' else event.status}"


def name_of(job: RunJob) -> str:
    """The workflow and the job."""
    return f"{getattr(job, 'workflow_name', job.workflow_id)} / {getattr(job, 'name', 'a job')}"


async def release(circleci: AsyncCircleCI, asked: argparse.Namespace) -> int:
    """Start it and print its events; returns 0 for a success, else 1."""
    run = await circleci.runs.start(
        asked.project, branch=asked.branch, parameters=dict(map(parameter, asked.parameter))
    )
    watch = run.watch(timeout=asked.timeout)
    async for event in watch:
        print(printable(describe(event)), flush=True)
    print(watch.result.describe())
    return 0 if watch.result.is_success else 1


async def main(words: Sequence[str] | None = None) -> int:
    """Start it and wait; gives the exit code."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            return await release(circleci, asked)
    except RunSkippedError as skipped:
        print(f"Nothing was started: {skipped}")
        return 2
    except RunTimeoutError as late:
        print(late)
        return 3
    except CircleCIError as error:
        print(error, file=sys.stderr)
        return 4


if __name__ == "__main__":
    sys.exit(anyio.run(main))
