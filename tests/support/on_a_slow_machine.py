"""A pytest plugin that delays all asyncio event loops at random, like an overloaded machine.

    python -m pytest -p tests.support.on_a_slow_machine

A test that advances a clock, counts requests or continues before network I/O has completed may pass on a fast
machine; here it fails in some runs. The delays differ each time.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections.abc import Iterable
from typing import Any, Final
from unittest.mock import patch

from tests.support import scripted_server

PAUSE: Final = 0.02
DELAY: Final = 0.1
"""The longest delay of a loop and of a response, in seconds. Half of them have no delay."""

_chance = random.Random()
"""Its own: hypothesis warns of draws from the shared one, also by other threads."""
_select = selectors.DefaultSelector.select
_play = scripted_server._play


def _some(longest: float) -> float:
    return _chance.choice((0, _chance.uniform(0, longest)))


def _select_slowly(self: selectors.BaseSelector, timeout: float | None = None) -> list[Any]:
    """Delays loops, including those of servers in other threads: the order of events is random."""
    events = _select(self, timeout)
    if events:
        time.sleep(_some(PAUSE))
    return events


async def _play_slowly(steps: Iterable[scripted_server.Step], writer: asyncio.StreamWriter) -> None:
    """Delays responses: on two connections they arrive in any order."""
    await _play(steps, writer)
    await asyncio.sleep(_some(DELAY))


patch.object(selectors.DefaultSelector, "select", _select_slowly).start()
patch.object(scripted_server, "_play", _play_slowly).start()
