"""Fixtures: every test with `circleci` runs in process and on a port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from circleci_sdk import AsyncCircleCI, Drift
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
    """A strict client. At its end no response had an unknown field or value either."""
    if request.param == "in process":
        async with fake.client(on_drift=ignore) as client:
            yield client
    else:
        async with (
            fake.serve() as server,
            AsyncCircleCI(
                token=fake.token,
                base_url=server.base_url,
                deployment=fake.deployment,
                strict=True,
                on_drift=ignore,
            ) as client,
        ):
            yield client
    assert client.drift == ()


def ignore(drift: Drift) -> None:
    """With a function, unknown fields and values are looked for."""
