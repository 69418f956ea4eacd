"""Outbound webhooks: signed deliveries of ended runs, retries and duplicates."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, Workflow
from tests.support.scripted_server import ScriptedServer, reply

SECRET = "hunter123"


class Receiver:
    """An ASGI application that keeps the deliveries, and responds with the next status of a list."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.messages: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        self.messages.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def register(
    fake: FakeCircleCI, web: FakeProject, url: str = "http://bot.example/hook", secret: str = SECRET
) -> None:
    async with fake.client() as circleci:
        await circleci.v2.webhooks.create(
            name="hook",
            events=["workflow-completed", "job-completed"],
            url=url,
            verify_tls=True,
            signing_secret=secret,
            scope={"id": web.id, "type": "project"},
        )


async def test_ended_runs_are_delivered_and_signed(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    await register(fake, web)
    pipeline = web.push(Workflow("build", Job("test", 30, outcome="timedout"), Approval("ok?")))
    fake.clock.advance(10)
    assert fake.webhooks.pending == ()
    fake.clock.advance(30)
    assert [delivery.event for delivery in fake.webhooks.pending] == ["job-completed"]  # the approval still waits
    workflow = pipeline.workflow("build")
    async with fake.client() as circleci:
        await circleci.v2.workflows.approve(workflow.id, workflow.job("ok?").id)
    fake.clock.advance(2)
    receiver = Receiver()
    sent = await fake.webhooks.deliver(receiver)
    assert [delivery.event for delivery in sent] == ["job-completed", "workflow-completed"]
    assert all(delivery.delivered for delivery in sent)
    [(headers, body), (_, last)] = receiver.messages
    assert headers["user-agent"] == "CircleCI-Webhook/1.0"
    assert headers["circleci-event-type"] == "job-completed"
    from circleci_sdk.webhooks import verify

    verify(body, headers, SECRET)
    event = json.loads(body)
    assert event["job"]["status"] == "failed"
    assert event["job"]["number"] == 1
    assert event["project"]["slug"] == "github/acme/web"
    assert event["pipeline"]["number"] == pipeline.number
    assert "status" not in event["workflow"]
    assert json.loads(last)["workflow"]["status"] == "failed"


async def test_failed_deliveries_are_retried(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    await register(fake, web, secret="")
    fake.webhooks.retries = 2
    web.push(Workflow("build", Approval("ok?")))
    web.push(Workflow("build", Job("test", 5)))
    fake.clock.advance(5)
    receiver = Receiver(500, 200, 503, 500)
    assert len(await fake.webhooks.deliver(receiver)) == 2
    assert await fake.webhooks.deliver(receiver) == []
    fake.clock.advance(60)
    assert len(await fake.webhooks.deliver(receiver)) == 1
    fake.clock.advance(60)
    assert len(await fake.webhooks.deliver(receiver)) == 1
    fake.clock.advance(600)
    assert await fake.webhooks.deliver(receiver) == []
    job, workflow = fake.webhooks.deliveries
    assert (job.attempts, workflow.attempts) == ([500, 503, 500], [200])
    assert job.delivered is False
    assert "circleci-signature" not in job.headers
    assert receiver.messages[0][1] == receiver.messages[2][1]  # the same id and signature each time


async def test_duplicates_and_pings(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    await register(fake, web)
    fake.webhooks.duplicates = 1
    receiver = Receiver()
    ping = fake.webhooks.ping("hook")
    await fake.webhooks.deliver(receiver)
    assert [json.loads(body)["id"] for _, body in receiver.messages] == [ping.id, ping.id]
    assert set(ping.json) == {"id", "type", "happened_at", "webhook"}
    with pytest.raises(LookupError):
        fake.webhooks.ping("none")


async def test_a_served_fake_sends_deliveries_by_itself(
    fake: FakeCircleCI, web: FakeProject, server: ScriptedServer, anyio_backend: str
) -> None:
    server.otherwise(reply(204))
    await register(fake, web, server.url)
    with fake.serve():
        web.push(Workflow("build", Job("test", 5)))
        fake.clock.advance(5)
        messages = await server.seen(2)
    assert [message.json["type"] for message in messages] == ["job-completed", "workflow-completed"]


@pytest.mark.parametrize("name", ["retries", "duplicates"])
def test_numbers_of_attempts_and_copies_are_checked(name: str) -> None:
    webhooks = FakeCircleCI().webhooks
    before = webhooks.retries, webhooks.duplicates
    wrong: tuple[object, ...] = (True, -1, 2.5, "3", None, 10**5000)
    for value in wrong:
        with pytest.raises(InvalidArgumentError, match=f"webhooks: {name}: expected an int "):
            setattr(webhooks, name, value)
    assert (webhooks.retries, webhooks.duplicates) == before
