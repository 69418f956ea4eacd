"""Registration of webhooks is idempotent."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, ConnectionFailedError, InvalidArgumentError, NotFoundError
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.webhooks import new_secret, register, rotate_secret, unregister
from tests.support.clients import client_on
from tests.support.scripted_server import ScriptedServer, reply

URL = "https://bot.example.com/circleci"
SLUG = "gh/acme/web"


def fake_with_project() -> tuple[FakeCircleCI, Any]:
    fake = FakeCircleCI()
    return fake, fake.add_project(SLUG)


async def listed(client: AsyncCircleCI, project: Any) -> list[tuple[str, str, bool, str | None, set[str]]]:
    """The webhooks. Their events are in no order."""
    return [
        (webhook.name, webhook.url, webhook.verify_tls, webhook.signing_secret, set(webhook.events))
        async for webhook in client.v2.webhooks.list(scope_id=project.id)
    ]


def secrets(project: Any) -> list[str]:
    return [webhook.secret for webhook in project.webhooks.values()]


async def test_register_creates_once_and_then_updates() -> None:
    fake, project = fake_with_project()
    async with fake.client() as client:
        made = await register(client, SLUG, url=URL, secret="one")
        assert await listed(client, project) == [
            ("circleci_sdk", URL, True, "****", {"workflow-completed", "job-completed"})
        ]
        again = await register(
            client, project.id, url=URL, secret=SecretStr("two"), name="bot", events=["job-completed"], verify_tls=False
        )
        assert again.id == made.id
        assert await listed(client, project) == [("bot", URL, False, "****", {"job-completed"})]
        assert secrets(project) == ["two"]
        await register(client, SLUG, url=f"{URL}/other", secret="three")
        assert secrets(project) == ["two", "three"]


async def test_of_several_for_one_url_the_oldest_is_kept() -> None:
    fake, project = fake_with_project()
    async with fake.client() as client:
        scope = {"id": project.id, "type": "project"}
        made = []
        for number in range(3):
            made.append(
                await client.v2.webhooks.create(
                    name=f"{number}", events=[], url=URL, verify_tls=True, signing_secret="x", scope=scope
                )
            )
            fake.clock.advance(60)
        registered = await register(client, SLUG, url=URL, secret="one")
        assert registered.id == made[0].id
        assert len(project.webhooks) == 1


async def test_concurrent_registrations_leave_one_webhook() -> None:
    fake, project = fake_with_project()
    ids: set[str] = set()
    async with fake.client() as client:

        async def begin() -> None:
            ids.add((await register(client, SLUG, url=URL, secret="one")).id)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(begin)
        assert len(project.webhooks) == 1
        registered = await register(client, SLUG, url=URL, secret="one")
    assert len(project.webhooks) == 1
    assert registered.id in ids


async def test_a_lost_response_is_looked_up() -> None:
    fake, project = fake_with_project()
    async with fake.client() as client:
        fake.fail_next("v2.webhooks.create", drop="after")
        made = await register(client, SLUG, url=URL, secret="one")
        assert list(project.webhooks) == [made.id]
        fake.fail_next("v2.webhooks.create", drop="before")
        with pytest.raises(ConnectionFailedError) as failure:
            await register(client, SLUG, url=f"{URL}/2", secret="one")
        assert failure.value.request_outcome == "unknown"
        fake.fail_next("v2.webhooks.create", status=403)
        with pytest.raises(Exception, match="403"):
            await register(client, SLUG, url=f"{URL}/2", secret="one")
        assert len(project.webhooks) == 1


async def test_rotate_secret_changes_only_the_secret() -> None:
    fake, project = fake_with_project()
    async with fake.client() as client:
        await register(client, SLUG, url=URL, secret="one", name="bot")
        await rotate_secret(client, SLUG, url=URL, secret="two")
        assert secrets(project) == ["two"]
        assert (await listed(client, project))[0][:3] == ("bot", URL, True)
        with pytest.raises(InvalidArgumentError, match="rotate_secret: url: the project has no webhook for"):
            await rotate_secret(client, SLUG, url=f"{URL}/2", secret="two")


async def test_unregister_is_idempotent() -> None:
    fake, project = fake_with_project()
    async with fake.client() as client:
        await register(client, SLUG, url=URL, secret="one")
        await register(client, SLUG, url=f"{URL}/2", secret="one")
        assert await unregister(client, SLUG, url=URL) is True
        assert await unregister(client, SLUG, url=URL) is False
        assert [webhook.shown["url"] for webhook in project.webhooks.values()] == [f"{URL}/2"]
        fake.fail_next("v2.webhooks.delete", status=404, processed=True)
        assert await unregister(client, SLUG, url=f"{URL}/2") is True
        with pytest.raises(NotFoundError):
            await unregister(client, "gh/acme/none", url=URL)


@pytest.mark.parametrize("secret", ["", SecretStr("")], ids=repr)
async def test_an_empty_secret_is_rejected_before_any_request(secret: Any) -> None:
    fake, _ = fake_with_project()
    async with fake.client() as client:
        for change in (register, rotate_secret):
            with pytest.raises(InvalidArgumentError, match="secret: expected a secret, got an empty one"):
                await change(client, SLUG, url=URL, secret=secret)
    assert not list(fake.requests)


def test_new_secrets_differ() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {43}


async def test_both_spellings_are_sent(server: ScriptedServer) -> None:
    webhook: dict[str, Any] = {
        "id": "1",
        "url": URL,
        "name": "bot",
        "verify_tls": True,
        "signing_secret": "****",
        "created_at": "2025-06-15T15:06:40Z",
        "updated_at": "2025-06-15T15:06:40Z",
        "scope": {"id": "5034460f-c7c4-4c43-9457-de07e2029e7b", "type": "project"},
        "events": ["job-completed"],
    }
    page = {"items": [], "next_page_token": None}
    server.on("GET", "/api/v2/webhook", [reply(json=page), reply(json={**page, "items": [webhook]})])
    server.on("POST", "/api/v2/webhook", reply(201, json=webhook))
    server.on("PUT", "/api/v2/webhook/1", reply(json=webhook))
    async with client_on(server) as client:
        await register(client, webhook["scope"]["id"], url=URL, secret="s")
        server.on("GET", "/api/v2/webhook", reply(json={**page, "items": [webhook]}))
        await rotate_secret(client, webhook["scope"]["id"], url=URL, secret="t")
    bodies = {request.method: json.loads(request.body) for request in server.requests if request.body}
    both = {"verify-tls": True, "verify_tls": True, "signing-secret": "s", "signing_secret": "s"}
    assert both.items() <= bodies["POST"].items()
    assert bodies["PUT"] == {"signing-secret": "t", "signing_secret": "t"}
