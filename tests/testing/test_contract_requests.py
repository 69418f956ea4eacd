"""The fake accepts every request of the SDK's wire contract, in process and on a port.

The contract comes from the facts about the API: each operation with all its arguments, with the required ones only,
with each variant of its body. The named items do not exist, so that most responses are errors. The test compares the
operation and the decoded arguments.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, StatusError
from circleci_sdk.testing import FakeCircleCI
from tests.support import places
from tests.support.calls import calls
from tests.support.facts import Operation, operations

OPERATIONS: Final = operations(places.facts())
KNOWN: Final = {"v2.policies.list_decisions": "Parameter 'project_id' must be a UUID."}
"""Expected rejections: the spec restricts a parameter more than the facts do."""


@pytest.fixture(scope="module")
def served() -> FakeCircleCI:
    return FakeCircleCI()


@pytest.fixture(scope="module", params=["in process", "over a port"])
async def client(
    served: FakeCircleCI, request: pytest.FixtureRequest, anyio_backend: str
) -> AsyncIterator[AsyncCircleCI]:
    if request.param == "in process":
        async with served.client(max_retries=0) as client:
            yield client
        return
    async with (
        served.serve() as server,
        AsyncCircleCI(served.token, base_url=server.base_url, max_retries=0, strict=True) as client,
    ):
        yield client


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_requests(client: AsyncCircleCI, served: FakeCircleCI, operation: Operation) -> None:
    models = importlib.import_module(f"circleci_sdk.{operation.version}.models")

    def make_model(name: str, values: Mapping[str, Any]) -> object:
        return getattr(models, name)(**values)

    method = getattr(getattr(getattr(client, operation.version), operation.resource), operation.name)
    for call in calls(operation, make_model):
        served.requests.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            status, message = 200, ""
            try:
                response = method(*call.positional, **call.keywords)
                await response
            except StatusError as error:
                status, message = error.status, error.message
        [request] = served.requests
        assert request.operation == operation.label
        assert (request.status, status < 500) == (status, True)
        given = inspect.signature(method).bind(*call.positional, **call.keywords).arguments
        assert set(given) <= set(request.args) or message == KNOWN.get(operation.label), message
