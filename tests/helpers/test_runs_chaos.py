"""500 runs watched at once while every call may fail: no event lost, none doubled, no POST processed twice."""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final

import pytest

from circleci_sdk import AsyncCircleCI, RateLimitError, ServerError, TransportError
from circleci_sdk.helpers import ApprovalEvent, JobEvent, PipelineEvent, Run, RunEvent, RunResult, WorkflowEvent
from circleci_sdk.testing import Approval, FakeCircleCI, FakePipeline, Job, Workflow
from tests.helpers.chaos import BadNetwork, JumpingClock, all_at_once
from tests.support.clients import SLUG
from tests.support.clock import clock_of

SEED: Final = 20260601


def plan(pipeline: FakePipeline) -> Sequence[Workflow]:
    """Runs of many shapes, by the number of the pipeline."""
    rng = random.Random(pipeline.number)
    outcome = rng.choice(["success", "success", "failed", "timedout"])
    jobs: list[Job | Approval] = [Job("lint", rng.uniform(2, 10)), Job("test", rng.uniform(5, 25), outcome=outcome)]
    if rng.random() < 0.4:
        jobs += [
            Approval("release?", requires=["lint", "test"]),
            Job("deploy", rng.uniform(3, 10), requires=["release?"]),
        ]
    late = rng.uniform(0, 15)
    workflows = [Workflow("build", *jobs, delay=late)]
    if rng.random() < 0.3:
        workflows.append(Workflow("docs", Job("pages", rng.uniform(2, 25)), delay=late + rng.uniform(0, 1)))
    if rng.random() < 0.3:
        workflows.insert(0, Workflow("setup", Job("generate", rng.uniform(3, 10)), setup=True))
    return workflows


def key_of(event: RunEvent) -> str:
    match event:
        case PipelineEvent(pipeline):
            return pipeline.id
        case WorkflowEvent(workflow):
            return workflow.id
        case JobEvent(job) | ApprovalEvent(job):
            return job.id


class Watchers:
    """Starts, watches and approves one run, as a careful user would. Approvals come from a bot of its own."""

    def __init__(self, circleci: AsyncCircleCI, bot: AsyncCircleCI, fake: FakeCircleCI, clock: JumpingClock) -> None:
        self.circleci = circleci
        self.bot = bot
        self.fake = fake
        self.clock = clock
        self.told: dict[str, list[RunEvent]] = {}
        self.results: dict[str, RunResult] = {}
        self.waited: set[str] = set()

    async def start(self, number: int) -> Run:
        while True:
            try:
                return await self.circleci.runs.start(SLUG, branch="main", parameters={"n": number})
            except (ServerError, TransportError, RateLimitError) as error:
                request_outcome = error.request_outcome
            await self.clock.sleep(2)
            there = [one for one in self.fake.project(SLUG).pipelines if one.parameters["n"] == number]
            assert not there or request_outcome == "unknown"
            if there:
                return self.circleci.runs.attach(there[0].id)

    async def approve(self, run: Run, name: str) -> None:
        while True:
            try:
                await self.bot.runs.attach(run.id).approve(job=name)
            except (ServerError, TransportError, RateLimitError):
                await self.clock.sleep(3)
            else:
                return

    async def watch(self, number: int) -> None:
        run = await self.start(number)
        told = self.told[run.id] = []
        watch = run.watch()
        async for event in watch:
            told.append(event)
            if isinstance(event, ApprovalEvent) and event.status == "on_hold":
                await self.approve(run, event.job.name)
        self.results[run.id] = watch.result

    async def wait(self, number: int) -> None:
        run = await self.start(number)
        self.waited.add(run.id)
        result = await run.wait(on_hold="return")
        while not result.is_over:
            for job in result.approvals:
                await self.approve(run, job.id)
            await self.clock.sleep(3)  # until the approval shows
            result = await run.wait(on_hold="return")
        self.results[run.id] = result


def check_events(told: list[RunEvent], seen: dict[str, list[str]]) -> None:
    """What was told of each thing is what got through, in order, each change once."""
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    for event in told:
        before = statuses[key_of(event)]
        assert event.previous == (before[-1] if before else None)
        before.append(str(event.status))
    assert statuses == seen


@pytest.mark.parametrize(
    ("runs", "watched", "failing", "refusing"),
    [
        (500, True, 0.15, False),
        (500, True, 0.15, True),
        (500, False, 0.15, True),
        (50, True, 0.0, False),
        (50, False, 0.0, False),
    ],
    ids=[
        "watched",
        "watched and limited",
        "waited for and limited",
        "watched without failures",
        "waited for without failures",
    ],
)
async def test_many_runs_at_once(runs: int, watched: bool, failing: float, refusing: bool) -> None:
    fake = FakeCircleCI(seed=SEED)
    web = fake.add_project(SLUG)
    web.will_run(plan)
    clock = JumpingClock(fake, SEED)
    network, other = (BadNetwork(fake, clock, SEED + number, failing=failing, refusing=refusing) for number in (0, 1))
    with clock_of(clock):
        circleci, bot = (
            AsyncCircleCI(fake.token, transport=way, base_url="https://circleci.com") for way in (network, other)
        )
    async with circleci, bot:
        watchers = Watchers(circleci, bot, fake, clock)
        one = watchers.watch if watched else watchers.wait
        await all_at_once(clock, [partial(one, number) for number in range(runs)])

    # No POST was processed twice: each run was created once, each approval given once.
    assert Counter(one.parameters["n"] for one in web.pipelines) == Counter(range(runs))
    assert set((network.processed + other.processed).values()) == {1}
    for pipeline in web.pipelines:
        result = watchers.results[pipeline.id]
        truth = {job.id: job.state for workflow in pipeline.workflows for job in workflow.jobs}
        assert result.is_over
        assert {one.id: one.status for one in result.workflows} == {one.id: one.state for one in pipeline.workflows}
        failed = {identifier for identifier, state in truth.items() if state in ("failed", "timedout")}
        assert {job.id for job in result.failed_jobs} == failed
        if watched:
            told = watchers.told[pipeline.id]
            check_events(told, network.seen[pipeline.id])
            last = {key_of(event): event.status for event in told if isinstance(event, JobEvent | ApprovalEvent)}
            assert last == truth
    calls = [network.calls[one.id] for one in web.pipelines]
    seconds = [
        (max(one.stopped_at for one in pipeline.workflows if one.stopped_at) - pipeline.created_at).total_seconds()
        for pipeline in web.pipelines
    ]
    print(
        f"{'watched' if watched else 'waited for'}, {failing:.0%} of calls fail: {statistics.mean(calls):.1f} calls a "
        f"run of {statistics.mean(seconds):.0f} s on average, at most {max(calls)}; faults {dict(network.faults)}"
    )
    # One look each second at most, one for the workflows and one for each of up to three workflows and the pipeline.
    assert max(calls) < 5 * max(seconds)
