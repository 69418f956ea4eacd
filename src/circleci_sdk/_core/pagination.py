"""Lists that come in pages: `Page`, `AsyncPager`, and where the next page starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from circleci_sdk._public import public

from .errors import CallError, InvalidArgumentError, PaginationError
from .options import is_count

if TYPE_CHECKING:
    from types import TracebackType

    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

    from .errors import CallFacts
    from .operation import Paging

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Cursor: TypeAlias = str | int | None


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page of a list.

    `items` are its items, `next` says where the following page starts (a token, an offset or a page number) and
    is None on the last one. `extras` holds what else the response told, such as a total.
    """

    items: list[T_co]  # pyright: ignore[reportGeneralTypeIssues]  # a page is read, not written to
    next: Cursor = None
    extras: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __iter__(self) -> Iterator[T_co]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def next_start(paging: Paging, start: Cursor, size: int | None, count: int, token: object) -> Cursor:
    """Where the page after this one starts, or None at the end.

    `start` is where this page started, `size` the number of items asked for, `count` the number that came,
    `token` what the response gave. An empty page with a token is not the end. A page counted in items ends the
    list when it is shorter than asked for, or, when nothing was asked for, when it is empty.
    """
    match paging.style:
        case "token":
            return token if isinstance(token, str) and token else None
        case "all":
            return None
        case "offset" | "number":
            size = size or paging.default_size
            if count == 0 or (size is not None and count < size):
                return None
            first = start if isinstance(start, int) else (1 if paging.style == "number" else 0)
            return first + (1 if paging.style == "number" else count)


@dataclass(slots=True)
class Fetched(Generic[T_co]):
    """A page, and the call that brought it."""

    page: Page[T_co]
    facts: CallFacts


Fetch: TypeAlias = Callable[[Cursor], Awaitable[Fetched[T_co]]]


@public("circleci_sdk")
class AsyncPager(Generic[T_co]):
    """A list of the API, read as far as you ask.

    `await pager` is the first page. `async for item in pager` gives all items, page by page, one request at a
    time. `pager.next` says where the page after the last one read starts; pass it as `page_token` (or `offset`,
    `page`) to go on later. Errors raised in the middle carry it too, as `next`. Time limits count for each page.

    Each loop starts anew. Leaving a loop early sends nothing more.
    """

    __slots__ = ("_fetch", "_label", "_next", "_start")

    def __init__(self, fetch: Fetch[T_co], *, start: Cursor, label: str) -> None:
        self._fetch = fetch
        self._start = start
        self._next = start
        self._label = label

    def __repr__(self) -> str:
        return f"<AsyncPager of {self._label}>"

    @property
    def next(self) -> Cursor:
        """Where the page after the last one read starts; None at the end. At first: where it was told to start."""
        return self._next

    def __await__(self) -> Generator[Any, Any, Page[T_co]]:
        return self.pages().__anext__().__await__()

    def pages(self) -> AsyncIterator[Page[T_co]]:
        """All pages, one request at a time."""
        return _Pages(self._fetch, self._start, self._note)

    def __aiter__(self) -> AsyncIterator[T_co]:
        return _Items(self.pages())

    async def take(self, count: int) -> list[T_co]:
        """The first `count` items, or all if there are fewer. Reads no page that it does not need."""
        if not is_count(count, least=0):
            raise InvalidArgumentError(f"take: it takes a whole number from 0 up, not {count!r}.")
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

        Reading ahead stops when the block is left.
        """
        if not is_count(pages, least=1):
            raise InvalidArgumentError(f"prefetch: it takes a whole number from 1 up, not {pages!r}.")
        # Read ahead without a note: `next` of this pager says what the caller was given.
        return Prefetch(_Pages(self._fetch, self._start, lambda page: None), pages, self._note)

    def _note(self, page: Page[Any]) -> None:
        self._next = page.next


class _Pages(Generic[T]):
    """The pages of one loop. No async generator: one that is left early has to be closed by somebody."""

    __slots__ = ("_done", "_fetch", "_last", "_note", "_seen", "_start")

    def __init__(self, fetch: Fetch[T], start: Cursor, note: Callable[[Page[Any]], None]) -> None:
        self._fetch = fetch
        self._start = start
        self._note = note
        self._seen: set[Cursor] = set()
        self._last: CallFacts | None = None
        self._done = False

    def __aiter__(self) -> _Pages[T]:
        return self

    async def __anext__(self) -> Page[T]:
        if self._done:
            raise StopAsyncIteration
        start = self._start
        if self._seen and start in self._seen:  # what users pass first may be anything; it is refused when sent
            raise self._endless(start)
        try:
            fetched = await self._fetch(start)
        except CallError as error:
            error.next = start
            raise
        page = fetched.page
        self._seen.add(start)
        self._last, self._start, self._done = fetched.facts, page.next, page.next is None
        self._note(page)
        return page

    def _endless(self, start: Cursor) -> PaginationError:
        assert self._last is not None
        error = PaginationError(
            f"{self._last.operation}: the API gave the page token {start!r} a second time, so the list would never "
            f"end. What came so far is complete up to that page ({self._last.describe()}).",
            facts=self._last,
        )
        error.next = start
        return error


class _Items(Generic[T]):
    """The items of pages, one by one."""

    __slots__ = ("_items", "_pages")

    def __init__(self, pages: AsyncIterator[Page[T]]) -> None:
        self._pages = pages
        self._items: Iterator[T] = iter(())

    def __aiter__(self) -> _Items[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            for item in self._items:
                return item
            self._items = iter((await self._pages.__anext__()).items)


class Prefetch(Generic[T]):
    """The block in which pages are read ahead. Made by `AsyncPager.prefetch`.

    Reading ahead runs in a task of its own, which lives exactly as long as the block: a task group held open
    across a `yield` would break cancellation.
    """

    __slots__ = ("_ahead", "_given", "_pages", "_receive", "_tasks")

    def __init__(self, pages: AsyncIterator[Page[T]], ahead: int, given: Callable[[Page[T]], None]) -> None:
        self._pages = pages
        self._ahead = ahead
        self._given = given

    async def __aenter__(self) -> AsyncIterator[T]:
        import anyio

        send, self._receive = anyio.create_memory_object_stream[Page[T] | Exception](self._ahead - 1)
        self._tasks: TaskGroup = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._produce, send)
        return _Items(_Handed(self._receive, self._given))

    async def _produce(self, send: MemoryObjectSendStream[Page[T] | Exception]) -> None:
        with send:
            try:
                async for page in self._pages:
                    await send.send(page)
            except Exception as error:  # noqa: BLE001  # handed over to the loop that reads, not handled here
                await send.send(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._receive.close()
        self._tasks.cancel_scope.cancel()
        # The error of the block is not handed to the task group, which would wrap it in a group of its own.
        await self._tasks.__aexit__(None, None, None)


class _Handed(Generic[T]):
    """The pages that were read ahead, in order; an error comes in its turn."""

    __slots__ = ("_given", "_receive")

    def __init__(
        self, receive: MemoryObjectReceiveStream[Page[T] | Exception], given: Callable[[Page[T]], None]
    ) -> None:
        self._receive = receive
        self._given = given

    def __aiter__(self) -> _Handed[T]:
        return self

    async def __anext__(self) -> Page[T]:
        page = await self._receive.__anext__()
        if isinstance(page, Exception):
            raise page
        self._given(page)
        return page
