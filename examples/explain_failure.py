"""Say why a run failed: its failed steps with the end of their output, and its failing tests, as Markdown.

    python explain_failure.py gh/acme/web --branch main > failure.md
    python explain_failure.py --pipeline 5034460f-c7c4-4c43-9457-de07e2029e7b --tail 20

Without a branch or a pipeline, inside a job of CircleCI, it explains the run of that job so far. Exit code: 0 when
nothing has failed, 1 when something has, 2 when it cannot be read. Needs CIRCLECI_TOKEN.
"""

import argparse
import sys
from collections.abc import Sequence

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import Run


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Which run to explain."""
    parser = argparse.ArgumentParser(description="Say why a run failed.")
    parser.add_argument("project", nargs="?", help="such as gh/acme/web: its newest run")
    parser.add_argument("--branch", default="main")
    parser.add_argument("--pipeline", help="the id of a pipeline")
    parser.add_argument("--tail", type=int, default=50, help="lines of output for each step")
    return parser.parse_args(words)


async def find(circleci: AsyncCircleCI, asked: argparse.Namespace) -> Run:
    """The run that was asked for."""
    if asked.pipeline:
        return circleci.runs.attach(asked.pipeline)
    if not asked.project:
        return await circleci.runs.current()
    run = await circleci.runs.latest(asked.project, branch=asked.branch)
    if run is None:
        sys.exit(f"{asked.project} has no run on {asked.branch}.")
    return run


async def explain(circleci: AsyncCircleCI, asked: argparse.Namespace) -> int:
    """Print what failed; returns 0 if nothing did, else 1."""
    run = await find(circleci, asked)
    result = await run.result()
    if not result.failed_jobs and not result.errors:
        print(result.describe())
        return 0
    explanation = await run.explain(result, tail=asked.tail)
    print(explanation.markdown())
    if explanation.flaky_only:
        print("Everything that failed is known to be flaky; a rerun may help.")
    return 1


async def main(words: Sequence[str] | None = None) -> int:
    """Explain it; returns the exit code."""
    asked = read_arguments(words)
    try:
        async with AsyncCircleCI() as circleci:
            return await explain(circleci, asked)
    except CircleCIError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(anyio.run(main))
