"""Every operation, called over a real socket, satisfies the facts about the API.

Expectations come from the facts and the table of names, never from our own specs: see `tests/support/facts.py`, and
`tests/support/v3_facts.py` for v3.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest

import circleci_sdk.v1
import circleci_sdk.v2
import circleci_sdk.v3
from circleci_sdk import AsyncCircleCI, CircleCI
from tests.support import places, v3_contract, v3_facts
from tests.support.as_async import as_async
from tests.support.calls import TOKEN
from tests.support.contract import check_operation
from tests.support.facts import Operation, operations
from tests.support.scripted_server import ScriptedServer
from tests.support.v3_facts import V3Operation

OPERATIONS: Final = operations(places.facts())
V3_OPERATIONS: Final = v3_facts.operations()


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
async def clients(api: ScriptedServer, anyio_backend: str) -> AsyncIterator[dict[bool, AsyncCircleCI]]:
    """The async client, and the sync one in its form."""
    async with (
        AsyncCircleCI(TOKEN, base_url=api.url, max_retries=0) as client,
        as_async(CircleCI(TOKEN, base_url=api.url, max_retries=0)) as sync,
    ):
        yield {False: client, True: sync}


@pytest.fixture
def client(clients: dict[bool, AsyncCircleCI], is_sync: bool) -> AsyncCircleCI:
    return clients[is_sync]


def test_tables_list_every_operation() -> None:
    tables = {"v1": circleci_sdk.v1.OPERATIONS, "v2": circleci_sdk.v2.OPERATIONS}
    listed = {(version, id, entry.python_name) for version, table in tables.items() for id, entry in table.items()}

    assert listed == {
        (operation.version, operation.id, f"{operation.resource}.{operation.name}") for operation in OPERATIONS
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_contract(client: AsyncCircleCI, api: ScriptedServer, operation: Operation) -> None:
    await check_operation(client, api, operation)


def test_table_of_v3_lists_every_operation() -> None:
    listed = {
        (f"{entry.method} {re.sub('{[a-z_]+}', '{id}', entry.path)}", entry.python_name)
        for entry in circleci_sdk.v3.OPERATIONS.values()
    }

    assert listed == {(operation.id, f"{operation.resource}.{operation.name}") for operation in V3_OPERATIONS}
    assert len(listed) == 97


@pytest.mark.parametrize("operation", V3_OPERATIONS, ids=lambda operation: operation.label)
async def test_contract_of_v3(client: AsyncCircleCI, api: ScriptedServer, operation: V3Operation) -> None:
    await v3_contract.check_operation(client, api, operation)
