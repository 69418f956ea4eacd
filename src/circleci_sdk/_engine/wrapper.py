"""What the generated classes are made of: wrappers around async objects, whose methods wait for the async ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast

from circleci_sdk._core.errors import ClientClosedError
from circleci_sdk._core.pagination import Prefetch as AsyncPrefetch
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import Uncopied
from circleci_sdk._streams.buffered import Buffered, PageItems, fill_buffer, next_buffered

from .engine import ENGINE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from circleci_sdk._core.pagination import AsyncPager, Page

    from .calls import Dispatcher

A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Wrapper(Uncopied, Generic[A_co]):
    """The sync form of an async object."""

    __slots__ = ("_async", "_dispatcher", "_process")

    def __init__(self, dispatcher: Dispatcher, wrapped: A_co, /) -> None:
        self._dispatcher: Dispatcher = dispatcher
        self._async: A_co = wrapped
        self._process: object = ENGINE.process  # what has begun in one cannot be continued in a forked one

    def __repr__(self) -> str:
        return repr(self._async).replace("<Async", "<")

    def _run(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of an async method. Its errors are raised here, so that their tracebacks are short."""
        __tracebackhide__ = True
        call = self._dispatcher.run(function, *args, **kwargs)
        if call.error is not None:
            raise call.take_error()
        return call.result

    def _same(self, wrapped: object) -> Self:
        """The sync form of an object of the same class, which may be this one."""
        return self if wrapped is self._async else type(self)(self._dispatcher, cast("A_co", wrapped))


def async_method(method: Any) -> Any:
    """The async method that a sync one waits for, also in a `functools.partial`; anything else as it is."""
    if isinstance(method, partial):
        return partial(async_method(method.func), *method.args, **method.keywords)
    owner: Any = getattr(method, "__self__", None)
    if not isinstance(owner, Wrapper):
        return method
    return getattr(cast("Any", owner)._async, method.__name__, method)


class IteratorWrapper(Wrapper[A_co], Iterator[T_co], Generic[A_co, T_co]):
    """The sync form of an async iterator. It waits to fill a buffer, not for each item. Threads take turns."""

    __slots__ = ("_lock",)

    def __init__(self, dispatcher: Dispatcher, wrapped: A_co, /) -> None:
        super().__init__(dispatcher, wrapped)
        self._lock: AbstractContextManager[object] = threading.RLock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        if self._process is not ENGINE.process:  # another thread may have held the lock at the fork
            raise ClientClosedError("This was begun in the process that this one was forked from. Begin it anew.")
        items = cast("AsyncIterator[T_co]", self._async)
        with self._lock:
            try:
                if not isinstance(items, Buffered):
                    return self._run(items.__anext__)
                buffered: Buffered[T_co] = items
                while (item := next_buffered(buffered)) is UNSET:
                    self._run(fill_buffer, buffered)
                return item
            except StopAsyncIteration:
                raise StopIteration from None


class _Block(Wrapper[A_co]):
    """A block. The engine runs until it has ended, also if the client is closed in it."""

    __slots__ = ()

    def __exit__(self, *error: Any) -> None:
        if self._process is ENGINE.process:
            self._run(self._end, *error)

    async def _begin(self) -> None:
        self._process = ENGINE.process
        await self._enter()
        self._dispatcher.held.add(id(self))

    async def _end(self, *error: Any) -> None:
        self._dispatcher.held.discard(id(self))  # the call that executes this is held too
        await self._leave(*error)

    async def _enter(self) -> None:
        await cast("AbstractAsyncContextManager[object]", self._async).__aenter__()

    async def _leave(self, *error: Any) -> None:
        await cast("AbstractAsyncContextManager[object]", self._async).__aexit__(*error)


class BlockWrapper(_Block[A_co]):
    """The sync form of an async context manager whose two ends may run in different tasks."""

    __slots__ = ()

    def __enter__(self) -> Self:
        self._run(self._begin)
        return self


class PagerWrapper(Wrapper[A_co], Generic[A_co, T_co]):
    """The part of a list that has other names in async code."""

    __slots__ = ()

    def page(self) -> Page[T_co]:
        """The first page."""
        return self._run(cast("AsyncPager[T_co]", self._async).pages().__anext__)

    def __iter__(self) -> Iterator[T_co]:
        return IteratorWrapper(self._dispatcher, PageItems(cast("AsyncPager[T_co]", self._async).pages()))


class Prefetch(_Block[AsyncPrefetch[T]], Generic[T]):
    """The block in which pages are read ahead. Made by `Pager.prefetch`.

    A task of its own enters and leaves the async block, since a task group belongs to one task.
    """

    __slots__ = ("_left", "_task")

    def __enter__(self) -> Iterator[T]:
        self._run(self._begin)
        return IteratorWrapper(self._dispatcher, PageItems(self._async.pages))

    async def _enter(self) -> None:
        begun, self._left = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            async with self._async:
                begun.set()
                await self._left.wait()

        self._task = asyncio.get_running_loop().create_task(hold())
        try:
            await begun.wait()
        except BaseException:  # Ctrl-C: the block is not entered, so that no exit will end the task
            self._task.cancel()
            raise

    async def _leave(self, *error: object) -> None:
        self._left.set()
        await asyncio.wait((self._task,))
