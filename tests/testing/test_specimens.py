"""Operations that the fake keeps no state for, as new ones of the spec will be, response with what the spec says."""

from __future__ import annotations

import pytest

from circleci_sdk import BadRequestError
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.testing._handlers import context as ctx
from circleci_sdk.testing._handlers import response_to
from circleci_sdk.v2 import OPERATIONS

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def stateless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nobody had written anything for these operations."""
    response_to(OPERATIONS["getCurrentUser"])
    for label in ("v2.users.me", "v2.jobs.get", "v2.contexts.list", "v2.groups.create", "v2.webhooks.create"):
        monkeypatch.delitem(ctx.RESPONSES, label)


async def test_specimens(fake: FakeCircleCI, anyio_backend: str) -> None:
    async with fake.client() as circleci:
        assert (await circleci.v2.users.me()).id != UUID
        job = await circleci.v2.jobs.get("gh/acme/web", 7)
        assert (job.status, job.created_at) == ("success", fake.clock.now)
        assert (await circleci.v2.contexts.list(owner_id=UUID)).items == []
        group = await circleci.v2.groups.create(UUID, name="team")  # what was sent comes back
        assert group.name == "team"
        with pytest.raises(BadRequestError, match="signing-secret"):  # requests are judged all the same
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
