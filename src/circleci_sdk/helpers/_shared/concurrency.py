"""Bounded concurrency."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import anyio

from circleci_sdk._core.cancellation import as_failure, is_failure

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

T = TypeVar("T")
R = TypeVar("R")
F = TypeVar("F")
ReadFunction: TypeAlias = Callable[[], Awaitable[Iterable["ReadFunction"]]]
"""Reads something, and returns the reads that this made possible."""


async def walk_concurrently(visit: Callable[[T], Awaitable[Iterable[T]]], items: Iterable[T], *, limit: int) -> None:
    """Visit each item, then what its visit returns, with at most `limit` visits in progress.

    Items wait in one queue, so that a slot is free only if nothing waits: there is no pause between levels. The first
    error cancels the rest and is raised as it is, in no exception group.
    """
    errors: list[Exception] = []
    async with anyio.create_task_group() as group:
        _Walk(visit, items, limit, group, errors).start()
    if errors:
        raise errors[0]


class _Walk(Generic[T]):
    """One walk. Functions that refer to each other would hold all that was read until a garbage collection."""

    __slots__ = ("_errors", "_free", "_group", "_visit", "_waiting")

    def __init__(
        self,
        visit: Callable[[T], Awaitable[Iterable[T]]],
        items: Iterable[T],
        limit: int,
        group: TaskGroup,
        errors: list[Exception],
    ) -> None:
        self._visit = visit
        self._waiting = deque(items)
        self._free = limit
        self._group = group
        self._errors = errors

    def start(self) -> None:
        for _ in range(min(self._free, len(self._waiting))):
            self._free -= 1
            self._group.start_soon(self._work)

    async def _work(self) -> None:
        while self._waiting:
            try:
                self._waiting.extend(await self._visit(self._waiting.popleft()))
            except BaseException as error:  # perhaps a cancellation of others
                if not is_failure(error, in_child=True):
                    raise
                self._errors.append(as_failure(error, "One of several calls"))  # raised when the others have ended
                self._group.cancel_scope.cancel()
                return
            self.start()
        self._free += 1


async def read_concurrently(reads: Iterable[ReadFunction], *, limit: int) -> None:
    """Call these reads, and those that they return, as `walk_concurrently`."""
    await walk_concurrently(lambda read: read(), reads, limit=limit)


async def map_concurrently(work: Callable[[T], Awaitable[R]], items: Sequence[T], *, limit: int) -> list[R]:
    """The results of `work` for each item, in order, with at most `limit` calls in progress.

    Errors are raised as by `walk_concurrently`.
    """
    results: dict[int, R] = {}

    async def visit(place: tuple[int, T]) -> tuple[()]:
        position, item = place
        results[position] = await work(item)
        return ()

    await walk_concurrently(visit, enumerate(items), limit=limit)
    return [results[position] for position in range(len(items))]


class _FoundError(Exception):
    """Ends a search."""


async def search_concurrently(
    look: Callable[[T], Awaitable[R]],
    decide: Callable[[T, R], Awaitable[F | None]],
    items: Sequence[T],
    *,
    limit: int,
) -> F | None:
    """The first result of `decide` that is not None: it is called in order, with an item and what `look` returned.

    Meanwhile `look` is called with the next items, with at most `limit` calls in progress. Those that have not ended
    when the search ends are canceled. Errors are raised as by `walk_concurrently`.
    """
    seen: dict[int, R] = {}
    found: list[F] = []
    turn = 0
    is_deciding = False

    async def visit(position: int) -> Iterable[int]:
        nonlocal turn, is_deciding
        seen[position] = await look(items[position])
        if is_deciding:
            return ()
        before, is_deciding = turn, True
        while turn in seen:
            result = await decide(items[turn], seen.pop(turn))
            if result is not None:
                found.append(result)
                raise _FoundError
            turn += 1
        is_deciding = False
        return range(min(before + limit, len(items)), min(turn + limit, len(items)))

    try:
        await walk_concurrently(visit, range(min(limit, len(items))), limit=limit)
    except _FoundError:
        return found[0]
    return None
