"""Several things at once, but not too many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.options import is_count

T = TypeVar("T")
R = TypeVar("R")


async def together(work: Callable[[T], Awaitable[R]], items: Sequence[T], *, limit: int) -> list[R]:
    """What `work` makes of each item, in order, with at most `limit` under way.

    The first failure ends the others and is raised as it is, in no group. Raises `InvalidArgumentError` for a limit
    below 1.
    """
    if not is_count(limit, least=1):
        raise InvalidArgumentError(f"concurrency: it takes a whole number from 1 up, not {limit!r}.")
    done: dict[int, R] = {}
    failed: list[Exception] = []
    todo = iter(enumerate(items))

    async def take_turns() -> None:
        for place, item in todo:
            try:
                done[place] = await work(item)
            except Exception as error:  # noqa: BLE001  # raised below, when the others have ended
                failed.append(error)
                group.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as group:
        for _ in range(min(limit, len(items))):
            group.start_soon(take_turns)
    if failed:
        raise failed[0]
    return [done[place] for place in range(len(items))]
