"""After each test nothing of the sync clients is left; Ctrl-C is raised in all of them."""

from __future__ import annotations

import gc
import signal
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


@pytest.fixture(autouse=True)
def interrupts_are_raised() -> Iterator[None]:
    """Also where the tests were started with Ctrl-C ignored, as a shell does for commands in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
