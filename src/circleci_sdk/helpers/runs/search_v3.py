"""A search for runs by API v3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import NotFoundError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._streams.buffered import Buffered, fill_buffer, next_buffered
from circleci_sdk.helpers._shared.partial import try_field
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.v3._client import V3

from .search_items import SearchItems
from .search_query import FoundRun, RunQuery, SearchStatus

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk.v3.models import Run as RunModel

_LARGEST_PAGE: Final = 20
_ENDED: Final[Mapping[str, SearchStatus]] = {
    "succeeded": "success",
    "failed": "failed",
    "canceled": "canceled",
    "errored": "error",
    "not_run": "not_run",
    "unauthorized": "unauthorized",
}


class SearchV3(Buffered[FoundRun]):
    """A search by v3. Its first page is read by `start`."""

    def __init__(self, caller: Caller, query: RunQuery) -> None:
        self._caller = caller
        self._query = query
        self._slugs: dict[str, str] = {}
        self._items: SearchItems[RunModel] | None = None

    async def start(self) -> None:
        v3 = V3(self._caller)
        for slug in self._query.project_slugs:
            projects = await retry_reads(self._caller, v3.projects.list(slug=slug).collect)
            if not projects:
                raise NotFoundError(f"runs.search: API v3 has no project {slug}, or hides it from this token.")
            self._slugs[projects[0].id] = slug
        since, until = self._query.window(self._caller.clock.time())
        pager = v3.runs.search(
            project_ids=list(self._slugs),
            from_=since,
            to=until,
            filter_expression=self._query.expression,
            page_size=_LARGEST_PAGE,
        )
        self._items = SearchItems(self._caller, pager)
        await self._items.read()

    def _next_buffered(self) -> FoundRun | Unset:
        assert self._items is not None
        run = next_buffered(self._items)
        return UNSET if run is UNSET else _found_by_v3(run, self._slugs)

    async def _fill_buffer(self) -> None:
        assert self._items is not None
        await fill_buffer(self._items)


def status_of(phase: str, outcome: str | None) -> SearchStatus | None:
    """The status of a run by its phase and its current outcome; None for values that are not known."""
    if phase == "ended":
        return _ENDED.get(outcome or "")
    if phase == "started":
        return "failing" if outcome == "failed" else "running"
    return "queued" if phase == "queued" else None


def _found_by_v3(run: RunModel, slugs: Mapping[str, str]) -> FoundRun:
    return FoundRun(
        id=try_field(lambda: run.id),
        project_slug=try_field(lambda: slugs[run.project_id]),
        number=try_field(lambda: run.number),
        branch=try_field(lambda: run.event.vcs.branch if run.event.vcs else None),
        tag=try_field(lambda: run.event.vcs.tag if run.event.vcs else None),
        revision=try_field(lambda: run.event.vcs.revision if run.event.vcs else None),
        created_at=try_field(lambda: run.created_at),
        status=try_field(lambda: status_of(run.phase, run.current_outcome or run.outcome)),
        api="v3",
    )
