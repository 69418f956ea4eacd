"""A cancellation of others: what a coroutine gets that awaits a task or a future which was cancelled."""

from __future__ import annotations

import asyncio
from typing import Any


async def foreign_cancellation(*_: object) -> Any:
    """End with `CancelledError`, although the own task is not cancelled."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future
