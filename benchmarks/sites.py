"""What the helpers are measured on: a fake with a long history, failed jobs, artifacts and contexts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from circleci_sdk.testing import FakeCircleCI, Job, JobTest, Step, Workflow

SLUG: Final = "gh/acme/web"
TOKEN: Final = "fake-token"
FAILED_JOBS: Final = 20
CONTEXTS: Final = 50
NAMES: Final = tuple(f"NAME_{number}" for number in range(20))
"""The variables that are set in each context."""
LATEST_AT: Final = 4
"""The place of the newest pipeline that succeeded."""
_LOG: Final = "".join(f"line {number}\n" for number in range(200))


@dataclass(frozen=True, slots=True)
class Site:
    """A fake with a project: its last run has failed jobs, the fourth before it has artifacts of 8 jobs."""

    fake: FakeCircleCI
    failed: str
    """The id of the pipeline with the failed jobs."""
    revision: str
    """A commit on the sixth page of pipelines."""
    contexts: tuple[str, ...]


def site(pipelines: int) -> Site:
    """A project with this many pipelines, with one to three workflows each; the last one is the failed run, now."""
    fake = FakeCircleCI(start=datetime.now(UTC) - timedelta(seconds=10 * pipelines))
    project = fake.add_project(SLUG)
    for number in range(pipelines - 5):
        flows = [Workflow(f"build-{one}", Job("test", 5), Job("lint", 5)) for one in range(1 + number % 3)]
        project.push(*flows)
        fake.clock.advance(10)
    packages = [Job(f"package-{one}", 5, artifacts={f"dist/{one}.whl": b"wheel"}) for one in range(8)]
    project.push(Workflow("build", *packages))
    fake.clock.advance(10)
    for _ in range(3):
        project.push(Workflow("build", Job("test", 5, outcome="failed")))
        fake.clock.advance(10)
    broken = [
        Job(
            f"test-{number}",
            5,
            outcome="failed",
            steps=[Step("checkout", "ok\n"), Step("pytest", _LOG, exit_code=1)],
            tests=[JobTest("test_fine"), JobTest("test_broken", failure="assert 1 == 2")],
        )
        for number in range(FAILED_JOBS)
    ]
    failed = project.push(Workflow("build", *broken))
    fake.clock.advance(10)
    ids = tuple(fake.add_context(f"context-{number}", organization="gh/acme").id for number in range(CONTEXTS))
    found = project.pipelines[max(0, pipelines - 105)]
    return Site(fake, failed.id, found.revision, ids)
