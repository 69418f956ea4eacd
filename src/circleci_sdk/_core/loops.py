"""Work in other event loops, of asyncio or trio, given by their native tokens; from any thread."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio  # noqa: TID251  # for types

_started: Final[set[asyncio.Task[None]]] = set()
"""asyncio holds tasks by weak references only."""


def call_soon(loop: Any, function: Callable[[], object]) -> bool:
    """Call a function soon in an event loop; False if the loop has ended, and its tasks with it."""
    schedule: Callable[..., object] | None = getattr(loop, "call_soon_threadsafe", None)
    try:
        if schedule is None:
            loop.run_sync_soon(function)
        else:
            schedule(function, context=Context())  # a context of trio would name the wrong library there
    except RuntimeError:
        return False
    return True


def has_ended(loop: Any) -> bool:
    """Whether an event loop runs no more, and never will."""
    is_closed: Callable[[], bool] | None = getattr(loop, "is_closed", None)
    return not call_soon(loop, bool) if is_closed is None else is_closed()


def start_soon(loop: Any, work: Callable[[], Awaitable[object]]) -> bool:
    """Start async work soon in an event loop, and do not wait for it; False if the loop does not run.

    What the work raises is lost.
    """

    async def run() -> None:
        with suppress(Exception):  # as the docstring says: nothing waits for it
            await work()

    is_running: Callable[[], bool] | None = getattr(loop, "is_running", None)
    if is_running is None:
        return call_soon(loop, partial(sys.modules["trio"].lowlevel.spawn_system_task, run))
    return is_running() and call_soon(loop, partial(_start_on_asyncio, loop, run))


def _start_on_asyncio(loop: asyncio.AbstractEventLoop, run: Callable[[], Any]) -> None:
    task = loop.create_task(run())
    _started.add(task)
    task.add_done_callback(_started.discard)
