"""The pipelines of a history, in the order of the API, with the page that each is on."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import (
    BadRequestError,
    CallFacts,
    CircleCIError,
    FieldUnavailableError,
    NotFoundError,
    PaginationError,
)
from circleci_sdk._core.unset import UNSET
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.v2._client import V2

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager, Page
    from circleci_sdk.helpers._shared.skipped import SkipLog
    from circleci_sdk.v2.models import Pipeline

    from .query import Position, Query

RECENT: Final = 1000
"""Pipelines whose ids are kept to recognize duplicates: pages shift while pipelines are started."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A pipeline, and the token of its page."""

    pipeline: Pipeline
    page: str | None = None


class Pipelines:
    """The pipelines to read the content of. `waiting` are those that were listed and not taken yet."""

    def __init__(self) -> None:
        self.waiting: deque[Listed] = deque()

    @abstractmethod
    async def read(self) -> None:
        """List more of them, perhaps none. Raises `StopAsyncIteration` at the end."""

    async def read_ahead(self, count: int) -> None:
        """List more of them until `count` wait, as far as that works at once. What fails is read again by `read`."""


class PipelinePages(Pipelines):
    """The pipelines of a project from a position on, page by page, each once."""

    def __init__(self, caller: Caller, query: Query, position: Position, log: SkipLog) -> None:
        super().__init__()
        self._caller = caller
        self._v2 = V2(caller)
        self._query = query
        self._log = log
        self._below = position.below
        self._resumed_at = self._next = position.page
        self._has_more = True
        self._no_next: FieldUnavailableError | None = None
        self._recent: deque[str] = deque(maxlen=RECENT)

    async def read(self) -> None:
        if self._no_next is not None:
            # A new loop reads the page again.
            error, self._no_next = self._no_next, None
            facts = CallFacts("history.records", "GET", "", request_outcome="processed")
            raise PaginationError(f"history.records: {error}", facts=facts) from error
        if not self._has_more:
            raise StopAsyncIteration
        token = self._next
        try:
            page = await retry_reads(self._caller, lambda: self._page(token))
        except (BadRequestError, NotFoundError):
            if token is None or token != self._resumed_at:
                raise
            # The page of an old cursor has expired. Its pipeline is found again from the start.
            token = None
            page = await retry_reads(self._caller, lambda: self._page(None))
        self._take(page, token)

    async def read_ahead(self, count: int) -> None:
        while len(self.waiting) < count and self._has_more and self._no_next is None:
            token = self._next
            try:
                page = await self._page(token)
            except CircleCIError:
                return
            self._take(page, token)

    def _page(self, token: str | None) -> AsyncPager[Pipeline]:
        query = self._query
        start = UNSET if token is None else token
        return self._v2.pipelines.list_for_project(query.project_slug, branch=query.branch, page_token=start)

    def _take(self, page: Page[Pipeline], token: str | None) -> None:
        self._log.succeeded()
        # Pages shift while pipelines are started, and then start with pipelines that were read before.
        new = [one for one in page if self._is_new(one)]
        wanted = [one for one in new if self._is_wanted(one)]
        self._recent.extend(known for one in new if (known := if_available(lambda it: it.id, one)) is not None)
        self.waiting.extend(Listed(one, token) for one in wanted)
        self._next = token
        self._has_more = len(wanted) == len(new)
        try:
            following = page.next
        except FieldUnavailableError as error:
            self._no_next = error if self._has_more else None
            return
        self._has_more = self._has_more and following is not None
        self._next = None if following is None else str(following)

    def _is_new(self, pipeline: Pipeline) -> bool:
        """Whether it was not yielded before. One that cannot be told is yielded, rather than lost."""
        number = if_available(lambda: pipeline.number)
        if self._below is not None and number is not None and number >= self._below:
            return False
        return if_available(lambda: pipeline.id) not in self._recent

    def _is_wanted(self, pipeline: Pipeline) -> bool:
        """Whether it is of the period; so is one whose time is unavailable."""
        since, created_at = self._query.since, if_available(lambda: pipeline.created_at)
        return since is None or created_at is None or created_at >= since


class PipelinesById(Pipelines):
    """The pipelines with these ids, in this order."""

    def __init__(self, caller: Caller, query: Query, ids: Iterable[str], log: SkipLog) -> None:
        super().__init__()
        self._caller = caller
        self._v2 = V2(caller)
        self._concurrency = query.concurrency
        self._log = log
        self._ids = deque(dict.fromkeys(ids))

    async def read(self) -> None:
        if not self._ids:
            raise StopAsyncIteration
        ids = list(self._ids)[: self._concurrency]
        with self._log.all_or_none():
            found = await map_concurrently(self._pipeline, ids, limit=self._concurrency)
        for pipeline in found:
            self._ids.popleft()
            if pipeline is not None:
                self.waiting.append(Listed(pipeline))

    async def _pipeline(self, identity: str) -> Pipeline | None:
        """The pipeline; None if it cannot be read, so that it is passed over."""
        try:
            found = await self._log.retry_reads(self._caller, lambda: self._v2.pipelines.get(identity))
        except CircleCIError as error:
            self._log.add("v2.pipelines.get", identity, error, identity)
            return None
        self._log.succeeded()
        return found
