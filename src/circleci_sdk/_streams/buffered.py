"""Async iterators over a buffer, split so that buffered items can be taken without an event loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from circleci_sdk._core.unset import UNSET, Unset

if TYPE_CHECKING:
    from circleci_sdk._core.pagination import Page

T_co = TypeVar("T_co", covariant=True)


class Buffered(AsyncIterator[T_co], Generic[T_co]):
    """An async iterator that takes its items from a buffer, and waits only to fill it."""

    __slots__ = ()

    @abstractmethod
    def _next_buffered(self) -> T_co | Unset:
        """Remove the next item from the buffer and return it; UNSET if the buffer is empty."""

    @abstractmethod
    async def _fill_buffer(self) -> None:
        """Read more into the buffer, perhaps nothing yet. Raises `StopAsyncIteration` at the end."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        while (item := self._next_buffered()) is UNSET:
            await self._fill_buffer()
        return item


class PageItems(Buffered[T_co], Generic[T_co]):
    """The items of pages. They are read with one page in the buffer."""

    __slots__ = ("_items", "_pages")

    def __init__(self, pages: AsyncIterator[Page[T_co]], /) -> None:
        self._pages = pages
        self._items: Iterator[T_co] = iter(())

    def _next_buffered(self) -> T_co | Unset:
        return next(self._items, UNSET)

    async def _fill_buffer(self) -> None:
        self._items = iter((await self._pages.__anext__()).items)


def next_buffered(items: Buffered[T_co]) -> T_co | Unset:
    """The next item in the buffer; UNSET if it is empty. Safe in any thread while nothing fills the buffer."""
    return items._next_buffered()  # pyright: ignore[reportPrivateUsage]  # hidden from users of the iterators alone


async def fill_buffer(items: Buffered[T_co]) -> None:
    """Read more into the buffer. Raises `StopAsyncIteration` at the end."""
    await items._fill_buffer()  # pyright: ignore[reportPrivateUsage]  # as above
