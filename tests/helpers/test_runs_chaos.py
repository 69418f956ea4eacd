"""Up to 500 runs watched at once while every call may fail: no event lost or doubled, no POST processed twice.

Responses also lack fields or workflows, or cannot be read: each run still ends with its true status. A workflow is
missing only from lists after it was listed once: before, nothing shows that it exists.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    CircleCIError,
    DecodeError,
    FieldUnavailableError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TransportError,
)
from circleci_sdk.helpers import ApprovalEvent, JobEvent, PipelineEvent, Run, RunEvent, RunJob, RunResult, WorkflowEvent
from circleci_sdk.testing import Approval, FakeCircleCI, FakePipeline, Job, Workflow
from tests.helpers.chaos import BadNetwork, JumpingClock, all_at_once
from tests.support.clients import SLUG
from tests.support.clock import clock_of

pytestmark = pytest.mark.load

SEED: Final = 20260601
OUTCOMES: Final[Sequence[Literal["success", "failed", "timedout"]]] = ("success", "success", "failed", "timedout")
REFUSED: Final = (AuthenticationError, PermissionDeniedError, DecodeError, PaginationError)
"""Errors of a first look, which a careful user repeats."""


def plan(first: int, pipeline: FakePipeline) -> Sequence[Workflow]:
    """Runs of many shapes, by the number of the pipeline, counted from the `first` of this case."""
    rng = random.Random(first + pipeline.number)
    outcome = rng.choice(OUTCOMES)
    jobs: list[Job | Approval] = []
    jobs += [Job("lint", rng.uniform(2, 10)), Job("test", rng.uniform(5, 25), outcome=outcome)]
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


def key_of(event: RunEvent, ids: dict[tuple[str, str], str]) -> str:
    match event:
        case PipelineEvent(pipeline):
            return pipeline.id
        case WorkflowEvent(workflow):
            return workflow.id
        case JobEvent(job) | ApprovalEvent(job):
            return id_of(job, ids)


def id_of(job: RunJob, ids: dict[tuple[str, str], str]) -> str:
    try:
        return job.id
    except FieldUnavailableError:
        return ids[job.workflow_id, job.name]


def true_status(pipeline: FakePipeline) -> str:
    """The truth about a run that has ended: no run of the plan is canceled or cannot be created."""
    states = {workflow.state for workflow in pipeline.workflows}
    return "success" if states == {"success"} else "failed"


class Watchers:
    """Starts, watches and approves one run, as a careful user would. Approvals come from a bot of its own."""

    def __init__(
        self,
        circleci: AsyncCircleCI,
        bot: AsyncCircleCI,
        fake: FakeCircleCI,
        clock: JumpingClock,
        network: BadNetwork,
    ) -> None:
        self.network = network
        self.circleci = circleci
        self.bot = bot
        self.fake = fake
        self.clock = clock
        self.told: dict[str, list[RunEvent]] = {}
        self.before: dict[str, dict[str, str]] = {}
        self.results: dict[str, RunResult] = {}

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
            except CircleCIError:
                await self.clock.sleep(3)
            else:
                return

    async def watch(self, number: int) -> None:
        run = await self.start(number)
        while run.id not in self.results:
            told = self.told[run.id] = []
            watch = run.watch()
            try:
                async for event in watch:
                    told.append(event)
                    if isinstance(event, ApprovalEvent) and event.status == "on_hold":
                        await self.approve(run, "release?")  # the only one: its name may be unavailable
                self.results[run.id] = watch.result
            except REFUSED:
                assert not told  # only the first look is not forgiving
                seen = self.network.seen[run.id]
                self.before.setdefault(run.id, {}).update({key: each[-1] for key, each in seen.items()})
                seen.clear()
                await self.clock.sleep(2)

    async def wait(self, number: int) -> None:
        run = await self.start(number)
        while run.id not in self.results:
            self.network.seen[run.id].clear()  # each wait begins anew
            try:
                result = await run.wait(on_hold="return")
            except REFUSED:
                await self.clock.sleep(2)
                continue
            if result.is_over:
                self.results[run.id] = result
                continue
            for _ in result.approvals:
                await self.approve(run, "release?")
            await self.clock.sleep(3)  # until the approval shows


def check_events(
    told: list[RunEvent], seen: dict[str, list[str]], before: dict[str, str], ids: dict[tuple[str, str], str]
) -> None:
    """What was told of each thing is what got through, in order, each change once.

    A thing that was told with an unknown status was told once so, at first. A workflow that a first look showed, which
    was refused as a whole, may be told as it was `before`: the run knows it. `ids` are those of the jobs, by the id of
    the workflow and the name: a job may have been told without its id.
    """
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    for event in told:
        earlier = statuses[key_of(event, ids)]
        assert event.previous == (earlier[-1] if earlier else None)
        earlier.append(str(event.status))
    known = {key: [one for one in each if one != "unknown"] for key, each in statuses.items()}
    assert known.keys() == seen.keys()
    workflows = {event.workflow.id for event in told if isinstance(event, WorkflowEvent)}
    for key, each in known.items():
        assert each == seen[key] or (key in workflows and each == [before.get(key), *seen[key]])
    assert all("unknown" not in each[1:] for each in statuses.values())


BOTH: Final = ("asyncio", "trio")
CASES: Final = (
    *(
        ("watched and limited", loop, 0, runs, True, 0.15, True, 0.1)
        for loop, runs in zip(BOTH, (500, 200), strict=True)
    ),
    # Without a limit each run is read every second: 500 in parts, each of which stays short on a slow machine.
    *(
        (f"watched from {first}", BOTH[first // 100 % 2], first, 100, True, 0.15, False, 0.1)
        for first in range(0, 500, 100)
    ),
    *(("waited for and limited", loop, 0, 200, False, 0.15, True, 0.1) for loop in BOTH),
    *(("watched without failures", loop, 0, 50, True, 0.0, False, 0.0) for loop in BOTH),
    *(("waited for without failures", loop, 0, 50, False, 0.0, False, 0.0) for loop in BOTH),
)


@pytest.mark.parametrize(
    ("anyio_backend", "first", "runs", "watched", "failing", "refusing", "odd"),
    [case[1:] for case in CASES],
    ids=[f"{name} {loop}" for name, loop, *_ in CASES],
)
async def test_many_runs_at_once(
    first: int, runs: int, watched: bool, failing: float, refusing: bool, odd: float
) -> None:
    seed = SEED + first
    fake = FakeCircleCI(seed=seed)
    web = fake.add_project(SLUG)
    web.will_run(partial(plan, first))
    clock = JumpingClock(fake, seed)
    network, other = (
        BadNetwork(fake, clock, seed + number, failing=failing, refusing=refusing, odd=odd, fair=True)
        for number in (0, 1)
    )
    with clock_of(clock):
        circleci, bot = (
            AsyncCircleCI(fake.token, transport=way, base_url="https://circleci.com") for way in (network, other)
        )
    async with circleci, bot:
        watchers = Watchers(circleci, bot, fake, clock, network)
        one = watchers.watch if watched else watchers.wait
        await all_at_once(clock, [partial(one, number) for number in range(runs)])

    # No POST was processed twice: each run was created once, each approval given once.
    assert Counter(one.parameters["n"] for one in web.pipelines) == Counter(range(runs))
    assert set((network.processed + other.processed).values()) == {1}
    for pipeline in web.pipelines:
        result = watchers.results[pipeline.id]
        truth = {job.id: job.state for workflow in pipeline.workflows for job in workflow.jobs}
        assert result.is_over
        assert result.status == true_status(pipeline)
        assert {one.id: one.status for one in result.workflows} == {one.id: one.state for one in pipeline.workflows}
        failed = {identifier for identifier, state in truth.items() if state in ("failed", "timedout")}
        ids = {(workflow.id, job.name): job.id for workflow in pipeline.workflows for job in workflow.jobs}
        assert {id_of(job, ids) for job in result.failed_jobs} == failed
        if watched:
            told = watchers.told[pipeline.id]
            check_events(told, network.seen[pipeline.id], watchers.before.get(pipeline.id, {}), ids)
            last = {key_of(event, ids): event.status for event in told if isinstance(event, JobEvent | ApprovalEvent)}
            assert last == truth
    calls = [network.calls[one.id] for one in web.pipelines]
    seconds = [
        (max(one.stopped_at for one in pipeline.workflows if one.stopped_at) - pipeline.created_at).total_seconds()
        for pipeline in web.pipelines
    ]
    print(
        f"{'watched' if watched else 'waited for'}, {failing:.0%} of calls fail: {statistics.mean(calls):.1f} calls a "
        f"run of {statistics.mean(seconds):.0f} s on average, at most {max(calls)}; faults {dict(network.faults)}, "
        f"oddities {dict(network.oddities.made)}"
    )
    # One look each second at most, one for the workflows and one for each of up to three workflows and the pipeline.
    assert max(calls) < 5 * max(seconds)
