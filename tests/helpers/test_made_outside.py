"""What only constructs needs no event loop: made in plain code, then used on asyncio or trio."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import AsyncCircleCI
from circleci_sdk.helpers import Step
from circleci_sdk.testing import FakeCircleCI, FakePipeline, Job, JobTest, Workflow
from circleci_sdk.testing import Step as FakeStep
from circleci_sdk.webhooks import Router, follow
from tests.support.clients import SLUG

ORG: Final = "gh/acme"


def fake_with_a_run(*, server: bool) -> FakeCircleCI:
    fake = FakeCircleCI(server=server)
    web = fake.add_project(SLUG)
    fake.add_context("deploy", organization=ORG, env_vars={"KEY": "value"})
    step = FakeStep("make", "out\n", stderr="err\n")
    web.push(Workflow("build", Job("test", 5, steps=[step], tests=[JobTest("passes")])), branch="main")
    fake.clock.advance(86400)
    return fake


def pipeline_of(fake: FakeCircleCI) -> FakePipeline:
    """The only pipeline."""
    [pipeline] = fake.project(SLUG).pipelines
    return pipeline


def job_id_of(fake: FakeCircleCI) -> str:
    """The id of the only job."""
    return pipeline_of(fake).workflows[0].jobs[0].id


def followed(fake: FakeCircleCI, circleci: AsyncCircleCI, step: Step) -> Any:
    fake.project(SLUG).push(Workflow("build", Job("test", 100)))
    return follow(circleci, SLUG, webhooks=Router(), poll=1000)


def usage_rows(fake: FakeCircleCI, circleci: AsyncCircleCI, step: Step) -> Any:
    return circleci.usage.rows(ORG, fake.clock.now - timedelta(days=2), fake.clock.now)


CASES: Final[dict[str, Callable[[FakeCircleCI, AsyncCircleCI, Step], Any]]] = {
    "logs.open": lambda _, circleci, step: circleci.logs.open(step),
    "logs.open within a time": lambda _, circleci, step: circleci.logs.open(step, timeout=60),
    "logs.follow": lambda _, circleci, step: circleci.logs.follow(step),
    "logs.follow within a time": lambda _, circleci, step: circleci.logs.follow(step, timeout=60),
    "runs.search": lambda _, circleci, step: circleci.runs.search([SLUG]),
    "run.watch": lambda fake, circleci, step: circleci.runs.attach(pipeline_of(fake).id).watch(),
    "history.records": lambda _, circleci, step: circleci.history.records(SLUG, timeout=60),
    "secrets.audit": lambda _, circleci, step: circleci.secrets.audit(ORG, projects=[SLUG]),
    "follow": followed,
    "a list of v2": lambda _, circleci, step: circleci.v2.pipelines.list_for_project(SLUG),
}
ON_THE_CLOUD: Final[dict[str, Callable[[FakeCircleCI, AsyncCircleCI, Step], Any]]] = {
    "usage.rows": usage_rows,
    "v3.jobs.stream_stdout": lambda fake, circleci, step: circleci.v3.jobs.stream_stdout(
        job_id_of(fake), step_num=step.number
    ),
    "v3.jobs.stream_stderr": lambda fake, circleci, step: circleci.v3.jobs.stream_stderr(
        job_id_of(fake), step_num=step.number
    ),
    "v3.jobs.stream_tests": lambda fake, circleci, step: circleci.v3.jobs.stream_tests(job_id_of(fake)),
}


async def last_step(fake: FakeCircleCI) -> Step:
    async with fake.client() as circleci:
        return (await circleci.logs.steps(SLUG, 1))[-1]


async def first(items: Any) -> object:
    if hasattr(items, "__aenter__"):
        async with items:
            return await anext(aiter(items))
    return await anext(aiter(items))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("name", "server"),
    [*((name, False) for name in ON_THE_CLOUD), *((name, server) for name in CASES for server in (False, True))],
)
def test_made_outside_of_an_event_loop(name: str, server: bool, backend: str) -> None:
    make = {**CASES, **ON_THE_CLOUD}[name]

    async def made_inside() -> object:
        async with fake.client() as circleci:
            return await first(make(fake, circleci, step))

    async def used_inside() -> object:
        async with circleci:
            return await first(made)

    fake = fake_with_a_run(server=server)
    step = anyio.run(last_step, fake, backend=backend)
    expected = anyio.run(made_inside, backend=backend)
    fake = fake_with_a_run(server=server)
    assert anyio.run(last_step, fake, backend=backend) == step
    circleci = fake.client()
    made = make(fake, circleci, step)
    assert anyio.run(used_inside, backend=backend) == expected
