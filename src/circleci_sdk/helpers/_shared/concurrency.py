"""Bounded concurrency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from circleci_sdk._core.cancellation import as_failure, is_failure

T = TypeVar("T")
R = TypeVar("R")


async def map_concurrently(work: Callable[[T], Awaitable[R]], items: Sequence[T], *, limit: int) -> list[R]:
    """The results of `work` for each item, in order, with at most `limit` calls in progress.

    The first error cancels the rest and is raised as it is, in no exception group.
    """
    results: dict[int, R] = {}
    errors: list[Exception] = []
    remaining = iter(enumerate(items))

    async def worker() -> None:
        for position, item in remaining:
            try:
                results[position] = await work(item)
            except BaseException as error:  # perhaps a cancellation of others
                if not is_failure(error, in_child=True):
                    raise
                errors.append(as_failure(error, "One of several calls"))  # raised below, when the others have ended
                group.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as group:
        for _ in range(min(limit, len(items))):
            group.start_soon(worker)
    if errors:
        raise errors[0]
    return [results[position] for position in range(len(items))]
