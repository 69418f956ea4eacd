"""The items of a list that a search reads."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar

from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.helpers._shared.retrying import retry_reads

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager

T = TypeVar("T")


class SearchItems(Buffered[T]):
    """The items of a list. Each page is read again after transient errors, and nothing before it."""

    def __init__(self, caller: Caller, pager: AsyncPager[T]) -> None:
        self._caller = caller
        self._pager: AsyncPager[T] | None = pager
        self._page: deque[T] = deque()

    async def read(self) -> None:
        """Read the next page, if there is one."""
        if (pager := self._pager) is not None:
            page = await retry_reads(self._caller, lambda: pager)
            self._page.extend(page.items)
            self._pager = None if page.next is None else pager.resume(page.next)

    @property
    def is_over(self) -> bool:
        """Whether all items were taken, as is known without a request."""
        return self._pager is None and not self._page

    def _next_buffered(self) -> T | Unset:
        return self._page.popleft() if self._page else UNSET

    async def _fill_buffer(self) -> None:
        if self._pager is None:
            raise StopAsyncIteration
        await self.read()
