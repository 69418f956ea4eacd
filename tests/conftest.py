"""Fixtures of all suites. Async tests run on asyncio and on trio."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.support.clients import sync_clients
from tests.support.faces import FACES, SYNC, runs_through_the_sync_client
from tests.support.scripted_server import ScriptedServer


def pytest_collection_finish() -> None:
    """Collected tests live until the end: the garbage collections that some tests ask for need not visit them."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Some tests run once more through the sync client, on the newest Python: the others have `tests/sync`."""
    if "anyio_backend" in metafunc.fixturenames and runs_through_the_sync_client(metafunc.definition):
        metafunc.definition.add_marker(
            pytest.mark.parametrize(
                "anyio_backend", [*FACES, pytest.param(SYNC, marks=pytest.mark.load)], indirect=True, scope="module"
            ),
            append=False,
        )


@pytest.fixture(scope="module", params=FACES)
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return "asyncio" if backend == SYNC else backend


@pytest.fixture(autouse=True)
def is_sync(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether this run of the test is through the sync client: clients of `client_on` and of fakes are sync ones."""
    callspec = getattr(request.node, "callspec", None)
    if callspec is None or callspec.params.get("anyio_backend") != SYNC:
        yield False
        return
    with sync_clients(request.module):
        yield True


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server
