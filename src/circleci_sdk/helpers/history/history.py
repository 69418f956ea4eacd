"""History: the pipelines, workflows, jobs and tests of a project as flat records, newest first.

    records = circleci.history.records("gh/acme/web", since=last_week, include={"workflows", "jobs"})
    async for record in records:
        store(record.kind, record.as_dict())
    print(records.cursor, *records.skipped)

A later loop resumes at `cursor`; `circleci.history.retry` asks again for what was passed over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import TYPE_CHECKING, Final

import anyio

from circleci_sdk._core.checks import check, instance, several
from circleci_sdk._core.errors import (
    BadRequestError,
    CallError,
    CallFacts,
    CircleCIError,
    FieldUnavailableError,
    NotFoundError,
    PaginationError,
    RequestTimeoutError,
)
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.helpers._shared.arguments import (
    check_count,
    check_filter,
    check_project_slug,
    check_timeout,
)
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.skipped import SkipLog, Skipped
from circleci_sdk.v2._client import V2

from .content import ContentReader
from .query import Include, Position, Query, check_include, check_since
from .records import HistoryRecord

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager, Page
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v2.models import Pipeline

RECENT: Final = 1000
"""Pipelines whose ids are kept to recognize duplicates: pages shift while pipelines are started."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """The records of one pipeline, and the position after them."""

    records: deque[HistoryRecord]
    after: Position


@public("circleci_sdk.helpers")
class Records(Uncopied, Buffered[HistoryRecord]):
    """The records of a project, for `async for`. Returned by `circleci.history.records`.

    After an error a new loop over it resumes. It holds one page of pipelines and the records of at most `concurrency`
    pipelines in memory. Leaving the loop early sends no further request.
    """

    def __init__(self, caller: Caller, query: Query, position: Position, /) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._query = query
        self._deadline: float | None = None
        self._position = position
        self._resumed_at = self._reading = self._next = self._position.page
        self._has_more = True
        self._no_next: FieldUnavailableError | None = None
        self._page: deque[Pipeline] = deque()
        self._batches: deque[_Batch] = deque()
        self._below = self._lowest = self._position.below
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._expired: dict[str, int] = {}
        self._log = SkipLog()

    @property
    def cursor(self) -> str:
        """Where to resume later: after the last pipeline whose records were all yielded.

        Store it after the records. The records of a pipeline that was not complete are yielded again.
        """
        return str(self._position)

    @property
    def expired(self) -> dict[str, int]:
        """The number of expired lists (404) by their content: `workflows`, `jobs`, `tests`."""
        return dict(self._expired)

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The lists that could not be read, or not to their end, with the reason; the first 1,000 expired ones too.

        Neither the other records nor the cursor wait for them. `circleci.history.retry` asks for them again.
        """
        return self._log.skipped

    def _next_buffered(self) -> HistoryRecord | Unset:
        if not self._batches:
            return UNSET
        batch = self._batches[0]
        record = batch.records.popleft()
        if not batch.records:
            self._batches.popleft()
            self._position = batch.after
        return record

    async def _fill_buffer(self) -> None:
        try:
            await self._fill()
        except CallError as error:
            error.next = self.cursor
            raise

    async def _fill(self) -> None:
        """Read until there is at least one batch, within the remaining time."""
        left = self._left()
        if left > 0:
            with anyio.move_on_after(None if left == inf else left):
                while not self._batches:
                    await self._read_more()
                return
        self._deadline = None  # a new loop has the whole timeout again
        facts = CallFacts("history.records", "GET", "", retry_stop_reason="deadline")
        message = f"history.records: the timeout of {self._query.timeout:g} s has passed. Resume from `next`."
        raise RequestTimeoutError(message, facts=facts)

    def _left(self) -> float:
        if self._query.timeout is None:
            return inf
        now = self._caller.clock.monotonic()
        if self._deadline is None:
            self._deadline = now + self._query.timeout
        return self._deadline - now

    async def _read_more(self) -> None:
        """Read the records of the next pipelines, concurrently."""
        while not self._page:
            if self._no_next is not None:
                # A new loop reads the page again.
                error, self._no_next = self._no_next, None
                facts = CallFacts("history.records", "GET", "", request_outcome="processed")
                raise PaginationError(f"history.records: {error}", facts=facts) from error
            if not self._has_more:
                raise StopAsyncIteration
            await self._read_page(self._next)
        taken = list(self._page)[: self._query.concurrency]
        reader = ContentReader(self._caller, self._query, self._log, sum(self._expired.values()))
        with self._log.all_or_none():
            found = await reader.read(taken)
        for kind, count in reader.expired.items():
            self._expired[kind] = self._expired.get(kind, 0) + count
        for pipeline, records in zip(taken, found, strict=True):
            self._page.popleft()
            number = if_available(lambda one: one.number, pipeline)
            self._lowest = self._lowest if number is None else number
            self._batches.append(_Batch(deque(records), Position(self._reading, self._lowest)))

    async def _read_page(self, token: str | None) -> None:
        page = await self._page_at(token)
        self._log.succeeded()
        # Pages shift while pipelines are started, and then start with pipelines that were read before.
        new = [one for one in page if self._is_new(one)]
        wanted = [one for one in new if self._is_wanted(one)]
        self._recent.extend(known for one in new if (known := if_available(lambda it: it.id, one)) is not None)
        self._page.extend(wanted)
        self._next = self._reading
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

    async def _page_at(self, token: str | None) -> Page[Pipeline]:
        def read(start: str | None) -> AsyncPager[Pipeline]:
            return self._v2.pipelines.list_for_project(
                self._query.project_slug, branch=self._query.branch, page_token=UNSET if start is None else start
            )

        try:
            page = await retry_reads(self._caller, lambda: read(token))
        except (BadRequestError, NotFoundError):
            if token is None or token != self._resumed_at:
                raise
            # The page of an old cursor has expired. Its pipeline is found again from the start.
            token = None
            page = await retry_reads(self._caller, lambda: read(None))
        self._reading = token
        return page


class _Retry(Records):
    """The records of the pipelines with these ids, in this order. It has no cursor but the start."""

    def __init__(self, caller: Caller, query: Query, skipped: Collection[Skipped], /) -> None:
        super().__init__(caller, query, Position())
        self._ids = deque(dict.fromkeys(one.parent for one in skipped if one.parent is not None))
        self._has_more = bool(self._ids)
        for one in skipped:
            if one.parent is None:
                self._log.add(one.operation, one.id, one.error)

    @property
    def cursor(self) -> str:
        return str(Position())

    async def _read_page(self, token: str | None) -> None:
        identity = self._ids[0]
        try:
            self._page.append(await self._log.retry_reads(self._caller, lambda: self._v2.pipelines.get(identity)))
        except CircleCIError as error:
            self._log.add("v2.pipelines.get", identity, error, identity)
        else:
            self._log.succeeded()
        self._ids.popleft()
        self._has_more = bool(self._ids)


@public("circleci_sdk.helpers")
class History(Uncopied):
    """The history of a project. Available as `circleci.history`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return "<History>"

    def records(
        self,
        project_slug: str | ProjectSlug,
        *,
        since: datetime | Unset = UNSET,
        branch: str | Unset = UNSET,
        include: Collection[Include] = frozenset({"workflows", "jobs"}),
        concurrency: int = 8,
        cursor: str | None = None,
        timeout: float | None = None,
    ) -> Records:
        """The pipelines of a project and their content as flat records: `async for record in ...`.

        Pipelines are newest first, each followed by its workflows, newest first; each workflow by its jobs, each job
        by its tests. A list that cannot be read, for whatever reason, is passed over and named in `Records.skipped`;
        expired ones (404) are counted in `Records.expired`, and only the first 1,000 named. An unavailable field raises
        `FieldUnavailableError` where the record is used, and is None in `as_dict`.

        Args:
            project_slug: the project.
            since: only pipelines created at this time or later; a datetime with a time zone. Default: all. A rerun
                creates no new pipeline: to see late reruns, go back a few days further than last time and replace
                records with the same id.
            branch: only this branch. Default: all.
            include: what to yield besides pipelines: `"workflows"`, `"jobs"`, `"tests"`.
            concurrency: the most calls in progress at once. They share the rate limit of the client.
            cursor: where to resume, from `Records.cursor`; None for the start.
            timeout: seconds for the whole loop from its first record on, the body of the loop included. Default: no
                limit but that of the client for each call.

        Raises:
            InvalidArgumentError: at once, for invalid arguments.
            RequestTimeoutError: from the loop; the timeout has passed. A new loop resumes.
            NotFoundError: from the loop; the project is missing, or hidden from this token.
            PaginationError: from the loop, after the records of a page whose next one is unavailable.
            AuthenticationError: from the loop; the list of pipelines was refused, or three other lists in a row.
            CallError: from the loop; the list of pipelines cannot be read, or the rate limit allows no more calls.

        One call for each page of pipelines; then, as far as included, for each page of the workflows of a pipeline, of
        the jobs of a workflow, and of the tests of a job. Transient errors are retried for a minute at most; after five
        minutes of them, not before a list was read. Each call has the timeout of the client. Errors carry the cursor as
        `next`.
        """
        method = "history.records"
        slug = check_project_slug(method, project_slug)
        if since is not UNSET:
            check_since(method, since)
        check_filter(method, "branch", branch)
        check_include(method, include)
        check_count(method, "concurrency", concurrency)
        check_timeout(method, timeout)
        query = Query(slug, None if since is UNSET else since, branch, frozenset(include), concurrency, timeout)
        return Records(self._caller, query, Position() if cursor is None else Position.parse(cursor))

    def retry(
        self,
        project_slug: str | ProjectSlug,
        skipped: Collection[Skipped],
        *,
        include: Collection[Include] = frozenset({"workflows", "jobs"}),
        concurrency: int = 8,
        timeout: float | None = None,
    ) -> Records:
        """The records of the pipelines of which something was passed over: `history.retry(slug, records.skipped)`.

        Each of these pipelines is yielded as a whole, as by `records`: replace records with the same id. What still
        cannot be read is in `skipped` again, and so is what belongs to a pipeline without an id.

        Args:
            project_slug: the project.
            skipped: what was passed over, from `Records.skipped`.
            include: as in `records`.
            concurrency: as in `records`.
            timeout: as in `records`.

        Raises:
            InvalidArgumentError: at once, for invalid arguments.
            RequestTimeoutError: from the loop; the timeout has passed. A new loop over the same object resumes.
            AuthenticationError: from the loop; three reads in a row were refused.

        One call for each pipeline; then those of `records` for its content. Its `cursor` is always the start.
        """
        method = "history.retry"
        slug = check_project_slug(method, project_slug)
        check_include(method, include)
        check_count(method, "concurrency", concurrency)
        check_timeout(method, timeout)
        check(method, skipped=(skipped, several("Records.skipped", instance("Skipped", Skipped), in_order=False)))
        return _Retry(self._caller, Query(slug, None, UNSET, frozenset(include), concurrency, timeout), skipped)
