"""`Run.wait` and `Run.watch` in virtual time: how late an end is noticed, and how many calls the polls make."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

import anyio
import httpx

from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import Approval, FakeCircleCI, Job, Workflow

from .sites import SLUG
from .virtual_time import DistantTransport, run

if TYPE_CHECKING:
    from circleci_sdk.helpers import Run

TEN_MINUTES: Final = 600.0
Plan = Callable[[float], Sequence[Workflow]]
"""The workflows of a run that lasts so many seconds, from its start to the end of its last job."""


def _plain(seconds: float) -> Sequence[Workflow]:
    return (Workflow("build", Job("test", seconds)),)


def _late(seconds: float) -> Sequence[Workflow]:
    return (Workflow("build", Job("test", 200)), Workflow("nightly", Job("test", seconds - 30), delay=30))


def _setup(seconds: float) -> Sequence[Workflow]:
    first = Workflow("setup", Job("generate", 45), setup=True)
    return (first, Workflow("build", Job("test", seconds - 45)), Workflow("docs", Job("docs", 120)))


def _failing(seconds: float) -> Sequence[Workflow]:
    return (Workflow("build", Job("lint", 60, outcome="failed"), Job("test", seconds)),)


def _on_hold(seconds: float) -> Sequence[Workflow]:
    jobs = Job("test", 100), Approval("deploy?", requires=["test"]), Job("deploy", seconds - 300, requires=["deploy?"])
    return (Workflow("build", *jobs),)


def _reruns(seconds: float) -> Sequence[Workflow]:
    job = Job("test", seconds / 2, outcome=["failed", "success"])
    return (Workflow("build", job, max_auto_reruns=1),)


def _failing_then_on_hold(workflows: int) -> Plan:
    def plan(seconds: float) -> Sequence[Workflow]:
        jobs = Job("lint", 60, outcome="failed"), Job("test", seconds), Approval("deploy?")
        return [Workflow(f"build-{number}", *jobs) for number in range(workflows)]

    return plan


def _setup_alone(seconds: float) -> Sequence[Workflow]:
    """No other workflow follows: it is over ten minutes after its end."""
    return (Workflow("setup", Job("generate", seconds - 600), setup=True),)


PLANS: Final[dict[str, Plan]] = {
    "one workflow": _plain,
    "one that comes late": _late,
    "a setup workflow": _setup,
    "failing since its first minute": _failing,
    "an approval, on hold for 200 s": _on_hold,
    "an automatic rerun": _reruns,
}
HELD: Final[dict[str, Plan]] = {
    "failing, never on hold": _failing,
    "on hold beside one that moves": lambda seconds: (Workflow("deploy", Approval("deploy?")), *_plain(seconds)),
    "failing, then on hold": _failing_then_on_hold(1),
    "two of these": _failing_then_on_hold(2),
    "eight of these": _failing_then_on_hold(8),
    "nothing after a setup workflow": _setup_alone,
}
"""For waits that return when the run is on hold."""


class _Running(httpx.AsyncBaseTransport):
    """A fake whose clock follows the event loop, from its first request on."""

    def __init__(self, fake: FakeCircleCI) -> None:
        self._near = fake.transport()
        self._clock = fake.clock
        self._start: datetime = fake.clock.now

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._clock.advance_to(self._start + timedelta(seconds=anyio.current_time()))
        return await self._near.handle_async_request(request)


@dataclass(frozen=True, slots=True)
class Waited:
    """How many seconds after its last job ended a wait did, with how many calls, also those of pipelines and jobs."""

    seconds: float
    calls: int
    of_pipelines: int
    of_jobs: int
    status: str


def wait(
    plan: Plan, seconds: float, backend: str = "asyncio", seed: int = 0, on_hold: Literal["wait", "return"] = "wait"
) -> Waited:
    """Wait for a run from its start. The seed is that of the jitter."""
    fake = FakeCircleCI()
    project, start = fake.add_project(SLUG), fake.clock.now

    async def main() -> None:
        running = _Running(fake)
        transport = DistantTransport(running)

        async def approve(run_id: str) -> None:
            await anyio.sleep(300)
            async with AsyncCircleCI(fake.token, transport=running) as other:
                await other.runs.attach(run_id).approve()

        pipeline = project.push(*plan(seconds))
        client = AsyncCircleCI(fake.token, transport=transport)
        async with client, anyio.create_task_group() as others:
            if plan is _on_hold and on_hold == "wait":
                others.start_soon(approve, pipeline.id)
            result = await client.runs.attach(pipeline.id).wait(on_hold=on_hold)
            noticed = anyio.current_time()
            ends = [job.stopped_at for workflow in pipeline.workflows for job in workflow.jobs]
            ended = max(end for end in ends if end is not None)
            late = noticed - (ended - start).total_seconds()
            gets, jobs = (sum(path.endswith(end) for path in transport.paths) for end in (pipeline.id, "/job"))
            waited.append(Waited(late, len(transport.sent), gets, jobs, result.status))

    waited: list[Waited] = []
    run(main, backend, start=start.timestamp(), seed=seed)
    return waited[0]


def most_in_a_second(sent: Sequence[float]) -> int:
    """The most calls that left within a second."""
    window: deque[float] = deque()
    most = 0
    for moment in (round(one, 6) for one in sent):
        window.append(moment)
        while round(window[0] + 1, 6) <= moment:
            window.popleft()
        most = max(most, len(window))
    return most


@dataclass(frozen=True, slots=True)
class Watched:
    """The calls of many watches: the most in any second, and on average. `first` is when the last run had events."""

    most: int
    average: float
    first: float


def watch(runs: int, seconds: float = TEN_MINUTES, backend: str = "asyncio") -> Watched:
    """Watch runs at once that begin together."""
    fake = FakeCircleCI()
    project = fake.add_project(SLUG)
    first: list[float] = []

    async def follow(one: Run) -> None:
        events = aiter(one.watch())
        await anext(events)
        first.append(anyio.current_time())
        async for _ in events:
            pass

    async def main() -> Watched:
        transport = DistantTransport(_Running(fake))
        ids = [project.push(*_plain(seconds)).id for _ in range(runs)]
        async with AsyncCircleCI(fake.token, transport=transport) as client, anyio.create_task_group() as group:
            for identity in ids:
                group.start_soon(follow, client.runs.attach(identity))
        return Watched(most_in_a_second(transport.sent), len(transport.sent) / anyio.current_time(), max(first))

    return run(main, backend, start=fake.clock.now.timestamp())
