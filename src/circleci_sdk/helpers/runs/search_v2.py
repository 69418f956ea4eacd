"""A search for runs in the lists of API v2."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._streams.buffered import Buffered, fill_buffer, next_buffered
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import try_field
from circleci_sdk.v2._client import V2

from .search_items import SearchItems
from .search_query import FoundRun, RunQuery

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk.v2.models import Pipeline


class SearchV2(Buffered[FoundRun]):
    """A search by the lists of v2: those of several projects are merged by the time of their next run."""

    def __init__(self, caller: Caller, query: RunQuery) -> None:
        self._query = query
        self._since, self._until = query.window(caller.clock.time())
        pipelines = V2(caller).pipelines
        self._lists = {
            slug: SearchItems(caller, pipelines.list_for_project(slug, branch=query.branch))
            for slug in query.project_slugs
        }
        self._heads: dict[str, tuple[datetime, Pipeline]] = {}

    def _next_buffered(self) -> FoundRun | Unset:
        while all(self._advance(slug) for slug in self._without_head()) and self._heads:
            slug = max(self._heads, key=lambda one: self._heads[one][0])
            _, pipeline = self._heads.pop(slug)
            if self._query.revision is UNSET or _revision_of(pipeline).lower() == self._query.revision.lower():
                return _found_by_v2(pipeline, slug)
        return UNSET

    async def _fill_buffer(self) -> None:
        """Read the next page of the first list that has none."""
        waiting = self._without_head()
        if not waiting:
            raise StopAsyncIteration
        await fill_buffer(self._lists[waiting[0]])

    def _without_head(self) -> list[str]:
        """The lists of which the next run is not known."""
        return [slug for slug in self._lists if slug not in self._heads]

    def _advance(self, slug: str) -> bool:
        """Take the next pipeline in the window; False if its page is unread. A list that is behind it is over."""
        items = self._lists[slug]
        while (pipeline := next_buffered(items)) is not UNSET:
            created_at = if_available(lambda one: one.created_at, pipeline) or self._until
            if created_at < self._since:
                del self._lists[slug]
                return True
            if created_at <= self._until:
                self._heads[slug] = created_at, pipeline
                return True
        if items.is_over:
            del self._lists[slug]
        return items.is_over


def _revision_of(pipeline: Pipeline) -> str:
    """Empty if it is not known."""
    return if_available(lambda: pipeline.vcs.revision if pipeline.vcs else None) or ""


def _found_by_v2(pipeline: Pipeline, slug: str) -> FoundRun:
    return FoundRun(
        id=try_field(lambda: pipeline.id),
        project_slug=slug,
        number=try_field(lambda: pipeline.number),
        branch=try_field(lambda: pipeline.vcs.branch if pipeline.vcs else None),
        tag=try_field(lambda: pipeline.vcs.tag if pipeline.vcs else None),
        revision=try_field(lambda: pipeline.vcs.revision if pipeline.vcs else None),
        created_at=try_field(lambda: pipeline.created_at),
        status=None,
        api="v2",
    )
