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
from itertools import takewhile
from math import inf
from typing import TYPE_CHECKING, Final

import anyio

from circleci_sdk._core.checks import check, instance, several
from circleci_sdk._core.errors import CallError, CallFacts, CircleCIError, NotFoundError, RequestTimeoutError
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
from circleci_sdk.helpers._shared.skipped import SkipLog, Skipped

from .content import Content, ContentReader, pipelines_at_once
from .pages import Listed, PipelinePages, Pipelines, PipelinesById
from .query import Include, Position, Query, check_include, check_since
from .records import HistoryRecord

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug

AHEAD: Final = 6
"""Pipelines that are listed ahead, for each call that may be in progress."""
MAX_EXPIRED: Final = 1000
"""Expired lists that are named. A long history has any number of them, and none comes back."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """The records of one pipeline, and the position after them."""

    records: deque[HistoryRecord]
    after: Position


@public("circleci_sdk.helpers")
class Records(Uncopied, Buffered[HistoryRecord]):
    """The records of a project, for `async for`. Returned by `circleci.history.records`.

    After an error a new loop over it resumes. It holds the responses of at most about 16 calls for each of
    `concurrency` in memory, and some pages of pipelines. Leaving the loop early sends no further request.
    """

    def __init__(self, caller: Caller, query: Query, pipelines: Pipelines, log: SkipLog, position: Position, /) -> None:
        self._caller = caller
        self._query = query
        self._pipelines = pipelines
        self._log = log
        self._position = position
        self._deadline: float | None = None
        self._at_once = query.concurrency
        self._batches: deque[_Batch] = deque()
        self._lowest = position.below
        self._expired: dict[str, int] = {}
        self._error: CircleCIError | None = None

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
        """Read the records of the next pipelines, concurrently, and list more pipelines meanwhile.

        What is complete when an error occurs is kept, and comes before the error.
        """
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        pipelines, concurrency = self._pipelines, self._query.concurrency
        while not pipelines.waiting:
            await pipelines.read()
        contents = [Content(one.pipeline) for one in list(pipelines.waiting)[: self._at_once]]
        ahead = len(contents) + AHEAD * concurrency if self._query.include else 0
        # The first records come soon, and those after an error.
        self._at_once = concurrency
        reader = ContentReader(self._caller, self._query, self._log)
        try:
            await reader.read(contents, lambda: pipelines.read_ahead(ahead))
            self._at_once = pipelines_at_once(len(contents), reader.calls, concurrency)
        except CircleCIError as error:
            self._error = error
        finally:
            if any(content.unread for content in contents):
                self._log.succeeded()  # no refusal is the second in a row: its list is read again
            for content in takewhile(lambda one: not one.unread, contents):
                self._keep(pipelines.waiting.popleft(), content)

    def _keep(self, listed: Listed, content: Content) -> None:
        """Keep the records of a pipeline, and what was passed over."""
        number = if_available(lambda: content.pipeline.number)
        self._lowest = self._lowest if number is None else number
        self._batches.append(_Batch(content.records, Position(listed.page, self._lowest)))
        for kind, skipped in content.passed:
            if isinstance(skipped.error, NotFoundError):
                self._expired[kind] = self._expired.get(kind, 0) + 1
                if sum(self._expired.values()) > MAX_EXPIRED:
                    continue  # counted, but not named
            self._log.keep(skipped)


class _Retry(Records):
    """The records of the pipelines with certain ids. It has no cursor but the start."""

    @property
    def cursor(self) -> str:
        return str(Position())


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
        position, log = Position() if cursor is None else Position.parse(cursor), SkipLog()
        return Records(self._caller, query, PipelinePages(self._caller, query, position, log), log, position)

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
        query, log = Query(slug, None, UNSET, frozenset(include), concurrency, timeout), SkipLog()
        for one in skipped:
            if one.parent is None:
                log.add(one.operation, one.id, one.error)
        ids = [one.parent for one in skipped if one.parent is not None]
        return _Retry(self._caller, query, PipelinesById(self._caller, query, ids, log), log, Position())
