"""Cancellation: whose it is, and work that finishes in spite of it.

On asyncio a coroutine can end with `CancelledError` although its own task was not cancelled: because a task or a
future that it awaited was. That is a failure like any other. A task that takes it for its own cancellation ends
without an error, and a task group that it is part of ends with it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from math import inf
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from .errors import CircleCIError

if TYPE_CHECKING:
    import asyncio  # noqa: TID251  # for types

T = TypeVar("T")
FINISH_SECONDS: Final = 10.0
"""Seconds until work has failed that is not cancelled."""
_abandoned: Final[set[asyncio.Future[Any]]] = set()
"""Work that did not end within its time and ignores its cancellation: asyncio holds tasks by weak references only."""


def is_failure(error: BaseException, *, in_child: bool = False) -> bool:
    """Whether code has failed: not if its own task or scope is being cancelled, or the program interrupted.

    To be asked where the exception arrives, before any shield. `in_child` is for the child tasks that this package
    starts: only their task group has the right to cancel them, so that a `task.cancel()` by others is a failure.
    """
    if isinstance(error, Exception):
        return True
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return all(is_failure(one, in_child=in_child) for one in inner)
    from anyio import current_effective_deadline, get_cancelled_exc_class

    asyncio = sys.modules.get("asyncio")
    kinds = (get_cancelled_exc_class(), *(() if asyncio is None else (asyncio.CancelledError,)))
    if not isinstance(error, kinds) or current_effective_deadline() == -inf:
        return False
    task = _task_of_asyncio()
    return task is None or in_child or not task.cancelling()


def as_failure(error: BaseException, who: str) -> Exception:
    """The exception for a failure: the error itself, or a `CircleCIError` for the cancellation of others."""
    if isinstance(error, Exception):
        return error
    failure = CircleCIError(f"{who}: a task or future that was awaited was cancelled, though this call was not.")
    failure.__cause__ = error
    return failure


async def finish(work: Callable[[], Awaitable[T]], *, seconds: float = FINISH_SECONDS) -> T:
    """The result of work that no cancellation ends; a cancellation that came meanwhile is raised after it.

    It ends the cancellation of others too: scopes of anyio, `task.cancel()` (any number) and `asyncio.timeout`. On
    asyncio the work runs in a task of its own, since the shield of anyio holds against its own scopes only.

    Raises:
        TimeoutError: the work did not end within `seconds`, and was cancelled then.
    """
    from anyio import fail_after
    from anyio.lowlevel import checkpoint_if_cancelled

    try:
        if _task_of_asyncio() is not None:
            return await _finish_in_task(work, seconds)
        with fail_after(seconds, shield=True):
            return await work()
    finally:
        await checkpoint_if_cancelled()


async def _finish_in_task(work: Callable[[], Awaitable[T]], seconds: float) -> T:
    import asyncio  # noqa: TID251  # only here on asyncio

    from anyio import CancelScope

    async def run() -> T:
        return await work()

    loop = asyncio.get_running_loop()
    task = loop.create_task(run())
    deadline = loop.time() + seconds
    cancellation: asyncio.CancelledError | None = None
    with CancelScope(shield=True):  # a scope of anyio would cancel again in each iteration of the loop
        while not task.done() and (left := deadline - loop.time()) > 0:
            try:
                await asyncio.wait((task,), timeout=left)
            except asyncio.CancelledError as error:
                cancellation = error
    if not task.done():
        _abandon(task)
        if cancellation is None:
            raise TimeoutError(f"The work did not end within {seconds:g} s.")
    elif cancellation is None:
        try:
            return task.result()
        except asyncio.CancelledError as error:
            raise as_failure(error, "The work") from error
    elif not task.cancelled():
        task.exception()  # retrieved: the cancellation is raised in its place
    raise cancellation


def _abandon(task: asyncio.Future[Any]) -> None:
    def forget(done: asyncio.Future[Any]) -> None:
        _abandoned.discard(done)
        if not done.cancelled():
            done.exception()

    _abandoned.add(task)
    task.add_done_callback(forget)
    task.cancel()


def _task_of_asyncio() -> asyncio.Task[Any] | None:
    """The running task of asyncio; None on trio."""
    asyncio = sys.modules.get("asyncio")
    try:
        return None if asyncio is None else asyncio.current_task()
    except RuntimeError:  # no event loop of asyncio
        return None
