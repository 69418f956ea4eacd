"""After each test nothing of the sync clients is left."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from circleci_sdk._engine.engine import ENGINE
from tests.support.sync_clients import until_the_engine_ends


@pytest.fixture(autouse=True)
def engine_ends() -> Iterator[None]:
    """No client of another test runs, and none of this one stays."""
    assert ENGINE.loop is None
    yield
    gc.collect()
    until_the_engine_ends()
    assert ENGINE.loop is None
    assert not ENGINE.users
