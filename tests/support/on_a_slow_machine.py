"""A pytest plugin: all loops of asyncio are held up at random, as on a machine that has no time for them.

    python -m pytest -p tests.support.on_a_slow_machine

A test that turns a clock, counts requests or goes on before the network has done its part passes on a fast machine
and fails here, in one run or the next: the pauses are different each time.
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
"""The longest pause of a loop, and the longest delay of a response, in seconds. Every second one comes at once."""

_select = selectors.DefaultSelector.select
_play = scripted_server._play


def _some(longest: float) -> float:
    return random.choice((0, random.uniform(0, longest)))


def _select_slowly(self: selectors.BaseSelector, timeout: float | None = None) -> list[Any]:
    """Servers have loops of their own in other threads: here who comes first is left to chance."""
    events = _select(self, timeout)
    if events:
        time.sleep(_some(PAUSE))
    return events


async def _play_slowly(steps: Iterable[scripted_server.Step], writer: asyncio.StreamWriter) -> None:
    """Responses on two connections come in any order."""
    await _play(steps, writer)
    await asyncio.sleep(_some(DELAY))


patch.object(selectors.DefaultSelector, "select", _select_slowly).start()
patch.object(scripted_server, "_play", _play_slowly).start()
