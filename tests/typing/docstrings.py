"""The examples in docstrings. Written by `DOCS=write python -m pytest tests/docs/test_docstrings.py`."""

# pyright: reportUnusedVariable=false, reportUnusedFunction=false, reportUnusedClass=false

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from starlette.applications import Starlette

from circleci_sdk import AsyncCircleCI, CircleCI, helpers
from circleci_sdk.limiters import RedisRateLimiter
from circleci_sdk.testing import FakeCircleCI, Job, Step, Workflow
from circleci_sdk.webhooks import Event, JobCompleted, Router, WebhookApp, WorkflowCompleted, follow


async def helpers_history_history(circleci: AsyncCircleCI, last_week: datetime, store: Callable[[str, dict[str, Any]], object]) -> None:
    records = circleci.history.records("gh/acme/web", since=last_week, include={"workflows", "jobs"})
    async for record in records:
        store(record.kind, record.as_dict())
    print(records.cursor, *records.skipped)


async def helpers_logs_logs(circleci: AsyncCircleCI) -> None:
    for log in await circleci.logs.failed("gh/acme/web", 42, tail=50):
        print(log.step.name, log.step.status)
        print(log.text)

    step = (await circleci.logs.steps("gh/acme/web", 42))[-1]
    async with circleci.logs.follow(step) as output:  # until the step ends
        async for text in output:
            print(text, end="")


async def helpers_logs_logs_open(circleci: AsyncCircleCI, step: helpers.Step) -> None:
    async with circleci.logs.open(step) as output:
        async for text in output: ...


async def helpers_logs_logs_follow(circleci: AsyncCircleCI, step: helpers.Step) -> None:
    async with circleci.logs.follow(step) as output:
        async for text in output:
            print(text, end="")


async def helpers_runs_runs(circleci: AsyncCircleCI) -> None:
    run = await circleci.runs.start("gh/acme/web", branch="main", parameters={"deploy": True})
    result = await run.wait(timeout=1800)
    result.raise_for_failure()


async def limiters_redis_redisratelimiter() -> None:
    async with RedisRateLimiter.from_url("redis://localhost:6379/0") as limiter:
        async with AsyncCircleCI(rate_limiter=limiter) as circleci:
            ...


async def sync_logs_open(circleci: CircleCI, step: helpers.Step) -> None:
    with circleci.logs.open(step) as output:
        for text in output: ...


async def sync_logs_follow(circleci: CircleCI, step: helpers.Step) -> None:
    with circleci.logs.follow(step) as output:
        for text in output:
            print(text, end="")


async def testing___init() -> None:
    from circleci_sdk.testing import FakeCircleCI, Job, Workflow

    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))


async def testing__fake_fakecircleci() -> None:
    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))
    async with fake.client() as circleci:
        await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
        fake.clock.advance(120)
        ...


async def testing__misbehave_misbehave(fake: FakeCircleCI) -> None:
    fake.misbehave("v2.workflows.get", drop="stopped_at", rename={"status": "state"})
    fake.misbehave("v2.pipelines.list_workflows", null=["items.*.name"], replace={"items.0.status": "paused"})
    fake.misbehave(probability=0.05, seed=7)


async def testing__store_plans_step() -> None:
    Step("pytest", "collected 2 items\n", writes=[(1.5, "test_a ok\n"), (60, "test_b ok\n")])


async def testing_pytest_plugin(my_bot: Callable[[AsyncCircleCI], Awaitable[object]], my_script: Callable[[CircleCI], object]) -> None:
    async def test_my_bot(fake_circleci: FakeCircleCI, circleci: AsyncCircleCI) -> None:
        fake_circleci.add_project("gh/acme/web")
        await my_bot(circleci)
        assert fake_circleci.requests.of("pipelines.trigger")

    def test_my_script(fake_circleci: FakeCircleCI, circleci_sync: CircleCI) -> None:
        fake_circleci.add_project("gh/acme/web")
        my_script(circleci_sync)
        assert fake_circleci.requests.of("pipelines.trigger")


async def webhooks___init() -> None:
    router = Router()

    @router.on(WorkflowCompleted, branch="main", status="failed")
    async def notify(event: WorkflowCompleted) -> None:
        print(event.workflow.name, "failed:", event.workflow.url)

    app = WebhookApp(router, secret=os.environ["CIRCLECI_WEBHOOK_SECRET"])      # uvicorn my_bot:app


async def webhooks_asgi_webhookapp(router: Router, secret: str) -> None:
    hooks = WebhookApp(router, secret=secret)
    app = Starlette(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)
    app = FastAPI(routes=hooks.routes("/circleci"), lifespan=hooks.lifespan)


async def webhooks_following_follow(circleci: AsyncCircleCI, router: Router) -> None:
    async for event in follow(circleci, "gh/acme/web", webhooks=router):
        match event:
            case WorkflowCompleted():
                print(event.workflow.name, event.workflow.status)
            case JobCompleted():
                print(event.job.name, event.job.status)


async def webhooks_router_router() -> None:
    router = Router()

    @router.on(WorkflowCompleted, project="gh/acme/web", branch="main", status="failed")
    async def notify(event: WorkflowCompleted) -> None:
        ...


async def webhooks_router_handle(event: Event, router: Router) -> None:
    (await router.handle(event)).raise_for_failure()


async def webhooks_store_deliverystore() -> None:
    class RedisStore:
        def __init__(self, redis: Redis) -> None:
            self._redis = redis

        async def claim(self, delivery_id: str, owner: str) -> bool:
            key = f"claim:{delivery_id}"
            if await self._redis.set(key, owner, nx=True, ex=86400):
                return True
            return await self._redis.get(key) in (owner, owner.encode())

        async def release(self, delivery_id: str, owner: str) -> None:
            same = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
            await self._redis.eval(same, 1, f"claim:{delivery_id}", owner)

        async def load(self, delivery_id: str) -> str | bytes | None:
            return await self._redis.get(f"progress:{delivery_id}")

        async def save(self, delivery_id: str, progress: str) -> None:
            await self._redis.set(f"progress:{delivery_id}", progress, ex=86400)
