"""Searches for runs by branch, commit, status and time: by API v3, else by the lists of v2."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, get_args

from circleci_sdk._core.checks import AWARE, check, one_of
from circleci_sdk._core.errors import InvalidArgumentError, NotFoundError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered, fill_buffer, next_buffered
from circleci_sdk.helpers._shared.arguments import check_filter, check_list, check_project_slug
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import Partial, try_field
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.versions import NOT_SERVED, ApiVersion, has_v3, note_fallback
from circleci_sdk.v2._client import V2
from circleci_sdk.v3._client import V3

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import CircleCIError
    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk.v2.models import Pipeline
    from circleci_sdk.v3.models import Run as RunModel

T = TypeVar("T")
SearchStatus: TypeAlias = Literal[
    "canceled", "error", "failed", "failing", "not_run", "on_hold", "queued", "running", "success", "unauthorized"
]
"""The status of a run in a search."""

DAYS: Final = 90
"""Days before now that are searched by default."""
STATUSES: Final[tuple[str, ...]] = get_args(SearchStatus)
_REVISION: Final = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_LARGEST_PAGE: Final = 20
_ENDED: Final[Mapping[str, SearchStatus]] = {
    "succeeded": "success",
    "failed": "failed",
    "canceled": "canceled",
    "errored": "error",
    "not_run": "not_run",
    "unauthorized": "unauthorized",
}


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FoundRun(Partial):
    """A run that a search has found. `circleci.runs.attach(found.id)` waits for it, watches it or acts on it.

    Attributes:
        id: its id, the id of its pipeline in v2.
        project_slug: its project.
        number: the number of its pipeline in the project, None if it is not known.
        branch: its branch, None for a tag.
        tag: its tag, None for a branch.
        revision: the SHA of its commit, None if it is not known.
        created_at: its start.
        status: its status at the time of the search, such as `success`, `failed` or `running`; None if it is not known,
            and in results of v2, which has no such status.
        api: the version of the API that found it.
    """

    id: str
    project_slug: str
    number: int | None
    branch: str | None
    tag: str | None
    revision: str | None
    created_at: datetime
    status: SearchStatus | None
    api: ApiVersion


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What to search for, in the projects of these slugs."""

    project_slugs: tuple[str, ...]
    branch: str | Unset = UNSET
    revision: str | Unset = UNSET
    status: str | Unset = UNSET
    since: datetime | Unset = UNSET
    until: datetime | Unset = UNSET

    @property
    def expression(self) -> str:
        """The filter of a search by v3."""
        fields = {"branch": self.branch, "revision": self.revision}
        named = {f"pipeline.git.{name}": value for name, value in fields.items()} | {"pipeline.status": self.status}
        return " and ".join(f"{name} == {_quoted(value)}" for name, value in named.items() if value is not UNSET)

    def window(self, now: float) -> tuple[datetime, datetime]:
        """The time to search in."""
        until = datetime.fromtimestamp(now, UTC) if self.until is UNSET else self.until
        return until - timedelta(days=DAYS) if self.since is UNSET else self.since, until


def check_query(
    project_slugs: Sequence[object],
    branch: str | Unset,
    revision: str | Unset,
    status: str | Unset,
    since: datetime | Unset,
    until: datetime | Unset,
) -> RunQuery:
    """The query of the arguments of `runs.search`, checked."""
    method = "runs.search"
    listed = check_list(method, "project_slugs", project_slugs)
    slugs = tuple(dict.fromkeys(check_project_slug(method, one, "project_slugs") for one in listed))
    if not slugs:
        raise InvalidArgumentError(f"{method}: project_slugs: expected at least one project, got none.")
    check_filter(method, "branch", branch)
    check_filter(method, "revision", revision)
    if status is not UNSET:
        check(method, status=(status, one_of(*STATUSES)))
    for name, moment in {"since": since, "until": until}.items():
        if moment is not UNSET:
            check(method, **{name: (moment, AWARE)})
    if revision is not UNSET and not is_full_revision(revision):
        raise InvalidArgumentError(
            f"{method}: revision: expected the 40 digits of a commit, got {len(revision)} characters; runs.find takes "
            "the first 7 too."
        )
    return RunQuery(slugs, branch, revision, status, since, until)


def is_full_revision(revision: str) -> bool:
    """Whether it is a whole SHA."""
    return _REVISION.fullmatch(revision) is not None


def status_of(phase: str, outcome: str | None) -> SearchStatus | None:
    """The status of a run by its phase and its current outcome; None for values that are not known."""
    if phase == "ended":
        return _ENDED.get(outcome or "")
    if phase == "started":
        return "failing" if outcome == "failed" else "running"
    return "queued" if phase == "queued" else None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@public("circleci_sdk.helpers")
class RunSearch(Uncopied, Buffered[FoundRun]):
    """The runs of a search, newest first, for `async for`. Returned by `circleci.runs.search`.

    One request at a time, when the next page is needed.
    """

    def __init__(self, caller: Caller, query: RunQuery, /) -> None:
        self._caller = caller
        self._query = query
        self._runs: Buffered[FoundRun] | None = None
        self._api: ApiVersion | None = None

    @property
    def api(self) -> ApiVersion | None:
        """The version of the API that searches: `v3`, or `v2` on a Server and where v3 refuses. None before."""
        return self._api

    def _next_buffered(self) -> FoundRun | Unset:
        return UNSET if self._runs is None else next_buffered(self._runs)

    async def _fill_buffer(self) -> None:
        if self._runs is not None:
            await fill_buffer(self._runs)
            return
        reason: CircleCIError | str = "a Server has no v3"
        if has_v3(self._caller):
            found = _SearchV3(self._caller, self._query)
            try:
                await found.start()
            except NOT_SERVED as error:
                reason = error
            else:
                self._runs, self._api = found, "v3"
                return
        if self._query.status is not UNSET:
            raise InvalidArgumentError(f"runs.search: status: only API v3 searches by it ({reason}); leave it out.")
        note_fallback("runs.search", "v2", reason)
        self._runs, self._api = _SearchV2(self._caller, self._query), "v2"


async def newest_by_v3(caller: Caller, query: RunQuery) -> FoundRun | None:
    """The newest run of a search by v3; None if there is none, or if v3 does not serve this client."""
    reason: CircleCIError | str = "a Server has no v3"
    if has_v3(caller):
        found = _SearchV3(caller, query)
        try:
            await found.start()
        except NOT_SERVED as error:
            reason = error
        else:
            return await anext(found, None)
    note_fallback("runs.find", "v2", reason)
    return None


class _Items(Buffered[T]):
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


class _SearchV3(Buffered[FoundRun]):
    """A search by v3. Its first page is read by `start`."""

    def __init__(self, caller: Caller, query: RunQuery) -> None:
        self._caller = caller
        self._query = query
        self._slugs: dict[str, str] = {}
        self._items: _Items[RunModel] | None = None

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
        self._items = _Items(self._caller, pager)
        await self._items.read()

    def _next_buffered(self) -> FoundRun | Unset:
        assert self._items is not None
        run = next_buffered(self._items)
        return UNSET if run is UNSET else _found_by_v3(run, self._slugs)

    async def _fill_buffer(self) -> None:
        assert self._items is not None
        await fill_buffer(self._items)


class _SearchV2(Buffered[FoundRun]):
    """A search by the lists of v2: those of several projects are merged by the time of their next run."""

    def __init__(self, caller: Caller, query: RunQuery) -> None:
        self._query = query
        self._since, self._until = query.window(caller.clock.time())
        pipelines = V2(caller).pipelines
        self._lists = {
            slug: _Items(caller, pipelines.list_for_project(slug, branch=query.branch)) for slug in query.project_slugs
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
