"""`follow` on a network that fails and changes responses: no event is lost, none is doubled, nothing stays skipped."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, CircleCIError, RateLimitError
from circleci_sdk.testing import FakeCircleCI, FakePipeline, Job, Workflow
from circleci_sdk.webhooks import FollowedEvent, JobCompleted, follow
from tests.helpers.chaos import BadNetwork, JumpingClock
from tests.support.clients import SLUG
from tests.support.clock import clock_of

pytestmark = pytest.mark.load

RUNS: Final = 60
OUTCOMES: Final[Sequence[Literal["success", "failed", "timedout"]]] = ("success", "success", "failed", "timedout")


def plan(pipeline: FakePipeline) -> Sequence[Workflow]:
    rng = random.Random(pipeline.number)
    jobs = [Job("lint", rng.uniform(2, 100)), Job("test", rng.uniform(5, 400), outcome=rng.choice(OUTCOMES))]
    workflows = [Workflow("build", *jobs, delay=rng.uniform(0, 30))]
    if rng.random() < 0.3:
        workflows.append(Workflow("docs", Job("pages", rng.uniform(2, 50)), delay=rng.uniform(0, 20)))
    return workflows


def id_of(event: FollowedEvent) -> str:
    return event.job.id if isinstance(event, JobCompleted) else event.workflow.id


@pytest.mark.parametrize(("failing", "odd"), [(0.15, 0.0), (0.15, 0.1)], ids=["failing", "failing and odd"])
async def test_no_event_is_lost_or_doubled(failing: float, odd: float) -> None:
    fake = FakeCircleCI(seed=7)
    web = fake.add_project(SLUG)
    web.will_run(plan)
    clock = JumpingClock(fake, 7)
    network = BadNetwork(fake, clock, 7, failing=failing, refusing=True, odd=odd)
    with clock_of(clock):
        circleci = AsyncCircleCI(fake.token, transport=network, base_url="https://circleci.com")
    seen: list[str] = []
    errors: list[CircleCIError] = []

    async def push() -> None:
        rng = random.Random(7)
        for _ in range(RUNS):
            await clock.sleep(rng.uniform(0, 60))
            web.push()
        await clock.sleep(7200)  # whatever was passed over is asked for again by then
        tasks.cancel_scope.cancel()

    async def read() -> None:
        events = follow(circleci, SLUG, poll=60)
        while True:
            try:
                seen.append(id_of(await anext(events)))
            except CircleCIError as error:
                errors.append(error)
            skipped[:] = [str(one) for one in events.skipped]

    skipped: list[str] = []
    async with circleci, anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        tasks.start_soon(push)
        tasks.start_soon(read)
    ended = [workflow for pipeline in web.pipelines for workflow in pipeline.workflows]
    truth = {one.id for one in ended} | {job.id for workflow in ended for job in workflow.jobs}
    assert not [one for one, count in Counter(seen).items() if count > 1]
    assert set(seen) == truth
    assert skipped == []
    assert not [one for one in errors if not isinstance(one, RateLimitError)]
    print(f"{len(seen)} events, {sum(network.calls.values())} calls, {network.faults}, {network.oddities.made}")
