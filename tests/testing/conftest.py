"""Fixtures: every test with `circleci` runs in process and on a port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI, FakeProject
from tests.testing.raw import Raw


@pytest.fixture
def fake() -> FakeCircleCI:
    return FakeCircleCI()


@pytest.fixture
def web(fake: FakeCircleCI) -> FakeProject:
    return fake.add_project("gh/acme/web")


@pytest.fixture
def raw(fake: FakeCircleCI) -> Raw:
    return Raw(fake)


@pytest.fixture(params=["in process", "over a port"])
async def circleci(
    fake: FakeCircleCI, request: pytest.FixtureRequest, anyio_backend: str
) -> AsyncIterator[AsyncCircleCI]:
    if request.param == "in process":
        async with fake.client() as client:
            yield client
        return
    async with fake.serve() as server, AsyncCircleCI(token=fake.token, base_url=server.base_url) as client:
        yield client
