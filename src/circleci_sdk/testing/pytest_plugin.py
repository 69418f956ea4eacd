"""Fixtures for tests of programs that use CircleCI. pytest finds them in the installed package.

`fake_circleci` is a new `FakeCircleCI`; `circleci` is a strict client of it, for async tests on asyncio and trio with
the pytest plugin of anyio; `circleci_sync` is one for sync tests; `circleci_server` is the same fake on a port, for
other programs.

    async def test_my_bot(fake_circleci: FakeCircleCI, circleci: AsyncCircleCI) -> None:
        fake_circleci.add_project("gh/acme/web")
        await my_bot(circleci)
        assert fake_circleci.requests.of("pipelines.trigger")

    def test_my_script(fake_circleci: FakeCircleCI, circleci_sync: CircleCI) -> None:
        fake_circleci.add_project("gh/acme/web")
        my_script(circleci_sync)
        assert fake_circleci.requests.of("pipelines.trigger")

`fake_circleci.api_date = date(2027, 2, 1)` shows a bot the API of that day.

`fake_circleci.client(strict=False)` is a client that reads responses as in production, to test with wrong bodies;
`fake_circleci.sync_client` takes the same arguments.

Nothing is imported before a fixture is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.sync.client import CircleCI

    from ._fake import FakeCircleCI
    from ._servers.server import ServedFake


@pytest.fixture
def fake_circleci() -> FakeCircleCI:
    """A new fake for this test, without projects."""
    from ._fake import FakeCircleCI

    return FakeCircleCI()


@pytest.fixture
async def circleci(fake_circleci: FakeCircleCI, anyio_backend: object) -> AsyncIterator[AsyncCircleCI]:
    """A client of `fake_circleci`, in process. Its waits move the clock of the fake and take no time."""
    async with fake_circleci.client() as client:
        yield client


@pytest.fixture
def circleci_sync(fake_circleci: FakeCircleCI) -> Iterator[CircleCI]:
    """A client of `fake_circleci` without `await`, in process. Its waits take no time either."""
    with fake_circleci.sync_client() as client:
        yield client


@pytest.fixture
def circleci_server(fake_circleci: FakeCircleCI) -> Iterator[ServedFake]:
    """`fake_circleci` on a free port; `.base_url` is its address.

    Without the `testing` extra the test fails with `MissingExtraError`: skipped tests would prove nothing unnoticed.
    """
    server = fake_circleci.serve().start()
    try:
        yield server
    finally:
        server.close()
