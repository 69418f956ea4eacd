"""Fixtures of all suites. Async tests run on asyncio and on trio."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.support.scripted_server import ScriptedServer


def pytest_collection_finish() -> None:
    """Collected tests live until the end: the garbage collections that some tests ask for need not visit them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    backend: str = request.param
    return backend


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server
