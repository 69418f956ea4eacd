"""Responses generated from the spec, for operations without a handler."""

from __future__ import annotations

import pytest

from circleci_sdk import BadRequestError
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.testing._handlers import context, handler_of
from circleci_sdk.v2 import OPERATIONS

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def stateless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the handlers of these operations."""
    handler_of(OPERATIONS["getCurrentUser"])
    for label in ("v2.users.me", "v2.jobs.get", "v2.contexts.list", "v2.groups.create", "v2.webhooks.create"):
        monkeypatch.delitem(context.HANDLERS, label)


async def test_generated_responses(fake: FakeCircleCI, anyio_backend: str) -> None:
    async with fake.client() as circleci:
        assert (await circleci.v2.users.me()).id != UUID
        job = await circleci.v2.jobs.get("gh/acme/web", 7)
        assert (job.status, job.created_at) == ("success", fake.clock.now)
        assert (await circleci.v2.contexts.list(owner_id=UUID)).items == []
        group = await circleci.v2.groups.create(UUID, name="team")  # values of the request are returned
        assert group.name == "team"
        with pytest.raises(BadRequestError, match="signing-secret"):  # requests are validated too
            await circleci.request(
                "POST",
                "/api/v2/webhook",
                json={
                    "name": "x",
                    "events": [],
                    "url": "",
                    "verify-tls": True,
                    "scope": {"id": UUID, "type": "project"},
                },
            )
