"""Lists in pages: `Page`, `AsyncPager`, and the start of the next page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from circleci_sdk._public import Uncopied, public

from .checks import at_least, check
from .errors import CallError, PaginationError

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectSendStream

    from .errors import CallFacts
    from .mismatches import Mismatch
    from .operation import Paging

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Cursor: TypeAlias = str | int
"""The start of a page: a token, an offset or a page number."""


@public("circleci_sdk")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Page(Generic[T_co]):
    """One page of a list.

    `items` are its items. `next` is the start of the following page (a token, an offset or a page number), or None
    on the last one. `extras` holds the other fields of the response, such as a total. `mismatches` are the fields,
    those of the items included, that came in another type than documented, or not at all. `is_truncated` says that
    the API has more items and gives no way to read them.

    A `next` that cannot be read raises `FieldUnavailableError`; the pager raises `PaginationError` after its items.
    """

    items: list[T_co]  # pyright: ignore[reportGeneralTypeIssues]  # a page is read, not written to
    next: Cursor | None = None
    extras: Mapping[str, Any] = field(default_factory=dict[str, Any])
    mismatches: tuple[Mismatch, ...] = ()
    is_truncated: bool = False
    _unread_next: tuple[str, Mismatch] | None = field(default=None, init=False)

    if not TYPE_CHECKING:  # for type checkers every attribute that is not declared is an error

        def __getattr__(self, name: str) -> Any:
            if name == "next" and self._unread_next is not None:
                from .mismatches import unavailable

                raise unavailable(*self._unread_next, raw_in="extras")
            raise AttributeError(name)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        shown = [f"{name}={value!r}" for name, value in self.__getstate__().items() if not name.startswith("_")]
        return f"Page({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Page) and self.__getstate__() == other.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if hasattr(self, name)}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def without_next(page: Page[T], operation: str, mismatch: Mismatch) -> Page[T]:
    """The page, with a `next` that cannot be read."""
    object.__delattr__(page, "next")
    object.__setattr__(page, "_unread_next", (operation, mismatch))
    return page


def next_start(paging: Paging, start: Cursor | None, size: int | None, count: int, token: object) -> Cursor | None:
    """The start of the page after this one, or None at the end.

    `start` is the start of this page, `size` the number of items asked for, `count` the number in the response,
    `token` the token in it. An empty page with a token is not the end. Without tokens a page ends the list when it
    is shorter than asked for, or, when no size was asked for, when it is empty.
    """
    match paging.style:
        case "token":
            return token if isinstance(token, str) and token and paging.start else None
        case "all":
            return None
        case "offset" | "number":
            size = size or paging.default_size
            if count == 0 or (size is not None and count < size):
                return None
            first = start if isinstance(start, int) else (1 if paging.style == "number" else 0)
            return first + (1 if paging.style == "number" else count)


Fetch: TypeAlias = Callable[[Cursor | None], Awaitable[tuple[Page[T_co], "CallFacts"]]]
"""Reads the page that starts at a cursor, or the first one."""


@public("circleci_sdk")
class AsyncPager(Uncopied, Generic[T_co]):
    """A list of the API, read on demand.

    `await pager` is the first page. `async for item in pager` iterates over all items, page by page, one request at a
    time. `pager.next` is the start of the page after the last one read; `pager.resume(cursor)` continues there later.
    Errors in the middle carry it too, as `next`. Time limits count for each page.

    Each loop starts anew. Leaving a loop early sends nothing more.
    """

    __slots__ = ("_fetch", "_label", "_last", "_start")

    def __init__(self, fetch: Fetch[T_co], *, start: Cursor | None, label: str) -> None:
        self._fetch = fetch
        self._start = start
        self._last: Page[T_co] | None = None
        self._label = label

    def __repr__(self) -> str:
        return f"<AsyncPager of {self._label}>"

    @property
    def next(self) -> Cursor | None:
        """The start of the page after the last one read; None at the end. Before reading: its own start.

        Raises `FieldUnavailableError` when that page has it in another type than documented.
        """
        return self._start if self._last is None else self._last.next

    def resume(self, cursor: Cursor | None) -> AsyncPager[T_co]:
        """The same list from `cursor` on: the `next` of a page, a pager or an error. None means from the start.

        `next` is None at the end of a list too: check it before you resume, or the list begins again.
        """
        return AsyncPager(self._fetch, start=cursor, label=self._label)

    def __await__(self) -> Generator[Any, Any, Page[T_co]]:
        return self.pages().__anext__().__await__()

    def pages(self) -> AsyncIterator[Page[T_co]]:
        """All pages, one request at a time."""
        return self._pages(self._note)

    def __aiter__(self) -> AsyncIterator[T_co]:
        return _items(self.pages())

    async def take(self, count: int) -> list[T_co]:
        """The first `count` items, or all if there are fewer. Reads no page that it does not need."""
        check(f"{self._label}: take", count=(count, at_least(0)))
        items: list[T_co] = []
        if count == 0:
            return items
        async for page in self.pages():
            items += page.items[: count - len(items)]
            if len(items) == count:
                break
        return items

    async def collect(self) -> list[T_co]:
        """All items. For lists that fit into memory."""
        return [item async for page in self.pages() for item in page.items]

    def prefetch(self, pages: int = 1) -> Prefetch[T_co]:
        """Read up to `pages` pages ahead while the caller works: `async with pager.prefetch(2) as items:`.

        Reading ahead ends with the block. `next` of this pager follows the items that were handed out.
        """
        check(f"{self._label}: prefetch", pages=(pages, at_least(1)))
        return Prefetch(self._pages(lambda page: None), pages, self._note)

    def _note(self, page: Page[T_co]) -> None:
        self._last = page

    def _pages(self, note: Callable[[Page[Any]], None]) -> _Stream[Page[T_co]]:
        """The pages of one loop; `note` is called with each."""
        start = self._start
        seen: set[Cursor | None] = set()
        page: Page[T_co] | None = None
        last: CallFacts | None = None

        async def step() -> Page[T_co]:
            nonlocal start, page, last
            if page is not None and last is not None:
                if not hasattr(page, "next"):
                    raise _no_next(f"{last.operation}: the API returned a page token that cannot be read", start, last)
                start = page.next
                if start is None:
                    raise StopAsyncIteration
                if start in seen:
                    text = f"{last.operation}: the API returned the page token {start!r} a second time"
                    raise _no_next(f"{text}, so the list would never end", start, last)
            try:
                page, last = await self._fetch(start)
            except CallError as error:
                error.next = start
                raise
            seen.add(start)
            note(page)
            return page

        return _Stream(step)


def _no_next(problem: str, start: Cursor | None, last: CallFacts) -> PaginationError:
    error = PaginationError(f"{problem}. The pages so far are complete ({last.describe()}).", facts=last)
    error.next = start
    return error


class _Stream(Generic[T]):
    """An async iterator out of a function. No async generator: one that is left early has to be closed."""

    __slots__ = ("_step",)

    def __init__(self, step: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._step = step

    def __aiter__(self) -> _Stream[T]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, T]:
        return self._step()


def _items(pages: AsyncIterator[Page[T]]) -> _Stream[T]:
    items: Iterator[T] = iter(())

    async def step() -> T:
        nonlocal items
        while True:
            for item in items:
                return item
            items = iter((await pages.__anext__()).items)

    return _Stream(step)


class Prefetch(Uncopied, Generic[T]):
    """The block in which pages are read ahead. Made by `AsyncPager.prefetch`.

    Reading ahead runs in a task of its own, which lives exactly as long as the block: a task group held open
    across a `yield` would break cancellation.
    """

    __slots__ = ("_ahead", "_error", "_note", "_pages", "_receive", "_tasks", "pages")

    def __init__(self, pages: AsyncIterator[Page[T]], ahead: int, note: Callable[[Page[T]], None]) -> None:
        self._pages = pages
        self._ahead = ahead
        self._note = note
        self._error: Exception | None = None
        self.pages: Final[AsyncIterator[Page[T]]] = _Stream(self._hand_out)

    async def __aenter__(self) -> AsyncIterator[T]:
        import anyio

        send, self._receive = anyio.create_memory_object_stream[Page[T]](self._ahead - 1)
        self._tasks: TaskGroup = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._read_ahead, send)
        return _items(self.pages)

    async def _read_ahead(self, send: MemoryObjectSendStream[Page[T]]) -> None:
        from .cancellation import as_failure, is_failure

        with send:
            try:
                async for page in self._pages:
                    await send.send(page)
            except BaseException as error:  # raised by the task that reads the items
                if not is_failure(error, in_child=True):
                    raise
                self._error = as_failure(error, "prefetch")

    async def _hand_out(self) -> Page[T]:
        try:
            page = await self._receive.__anext__()
        except StopAsyncIteration:
            if self._error is not None:
                raise self._error from None
            raise
        self._note(page)
        return page

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receive.close()
        self._tasks.cancel_scope.cancel()
        # The error of the block is not handed to the task group, which would wrap it in a group of its own.
        await self._tasks.__aexit__(None, None, None)
