"""A sample of the mutated responses over sockets, on both event loops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI
from tests.reading.cases import RESPONSES, Case
from tests.reading.entities import CASES, EntityCase
from tests.reading.entities import wrong as wrong_in_entity
from tests.reading.responses import wrong
from tests.support.clients import client_on
from tests.support.mutations import Json, encoded
from tests.support.scripted_server import ScriptedServer, reply

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SAMPLE: Final = RESPONSES[::9]
ENTITIES: Final = CASES[::9]


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, max_retries=0) as client:
        yield client


@pytest.fixture
async def strict(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, max_retries=0, strict=True) as client:
        yield client


@pytest.mark.parametrize("case", SAMPLE, ids=str)
async def test_mutated(client: AsyncCircleCI, strict: AsyncCircleCI, server: ScriptedServer, case: Case) -> None:
    async def read(body: Json, by: AsyncCircleCI = client) -> Any:
        server.otherwise(reply(case.recording.status or 200, body=encoded(body)))
        return await case.call(by)

    before = await read(case.body)
    for mutation in case.sample[:2]:
        found = await wrong(case, before, mutation, read, lambda body: read(body, strict))
        assert not found, f"{case}: {mutation}: {found}"


@pytest.mark.parametrize("case", ENTITIES, ids=str)
async def test_mutated_entities(
    client: AsyncCircleCI, strict: AsyncCircleCI, server: ScriptedServer, case: EntityCase
) -> None:
    async def read(body: Json, by: AsyncCircleCI = client) -> Any:
        server.otherwise(reply(case.status, body=encoded(body)))
        return await case.call(by)

    for body in (case.body, *(mutation.apply(case.body) for mutation in case.sample[:2])):
        found = await wrong_in_entity(case, body, read, lambda body: read(body, strict))
        assert not found, f"{case}: {found}"
