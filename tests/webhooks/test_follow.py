"""`follow` on the fake: each event once and in order, also with lost deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk import AuthenticationError, InvalidArgumentError, NotFoundError, UnknownStr
from circleci_sdk.testing import Approval, FakeCircleCI, Job, Workflow
from circleci_sdk.webhooks import (
    JobCompleted,
    Router,
    WebhookApp,
    WorkflowCompleted,
    branch_of,
    follow,
    parse,
    register,
)
from circleci_sdk.webhooks.following import Follow

SLUG = "gh/acme/web"
PLAN = Workflow("build", Job("lint", 5), Job("test", 20, outcome="failed"), Job("slow", 400))


class Stage:
    """A fake with a project, a receiver in the same process, and a `follow`."""

    def __init__(self, **plan: Any) -> None:
        self.fake = FakeCircleCI()
        self.project = self.fake.add_project(SLUG)
        self.project.will_run(plan.get("runs", PLAN))
        self.router = Router()
        self.app = WebhookApp(self.router, secret="s", shutdown_timeout=5)
        self.client = self.fake.client()

    async def __aenter__(self) -> Stage:
        await self.app.__aenter__()
        await register(self.client, SLUG, url="http://bot/", secret="s")
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.app.__aexit__(*error)
        await self.client.aclose()

    def follow(self, **options: Any) -> Follow:
        chosen: dict[str, Any] = {"webhooks": self.router, **options}
        return follow(self.client, SLUG, **chosen)

    async def deliver(self) -> None:
        """Send the pending deliveries to the router."""
        await self.fake.webhooks.deliver(transport=httpx.ASGITransport(self.app))
        await anyio.wait_all_tasks_blocked()

    def lose(self) -> Sequence[Any]:
        """Drop the pending deliveries."""
        lost = self.fake.webhooks.pending
        self.fake.webhooks._pending.clear()  # pyright: ignore[reportPrivateUsage]  # deliveries that are lost
        return lost

    def calls(self, operation: str) -> int:
        return sum(request.operation == operation for request in self.fake.requests)


def shown(event: Any) -> str:
    assert isinstance(event, JobCompleted | WorkflowCompleted)
    what = event.job if isinstance(event, JobCompleted) else event.workflow
    return f"{what.name} {what.status}"


async def take(events: Follow, count: int) -> list[str]:
    with anyio.fail_after(10):
        return [shown(await anext(events)) for _ in range(count)]


async def nothing_more(events: Follow) -> bool:
    """Whether no event comes while the clock continues."""
    with anyio.move_on_after(0.2):
        await anext(events)
        return False
    return True


async def begin(events: Follow) -> None:
    """Let it read the initial state, which has no events."""
    with anyio.move_on_after(0.05):
        raise AssertionError(shown(await anext(events)))


ALL = ["lint success", "test failed", "slow success", "build failed"]


async def test_polling_alone_returns_all_events() -> None:
    async with Stage() as stage:
        events = stage.follow(webhooks=None, poll=30)
        assert repr(events) == "<Follow of gh/acme/web>"
        stage.project.push()
        assert await take(events, 4) == ALL
        stage.project.push()
        assert await take(events, 4) == ALL
        assert await nothing_more(events)


async def test_deliveries_alone_return_all_events() -> None:
    async with Stage() as stage:
        events = stage.follow(poll=None)
        stage.project.push()
        stage.fake.clock.run_until_idle()
        stage.fake.webhooks.duplicates = 1
        await stage.deliver()
        assert await take(events, 4) == ALL
        assert await nothing_more(events)
        assert stage.calls("v2.pipelines.list_for_project") == 0


async def test_a_polled_event_equals_the_delivery() -> None:
    async with Stage() as stage:
        pushed, polled = stage.follow(poll=None), stage.follow(webhooks=None)
        with anyio.fail_after(10):
            stage.project.push()
            polled_events = [await anext(polled) for _ in range(4)]
            await stage.deliver()
            delivered_events = [await anext(pushed) for _ in range(4)]
    for one, other in zip(polled_events, delivered_events, strict=True):
        mine, theirs = (event.model_dump(mode="json", by_alias=True, exclude_unset=True) for event in (one, other))
        for body in (mine, theirs):
            for only in ("id", "webhook", "happened_at"):
                del body[only]
            commit = body["pipeline"]["vcs"].pop("commit")
            assert commit["subject"] == "Improve things"
            body["workflow"].pop("stopped_at")  # in a job's workflow it depends on the time of the poll
            body["pipeline"].pop("trigger_parameters", None)
            body["pipeline"]["vcs"].pop("tag", None)
        assert mine == theirs
        assert one.webhook.name == "poll"
        assert branch_of(one) == branch_of(other) == "main"


async def test_polling_replaces_missing_deliveries_and_stops_again() -> None:
    async with Stage() as stage:
        events = stage.follow(poll=60)
        stage.project.push()
        assert await take(events, 4) == ALL
        late = stage.lose()
        assert len(late) == 4
        for delivery in late:
            await stage.router.dispatch(parse(delivery.body, delivery.headers, secret="s"))
        stage.project.push()
        stage.fake.clock.run_until_idle()
        before = stage.calls("v2.pipelines.list_for_project")
        await stage.deliver()
        assert await take(events, 4) == ALL
        assert stage.calls("v2.pipelines.list_for_project") == before
        assert await nothing_more(events)


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2), (2, 3), (3,), (0, 3), (1, 1, 3, 0, 3)], ids=str)
async def test_deliveries_in_any_order_and_with_losses(order: tuple[int, ...]) -> None:
    async with Stage() as stage:
        events = stage.follow(poll=None)
        stage.project.push()
        stage.fake.clock.run_until_idle()
        sent = [parse(delivery.body, delivery.headers, secret="s") for delivery in stage.lose()]
        for number in order:
            await stage.router.dispatch(sent[number])
        assert await take(events, 4) == ALL
        assert await nothing_more(events)


async def test_ended_workflows_are_ignored_and_running_ones_are_complete() -> None:
    async with Stage() as stage:
        stage.project.push()
        stage.fake.clock.run_until_idle()
        stage.project.push()
        stage.fake.clock.advance(10)
        stage.lose()
        events = stage.follow(poll=60)
        assert await take(events, 4) == ALL
        assert await nothing_more(events)
        first = stage.fake.webhooks.deliveries[3]
        await stage.router.dispatch(parse(first.body, first.headers, secret="s"))
        assert await take(events, 4) == ALL


async def test_a_rerun_is_a_separate_workflow() -> None:
    async with Stage() as stage:
        events = stage.follow(webhooks=None)
        stage.project.push()
        assert await take(events, 4) == ALL
        await stage.client.v2.workflows.rerun(stage.project.pipelines[0].workflows[0].id)
        assert await take(events, 4) == ALL


async def test_only_some_events_or_one_branch() -> None:
    async with Stage() as stage:
        ends = stage.follow(events=["workflow-completed"])
        jobs = stage.follow(webhooks=None, events=["job-completed"])
        branch = stage.follow(branch="dev")
        for events in (ends, jobs, branch):
            await begin(events)
        stage.project.push(branch="main")
        stage.project.push(branch="dev")
        assert await take(ends, 2) == ["build failed"] * 2
        assert stage.calls("v2.workflows.list_jobs") == 0
        assert len(await take(jobs, 6)) == 6
        assert await take(branch, 4) == ALL
        await stage.deliver()
        for events in (ends, jobs, branch):
            assert await nothing_more(events)


async def test_other_projects_are_ignored() -> None:
    async with Stage() as stage:
        stage.fake.add_project("gh/acme/api")
        await register(stage.client, "gh/acme/api", url="http://bot/", secret="s")
        events = stage.follow(poll=None)
        stage.fake.project("gh/acme/api").push()
        stage.project.push()
        stage.fake.clock.run_until_idle()
        await stage.deliver()
        assert await take(events, 4) == ALL
        assert await nothing_more(events)


async def test_temporary_failures_are_retried_without_loss() -> None:
    async with Stage() as stage:
        quick = stage.client.with_options(max_retries=0)
        events = follow(quick, SLUG, webhooks=stage.router, poll=60)
        stage.fake.fail_next("v2.projects.get", status=503)
        stage.fake.fail_next("v2.pipelines.list_for_project", status=500, times=2)
        stage.project.push()
        stage.fake.fail_next("v2.workflows.list_jobs", drop="before")
        assert await take(events, 4) == ALL
        stage.lose()
        stage.project.push()
        stage.fake.clock.run_until_idle()
        stage.fake.fail_next("v2.workflows.list_jobs", status=429, headers={"Retry-After": "30"}, times=3)
        await stage.deliver()
        assert await take(events, 4) == ALL
        assert await nothing_more(events)


async def test_deliveries_are_returned_in_order_while_the_api_is_unavailable() -> None:
    async with Stage() as stage:
        events = follow(stage.client.with_options(max_retries=0), SLUG, webhooks=stage.router, poll=None)
        stage.project.push()
        stage.fake.clock.run_until_idle()
        await stage.deliver()
        stage.fake.fail_next("v2.workflows.list_jobs", status=503, times=5)
        assert await take(events, 4) == ALL


async def test_other_errors_are_raised_and_iteration_can_continue() -> None:
    async with Stage() as stage:
        events = stage.follow(webhooks=None)
        stage.fake.fail_next("v2.pipelines.list_for_project", status=401)
        stage.project.push()
        with pytest.raises(AuthenticationError):
            await anext(events)
        assert await take(events, 4) == ALL
        missing = follow(stage.client, "gh/acme/none")
        with pytest.raises(NotFoundError):
            await anext(missing)


async def cancelled_after(checkpoints: int, events: Follow) -> str | None:
    """The next event; None after a number of turns of the event loop."""
    got: str | None = None
    async with anyio.create_task_group() as tasks:

        async def stop() -> None:
            for _ in range(checkpoints):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

        tasks.start_soon(stop)
        got = shown(await anext(events))
        tasks.cancel_scope.cancel()
    return got


async def test_cancellation_at_any_await_loses_no_event() -> None:
    async with Stage() as stage:
        events = stage.follow(poll=60)
        await begin(events)
        stage.project.push()
        stage.fake.clock.advance(10)
        await stage.deliver()
        stage.fake.clock.run_until_idle()
        stage.lose()
        got: list[str] = []
        stops = 0
        for checkpoints in range(400):
            event = await cancelled_after(checkpoints, events)
            stops += event is None
            got += [event] if event else []
            if len(got) == 4:
                break
        assert got == ALL
        assert stops > 2


async def test_more_new_pipelines_than_a_page_are_all_read() -> None:
    async with Stage(runs=Workflow("quick", Job("one", 1))) as stage:
        events = stage.follow(webhooks=None, events=["workflow-completed"])
        stage.project.push()
        await take(events, 1)
        for _ in range(65):
            stage.project.push()
        assert len(await take(events, 65)) == 65
        assert await nothing_more(events)


async def test_a_long_pipeline_is_polled_behind_newer_ones() -> None:
    plan = Workflow("release", Job("one", 1), Approval("ok?", requires=["one"]), Job("two", 1, requires=["ok?"]))
    async with Stage(runs=plan) as stage:
        events = stage.follow(webhooks=None)
        old = stage.project.push()
        assert await take(events, 1) == ["one success"]
        for _ in range(45):
            stage.project.push(Workflow("quick", Job("x", 1)))
        assert len(await take(events, 90)) == 90
        workflow = old.workflows[0]
        jobs = [job async for job in stage.client.v2.workflows.list_jobs(workflow.id)]
        (request_id,) = [job.approval_request_id for job in jobs if job.approval_request_id]
        await stage.client.v2.workflows.approve(workflow.id, request_id)
        assert await take(events, 2) == ["two success", "release success"]


async def test_deliveries_dropped_by_a_full_queue_are_polled() -> None:
    async with Stage() as stage:
        events = stage.follow(poll=10_000)
        await begin(events)
        assert events._subscription is not None  # pyright: ignore[reportPrivateUsage]  # it has no public name
        events._subscription._size = 0  # pyright: ignore[reportPrivateUsage]  # a small size, so that it is soon full
        stage.project.push()
        stage.fake.clock.advance(500)
        began = stage.fake.clock.now
        await stage.deliver()
        assert await take(events, 4) == ALL
        assert (stage.fake.clock.now - began).total_seconds() < 5000


async def test_invalid_arguments_are_rejected() -> None:
    async with Stage() as stage:
        odd: Sequence[tuple[dict[str, Any], str]] = (
            ({"webhooks": None, "poll": None}, "expected webhooks or poll"),
            ({"poll": 0}, "poll"),
            ({"poll": -1}, "poll"),
            ({"poll": float("nan")}, "poll"),
            ({"branch": None}, "branch: expected a non-empty str, got None"),
            ({"branch": ""}, "branch"),
            ({"events": []}, "events"),
            ({"events": ["ping"]}, "events"),
            ({"events": [UnknownStr("deploy-completed")]}, "events"),
        )
        for options, part in odd:
            with pytest.raises(InvalidArgumentError, match=part):
                stage.follow(**options)
