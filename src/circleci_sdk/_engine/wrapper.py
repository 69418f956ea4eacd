"""What the generated classes are made of: wrappers around async objects, whose methods wait for the async ones.

The base of `CircleCI` has what is no wrapper of one method each.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Self, TypeVar, cast, overload

from circleci_sdk._core.checks import check, instance
from circleci_sdk._core.errors import ClientClosedError
from circleci_sdk._core.pagination import Prefetch as AsyncPrefetch
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import Uncopied
from circleci_sdk._streams.buffered import Buffered, PageItems, fill_buffer, next_buffered
from circleci_sdk.client import AsyncCircleCI

from .calls import Dispatcher, P, T, run_in_caller
from .engine import ENGINE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from circleci_sdk._core.pagination import AsyncPager, Page
    from circleci_sdk._core.reply import Reply

A_co = TypeVar("A_co", covariant=True)
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
    return getattr(cast("Any", owner)._async, method.__name__, method) if isinstance(owner, Wrapper) else method


class IteratorWrapper(Wrapper[A_co], Iterator[T_co], Generic[A_co, T_co]):
    """The sync form of an async iterator. It waits to fill a buffer, not for each item. Threads take turns."""

    __slots__ = ("_lock",)

    def __init__(self, dispatcher: Dispatcher, wrapped: A_co, /) -> None:
        super().__init__(dispatcher, wrapped)
        self._lock: AbstractContextManager[object] = threading.RLock()

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


class BlockWrapper(Wrapper[A_co]):
    """The sync form of an async context manager. The engine runs until its end, also if the client is closed in it."""

    __slots__ = ()

    def __enter__(self) -> Self:
        self._run(self._begin)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._process is ENGINE.process:
            self._run(self._end, *error)

    async def _begin(self) -> None:
        self._process = ENGINE.process
        await cast("AbstractAsyncContextManager[object]", self._async).__aenter__()
        ENGINE.users[id(self)] = self._dispatcher.session

    async def _end(self, *error: Any) -> None:
        ENGINE.leave(id(self))  # the call that executes this is a user of the engine too
        await cast("AbstractAsyncContextManager[object]", self._async).__aexit__(*error)


class PagerWrapper(Wrapper[A_co], Generic[A_co, T_co]):
    """The part of a list that has other names in async code."""

    __slots__ = ()

    def page(self) -> Page[T_co]:
        """The first page."""
        return self._run(cast("AsyncPager[T_co]", self._async).pages().__anext__)

    def __iter__(self) -> Iterator[T_co]:
        return IteratorWrapper(self._dispatcher, PageItems(cast("AsyncPager[T_co]", self._async).pages()))


class Prefetch(Wrapper[AsyncPrefetch[T]], Generic[T]):
    """The block in which pages are read ahead. Made by `Pager.prefetch`."""

    __slots__ = ("_block",)

    def __enter__(self) -> Iterator[T]:
        self._block = BlockWrapper(self._dispatcher, _in_one_task(self._async)).__enter__()
        return IteratorWrapper(self._dispatcher, PageItems(self._async.pages))

    def __exit__(self, *error: object) -> None:
        self._block.__exit__(*error)


@asynccontextmanager
async def _in_one_task(block: AbstractAsyncContextManager[object]) -> AsyncGenerator[None]:
    """A block that a task of its own enters and leaves, since a task group belongs to one task."""
    begun, left = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with block:
            begun.set()
            await left.wait()

    task = asyncio.get_running_loop().create_task(hold())
    try:
        await begun.wait()
        yield
    finally:
        left.set()
        await asyncio.wait((task,))


class Client(Wrapper[AsyncCircleCI]):
    """The base of `CircleCI`."""

    def __init__(self, client: AsyncCircleCI, dispatcher: Dispatcher | None = None, /) -> None:
        session = client._session  # pyright: ignore[reportPrivateUsage]  # the two classes are one client
        session.run_in_caller = run_in_caller
        super().__init__(dispatcher or Dispatcher(session), client)

    @classmethod
    def _of(cls, client: AsyncCircleCI, dispatcher: Dispatcher | None = None) -> Self:
        """The sync form of a client, or of a copy of one."""
        made = object.__new__(cls)
        Client.__init__(made, client, dispatcher)
        return made

    @overload
    def raw_response(
        self, method: Callable[P, PagerWrapper[Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Reply[Page[T]]: ...
    @overload
    def raw_response(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Reply[T]: ...
    def raw_response(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Reply[Any]:
        """Call one operation and return its response too: status, headers, rate limit, attempts, raw body.

        `circleci.raw_response(circleci.v2.jobs.get, "gh/acme/web", 42)`. For a list it returns the first page. The
        options are those of the client it is called on. Raises `TypeError` for anything but a method of `v1`, `v2` or
        `v3`, and for streams.
        """
        return self._run(self._async.raw_response, async_method(method), *args, **kwargs)

    def close(self) -> None:
        """Close the connections that this client opened. On a copy it does nothing. Safe to call twice.

        Calls in progress in other threads finish normally; further ones raise `ClientClosedError`.
        """
        if self._async._owner:  # pyright: ignore[reportPrivateUsage]  # as above
            self._dispatcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def run_with(
    circleci: Client, function: Callable[Concatenate[AsyncCircleCI, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The result of an async function that takes a client."""
    __tracebackhide__ = True
    check(getattr(function, "__name__", ""), circleci=(circleci, instance("a CircleCI", Client)))
    return circleci._run(function, circleci._async, *args, **kwargs)  # pyright: ignore[reportPrivateUsage]  # no method of the client
