"""Searches for runs: by API v3, else in the lists of v2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered, fill_buffer, next_buffered
from circleci_sdk.helpers._shared.versions import NOT_SERVED, ApiVersion, has_v3, note_fallback

from .search_query import FoundRun, RunQuery
from .search_v2 import SearchV2
from .search_v3 import SearchV3

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import CircleCIError


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
            found = SearchV3(self._caller, self._query)
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
        self._runs, self._api = SearchV2(self._caller, self._query), "v2"


async def newest_by_v3(caller: Caller, query: RunQuery) -> FoundRun | None:
    """The newest run of a search by v3; None if there is none, or if v3 does not serve this client."""
    reason: CircleCIError | str = "a Server has no v3"
    if has_v3(caller):
        found = SearchV3(caller, query)
        try:
            await found.start()
        except NOT_SERVED as error:
            reason = error
        else:
            return await anext(found, None)
    note_fallback("runs.find", "v2", reason)
    return None
