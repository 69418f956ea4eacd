"""Thousands of concurrent deliveries, with duplicates and forgeries: every valid one is handled exactly once.

`WEBHOOK_LOAD` sets the number of valid ones; with `-s` the rates are printed.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk.webhooks import HandlerFailure, JobCompleted, Router, WebhookApp, WorkflowCompleted
from tests.webhooks import deliveries
from tests.webhooks.deliveries import SECRET, headers, post, raw
from tests.webhooks.test_asgi import served

pytestmark = pytest.mark.load

COUNT = int(os.environ.get("WEBHOOK_LOAD", "3000"))
OVER_SOCKETS = COUNT // 5
"""Fewer, since the HTTP client of the test takes the most time."""


def storm(count: int) -> list[tuple[bytes, dict[str, str], bool]]:
    """Bodies, headers and whether they are valid, in a reproducible order."""
    chance = random.Random(5)
    sent: list[tuple[bytes, dict[str, str], bool]] = []
    for number in range(count):
        make = deliveries.workflow if number % 2 else deliveries.job
        content = raw(make(number))
        sent += [(content, headers(content), True)] * chance.choice([1, 1, 1, 2, 3])
        forged = raw(make(count + number))
        match number % 5:
            case 0:
                sent.append((forged, headers(forged, "guessed"), False))
            case 1:
                sent.append((forged, headers(content), False))
            case 2:
                sent.append((content + b" ", headers(content), False))
            case 3:
                sent.append((forged, {"circleci-signature": f"v2={'0' * 64}"}, False))
            case _:
                sent.append((forged, {}, False))
    chance.shuffle(sent)
    return sent


class Receiver:
    """A router that counts events, with a handler that fails for some."""

    def __init__(self) -> None:
        self.handled: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.router = Router(on_error=self.note)
        self.router.on(WorkflowCompleted)(self.count)
        self.router.on(JobCompleted)(self.count)
        self.router.on(JobCompleted)(self.fail)

    async def count(self, event: Any) -> None:
        await anyio.lowlevel.checkpoint()
        self.handled[event.id] += 1

    async def fail(self, event: JobCompleted) -> None:
        raise RuntimeError("affects no other handler")

    async def note(self, failure: HandlerFailure) -> None:
        self.failed[failure.event.id] += 1  # type: ignore[union-attr]  # every event here has an id

    def check(
        self, count: int, responses: Counter[tuple[bool, int]], sent: list[tuple[bytes, dict[str, str], bool]]
    ) -> None:
        good = sum(is_good for *_, is_good in sent)
        assert responses == {(True, 200): good, (False, 401): len(sent) - good}
        assert self.handled == {deliveries.uuid(number): 1 for number in range(count)}
        # A duplicate that comes after a failure runs the failed handler again, and only this one.
        assert self.failed.keys() == {deliveries.uuid(number) for number in range(0, count, 2)}
        copies = Counter(content for content, _, is_good in sent if is_good)
        for content, number in copies.items():
            assert self.failed[json.loads(content)["id"]] <= min(number, 3)


def report(how: str, count: int, sent: int, seconds: float, slowest: float) -> None:
    print(f"\n{how}: {count} good, {sent} sent, {sent / seconds:,.0f}/s, slowest response {slowest * 1000:.0f} ms")


async def storm_against(
    send: Any, sent: list[tuple[bytes, dict[str, str], bool]], senders: int
) -> tuple[Counter[tuple[bool, int]], float]:
    responses: Counter[tuple[bool, int]] = Counter()
    slowest = 0.0
    queue = iter(sent)

    async def sender() -> None:
        nonlocal slowest
        for content, given, good in queue:
            began = time.perf_counter()
            responses[good, await send(content, given)] += 1
            slowest = max(slowest, time.perf_counter() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(senders):
            tasks.start_soon(sender)
    return responses, slowest


async def test_in_process(anyio_backend_name: str) -> None:
    receiver, sent = Receiver(), storm(COUNT)
    app = WebhookApp(receiver.router, secret=SECRET, max_running=100_000)

    async def send(content: bytes, given: dict[str, str]) -> int:
        return (await post(app, content, given)).status

    began = time.perf_counter()
    with anyio.fail_after(60):
        async with app:
            responses, slowest = await storm_against(send, sent, 200)
    report(f"in process, {anyio_backend_name}", COUNT, len(sent), time.perf_counter() - began, slowest)
    receiver.check(COUNT, responses, sent)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_over_sockets() -> None:
    receiver, sent = Receiver(), storm(OVER_SOCKETS)
    app = WebhookApp(receiver.router, secret=SECRET)

    with anyio.fail_after(120):
        async with (
            served(app) as url,
            httpx.AsyncClient(base_url=url, limits=httpx.Limits(max_connections=20)) as client,
        ):

            async def send(content: bytes, given: dict[str, str]) -> int:
                return (await client.post("/", content=content, headers=given)).status_code

            began = time.perf_counter()
            responses, slowest = await storm_against(send, sent, 20)
            took = time.perf_counter() - began
    report("over sockets, uvicorn", OVER_SOCKETS, len(sent), took, slowest)
    receiver.check(OVER_SOCKETS, responses, sent)


def test_the_load_contains_duplicates_and_forgeries() -> None:
    sent = storm(COUNT)
    good = Counter(json.loads(content)["id"] for content, _, is_good in sent if is_good)
    assert len(good) == COUNT
    assert set(good.values()) == {1, 2, 3}
    assert sum(not is_good for *_, is_good in sent) == COUNT
