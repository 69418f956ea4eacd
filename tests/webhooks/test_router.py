"""`Router`: filters, handlers, failures, deduplication."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import weakref
from functools import partial
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import pytest

from circleci_sdk import UNSET, InvalidArgumentError, ProjectSlug, UnknownStr
from circleci_sdk.v1.models import Build
from circleci_sdk.webhooks import (
    HandleResult,
    HandlerFailure,
    JobCompleted,
    MemoryStore,
    Ping,
    Router,
    UnknownEvent,
    WorkflowCompleted,
    parse,
)
from circleci_sdk.webhooks.filters import Filter
from circleci_sdk.webhooks.handling import Progress
from tests.webhooks import deliveries
from tests.webhooks.test_parse import BUILD


def read(body: object) -> Any:
    return parse(json.dumps(body).encode(), secret=None)


WEB = deliveries.workflow()
APP = deliveries.workflow(project=deliveries.project("circleci/A1b/C2d"))
TAG = deliveries.workflow(pipeline=deliveries.pipeline(vcs={"tag": "v1", "branch": None}))
RELEASE = deliveries.workflow(pipeline=deliveries.from_trigger(branch="release/1.2"))
NEW = {"type": "deploy-completed", "project": {"slug": "gh/acme/web"}}


@pytest.mark.parametrize(
    ("kind", "conditions", "body", "admitted"),
    [
        (WorkflowCompleted, {}, WEB, True),
        (JobCompleted, {}, WEB, False),
        (Ping, {}, deliveries.ping(), True),
        (UnknownEvent, {}, NEW, True),
        (WorkflowCompleted, {}, NEW, False),
        (Build, {}, {"payload": BUILD}, True),
        (Build, {}, {"payload": {**BUILD, "steps": []}}, True),
        (Build, {"project": "gh/acme/web", "branch": "main", "status": "failed"}, {"payload": BUILD}, True),
        (Build, {"status": "fixed"}, {"payload": BUILD}, False),
        (WorkflowCompleted, {"status": "failed"}, WEB, True),
        (WorkflowCompleted, {"status": "success"}, WEB, False),
        (WorkflowCompleted, {"status": ("error", "failed")}, WEB, True),
        (WorkflowCompleted, {"status": ["error"]}, WEB, False),
        (WorkflowCompleted, {"status": UnknownStr("on_fire")}, deliveries.workflow(status="on_fire"), True),
        (JobCompleted, {"status": "failed"}, deliveries.job(), True),
        (JobCompleted, {"status": "failed"}, deliveries.job(workflow=None), True),
        (JobCompleted, {"status": "failed"}, deliveries.job(status="success"), False),
        (WorkflowCompleted, {"branch": "main"}, WEB, True),
        (WorkflowCompleted, {"branch": "mai"}, WEB, False),
        (WorkflowCompleted, {"branch": "main"}, TAG, False),
        (WorkflowCompleted, {"branch": "*"}, TAG, False),
        (WorkflowCompleted, {"branch": "release/*"}, RELEASE, True),
        (WorkflowCompleted, {"branch": "Release/*"}, RELEASE, False),
        (WorkflowCompleted, {"branch": ("main", "release/*")}, RELEASE, True),
        (WorkflowCompleted, {"project": "gh/acme/web"}, WEB, True),
        (WorkflowCompleted, {"project": "github/Acme/Web"}, WEB, True),
        (WorkflowCompleted, {"project": "https://app.circleci.com/pipelines/github/acme/web"}, WEB, True),
        (WorkflowCompleted, {"project": ProjectSlug("gh", "acme", "web")}, WEB, True),
        (WorkflowCompleted, {"project": deliveries.PROJECT_ID.upper()}, WEB, True),
        (WorkflowCompleted, {"project": UUID(deliveries.PROJECT_ID)}, WEB, True),
        (WorkflowCompleted, {"project": [UUID(int=1), ProjectSlug("gh", "acme", "api")]}, WEB, False),
        (WorkflowCompleted, {"project": "gh/acme/api"}, WEB, False),
        (WorkflowCompleted, {"project": "bb/acme/web"}, WEB, False),
        (WorkflowCompleted, {"project": ("gh/acme/api", "gh/acme/web")}, WEB, True),
        (WorkflowCompleted, {"project": "circleci/A1b/C2d"}, APP, True),
        (WorkflowCompleted, {"project": "circleci/a1b/c2d"}, APP, False),
        (WorkflowCompleted, {"project": "gh/acme/web", "branch": "main", "status": "failed"}, WEB, True),
        (WorkflowCompleted, {"project": "gh/acme/web", "branch": "main", "status": "success"}, WEB, False),
        (WorkflowCompleted, {"project": "gh/acme/web", "branch": "dev", "status": "failed"}, WEB, False),
        # An unavailable field meets no condition, and needs none.
        (WorkflowCompleted, {}, {**WEB, "project": None, "workflow": 5, "pipeline": []}, True),
        (WorkflowCompleted, {"status": ["failed", "success"]}, {**WEB, "workflow": {"name": "x"}}, False),
        (WorkflowCompleted, {"branch": "*"}, {**WEB, "pipeline": {**WEB["pipeline"], "vcs": "main"}}, False),
        (WorkflowCompleted, {"project": "gh/acme/web"}, {**WEB, "project": {"id": deliveries.PROJECT_ID}}, False),
        (
            WorkflowCompleted,
            {"project": deliveries.PROJECT_ID},
            {**WEB, "project": {"id": deliveries.PROJECT_ID}},
            True,
        ),
        (WorkflowCompleted, {"project": "gh/acme/web"}, {**WEB, "project": {"id": 5, "slug": "gh/acme/web"}}, True),
        (Build, {"project": "gh/acme/web"}, {"payload": {**BUILD, "vcs_url": None}}, False),
        (Build, {"branch": "main"}, {"payload": {**BUILD, "vcs_url": None}}, True),
    ],
)
def test_filters(kind: Any, conditions: dict[str, Any], body: object, admitted: bool) -> None:
    every: dict[str, Any] = {"project": UNSET, "branch": UNSET, "status": UNSET, **conditions}
    assert Filter.of(kind, **every).accepts(read(body)) is admitted


@pytest.mark.parametrize(
    ("kind", "conditions", "part"),
    [
        (Ping, {"status": "failed"}, "Ping has no project, branch or status"),
        (UnknownEvent, {"branch": "main"}, "UnknownEvent has no"),
        (dict, {}, "expected a class of events"),
        ("ping", {}, "expected a class of events"),
        (WorkflowCompleted, {"status": "filed"}, "for WorkflowCompleted, got 'filed'"),
        (JobCompleted, {"status": "error"}, "for JobCompleted, got 'error'"),
        (WorkflowCompleted, {"status": ()}, "status: expected a string or several"),
        (WorkflowCompleted, {"branch": ""}, "branch: expected a string or several"),
        (WorkflowCompleted, {"branch": []}, "branch: expected a string or several"),
        (WorkflowCompleted, {"project": "web"}, "expected a slug such as gh/acme/web"),
        (WorkflowCompleted, {"project": ()}, "project: expected a project or several"),
        (WorkflowCompleted, {"project": None}, "project: expected .*, got None. Leave it out"),
        (WorkflowCompleted, {"branch": None}, "branch: expected .*, got None. Leave it out"),
        (JobCompleted, {"status": None}, "status: expected .*, got None. Leave it out"),
    ],
)
def test_filters_that_never_match_are_rejected(kind: Any, conditions: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidArgumentError, match=part):
        Router().on(kind, **conditions)


def test_handlers_are_async_functions() -> None:
    class Bot:
        async def __call__(self, event: Ping) -> None: ...

        async def hear(self, event: Ping, *, more: int = 0) -> None: ...

    router = Router()
    for handler in (Bot(), Bot().hear, partial(Bot().hear, more=1)):
        assert router.on(Ping)(handler) is handler
    with pytest.raises(InvalidArgumentError, match=r"handler: expected an async function, got .*<lambda>\."):
        router.on(Ping)(lambda event: None)  # type: ignore[arg-type, return-value]  # what is refused
    assert repr(router) == "<Router of 3 handlers>"


async def test_handlers_of_one_event_run_concurrently() -> None:
    router, received, met = Router(), list[str](), anyio.Event()

    @router.on(WorkflowCompleted)
    async def waits(event: WorkflowCompleted) -> None:
        await met.wait()
        received.append("waits")

    @router.on(WorkflowCompleted, status="failed")
    async def wakes(event: WorkflowCompleted) -> None:
        met.set()
        received.append(f"wakes {event.workflow.status}")

    @router.on(JobCompleted)
    async def never(event: JobCompleted) -> None:
        raise AssertionError

    with anyio.fail_after(5):
        assert await router.handle(read(WEB)) == HandleResult("handled")
        assert await router.handle(read(WEB)) == HandleResult("duplicate")
        assert await router.handle(read(deliveries.ping(2))) == HandleResult("handled")
    assert sorted(received) == ["waits", "wakes failed"]


async def test_a_failing_handler_affects_no_other() -> None:
    failures, received = list[HandlerFailure](), list[str]()

    async def note(failure: HandlerFailure) -> None:
        failures.append(failure)
        raise LookupError("the reporter fails too")

    router = Router(on_error=note)

    @router.on(Ping)
    async def fails(event: Ping) -> None:
        raise RuntimeError("oh")

    @router.on(Ping)
    async def fails_in_a_group(event: Ping) -> None:
        raise ExceptionGroup("all", [ValueError("one")])

    @router.on(Ping)
    async def receives(event: Ping) -> None:
        await anyio.lowlevel.checkpoint()
        received.append(event.id)

    await router.dispatch(read(deliveries.ping(1)))
    await router.dispatch(read(deliveries.ping(2)))
    assert received == [deliveries.uuid(1), deliveries.uuid(2)]
    assert sorted(type(failure.error).__name__ for failure in failures[:2]) == ["ExceptionGroup", "RuntimeError"]
    assert {failure.handler for failure in failures} == {fails, fails_in_a_group}
    assert not any(failure.cancelled for failure in failures)
    assert f"fails raised RuntimeError on Ping {deliveries.uuid(1)}" in str(failures[0]) + str(failures[1])


async def test_a_claim_before_the_handlers() -> None:
    router = Router()
    received: list[str] = []

    @router.on(Ping)
    async def handle(event: Ping) -> None:
        received.append(event.id)

    event = read(deliveries.ping(1))
    for is_new in (True, False):
        assert await router.claim(event) is is_new
    await router.release(event)
    assert await router.claim(event)
    assert await router.handle_claimed(event) == HandleResult("handled")
    assert not await router.claim(event)
    assert received == [deliveries.uuid(1)]


async def test_a_claim_is_released_if_its_progress_cannot_be_loaded() -> None:
    class Broken(MemoryStore):
        broken = False

        async def load(self, delivery_id: str) -> str | None:
            if self.broken:
                raise ConnectionError("no store")
            return await super().load(delivery_id)

    store = Broken()
    router = Router(store=store)
    event = read(deliveries.ping(1))
    assert await router.claim(event)
    store.broken = True
    with pytest.raises(ConnectionError):
        await router.handle_claimed(event)
    with pytest.raises(ConnectionError):
        await router.claim(event)
    store.broken = False
    assert await router.claim(event)


async def test_an_interruption_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Not even if the store fails, too: it is raised."""

    class Broken(MemoryStore):
        async def save(self, delivery_id: str, progress: str) -> None:
            raise ConnectionError("no store")

    failures: list[HandlerFailure] = []

    async def on_error(failure: HandlerFailure) -> None:
        failures.append(failure)

    router = Router(store=Broken(), on_error=on_error)

    @router.on(Ping)
    async def interrupted(event: Ping) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await router.handle(read(deliveries.ping(1)))
    assert not failures
    assert "the store failed; a delivery stays claimed" in caplog.text


async def test_an_interruption_in_on_error_passes() -> None:
    async def on_error(failure: HandlerFailure) -> None:
        raise KeyboardInterrupt

    router = Router(on_error=on_error)

    @router.on(Ping)
    async def fails(event: Ping) -> None:
        raise RuntimeError

    with pytest.raises(KeyboardInterrupt):
        await router.dispatch(read(deliveries.ping(1)))


async def test_without_on_error_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    router = Router()

    @router.on(Ping)
    async def fails(event: Ping) -> None:
        raise RuntimeError("oh")

    with caplog.at_level(logging.ERROR, "circleci_sdk"):
        await router.dispatch(read(deliveries.ping()))
    (record,) = caplog.records
    assert "raised RuntimeError on Ping" in record.getMessage()
    assert record.exc_info
    assert str(record.exc_info[1]) == "oh"


async def test_a_cancelled_handler_is_reported_and_stays_cancelled() -> None:
    failures = list[HandlerFailure]()

    async def note(failure: HandlerFailure) -> None:
        await anyio.lowlevel.checkpoint()
        failures.append(failure)

    router, begun = Router(on_error=note), anyio.Event()

    @router.on(Ping)
    async def waits(event: Ping) -> None:
        begun.set()
        await anyio.sleep_forever()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(router.dispatch, read(deliveries.ping()))
            await begun.wait()
            tasks.cancel_scope.cancel()
    (failure,) = failures
    assert (failure.cancelled, failure.handler) == (True, waits)
    assert "waits was cancelled on Ping" in str(failure)


async def test_the_memory_store_is_bounded() -> None:
    store = MemoryStore(3)
    assert [await store.claim(name) for name in "abcabcd"] == [True, True, True, False, False, False, True]
    assert [await store.claim(name) for name in "ba"] == [False, True]
    assert len(store) == 3
    assert repr(store) == "<MemoryStore of 3 ids, at most 3>"
    await store.release("d")
    await store.release("d")
    assert await store.claim("d") is True
    for size in (0, -1, True, 1.5):
        with pytest.raises(InvalidArgumentError, match="size"):
            MemoryStore(size)  # type: ignore[arg-type]  # what is refused


async def test_a_custom_store() -> None:
    class Never(MemoryStore):
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[str] = []

        async def claim(self, delivery_id: str, owner: str = "") -> bool:
            self.asked.append(delivery_id)
            return False

        async def release(self, delivery_id: str, owner: str = "") -> None:
            self.asked.append(f"-{delivery_id}")

        async def load(self, delivery_id: str) -> str:
            return Progress().saved(confirmed=True)

    store = Never()
    router = Router(store=store)
    event = read(deliveries.ping())
    assert (await router.handle(event)).status == "duplicate"
    await router.release(event)
    assert store.asked == [event.id]  # this router holds no claim of it


async def test_a_subscription_gets_all_events_and_ends_with_its_reader() -> None:
    router = Router()
    subscribe, small = router.subscribe(), router.subscribe(1)
    await router.dispatch(read(deliveries.ping(1)))
    await router.dispatch(read(WEB))
    first, second, third = subscribe.take(), subscribe.take(), subscribe.take()
    assert isinstance(first, Ping)
    assert isinstance(second, WorkflowCompleted)
    assert third is None
    assert (type(small.take()), small.take(), small.lost) == (Ping, None, 1)
    held = [weakref.ref(subscribe), weakref.ref(small)]
    del subscribe, small
    gc.collect()
    assert [one() for one in held] == [None, None]


@pytest.mark.parametrize("other", ["asyncio", "trio"])
async def test_a_subscription_gets_the_events_of_another_thread(other: str, anyio_backend_name: str) -> None:
    if anyio_backend_name == "asyncio":
        asyncio.get_running_loop().set_debug(True)  # refuses to be woken in a way that is unsafe
    router = Router()
    subscription = router.subscribe()

    async def deliver() -> None:
        await router.dispatch(read(deliveries.ping()))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(subscription.filled)
            await anyio.wait_all_tasks_blocked()
            await anyio.to_thread.run_sync(partial(anyio.run, deliver, backend=other))
    assert isinstance(subscription.take(), Ping)
