"""The projects of an organization: all of them by API v3, else those that the user follows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.logs import logger
from circleci_sdk.helpers._shared.available import or_unknown
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.organizations import org_id_of, org_slug_of
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.versions import NOT_SERVED, has_v3, note_fallback
from circleci_sdk.v1._client import V1
from circleci_sdk.v2._client import V2
from circleci_sdk.v3._client import V3

from .targets import belongs, slug_of

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.deadline import TimedCaller
    from circleci_sdk.helpers._shared.skipped import SkipLog
    from circleci_sdk.helpers._shared.versions import ApiVersion
    from circleci_sdk.v1.models import Project as FollowedProject
    from circleci_sdk.v3.models import Project

_LARGEST_PAGE: Final = 50
_CONCURRENCY: Final = 4


class ProjectLister:
    """The slugs of projects, for a method that is named in texts. Projects without a slug are in the log."""

    def __init__(self, caller: TimedCaller, method: str, log: SkipLog) -> None:
        self._caller = caller
        self._method = method
        self._log = log

    async def slugs(self, org: str) -> tuple[list[str], ApiVersion]:
        """The projects of an organization, sorted, and what listed them: v3, else v1.1 those that the user follows."""
        reason: CircleCIError | str = "a Server has no v3"
        if has_v3(self._caller):
            try:
                return await self._all(org), "v3"
            except NOT_SERVED as error:
                reason = error
        note_fallback(self._method, "v1.1", reason)
        org_slug = await retry_reads(self._caller, partial(org_slug_of, V2(self._caller), org))
        return await self._followed(org_slug), "v1.1"

    async def _all(self, org: str) -> list[str]:
        org_id = await retry_reads(self._caller, partial(org_id_of, V2(self._caller), org))
        listed = V3(self._caller).projects.list(org_id=org_id, page_size=_LARGEST_PAGE)
        projects = await retry_reads(self._caller, listed.collect)
        slugs = await map_concurrently(self._slug, projects, limit=_CONCURRENCY)
        return sorted(slug for slug in slugs if slug is not None)

    async def _slug(self, project: Project) -> str | None:
        """The slug of a project, which only v2 has; None for a project that is passed over."""
        try:
            slug = (await retry_reads(self._caller, lambda: V2(self._caller).projects.get(project.id))).slug
        except CircleCIError as error:
            logger.warning("%s leaves out a project: its slug is unavailable", self._method)
            self._log.add("v2.projects.get", or_unknown(lambda: project.id), error)
            return None
        self._log.succeeded()
        return slug

    async def _followed(self, org_slug: str) -> list[str]:
        projects = await retry_reads(self._caller, lambda: V1(self._caller).projects.list().collect())
        found: set[str] = set()
        for project in projects:
            slug = slug_of(project)
            if slug is None:
                logger.warning("%s leaves out a followed project: its slug is unavailable", self._method)
                reason = CircleCIError(f"{self._method}: the slug of a followed project is unavailable.")
                self._log.add("v1.projects.list", or_unknown(partial(_name_of, project)), reason)
            else:
                found.add(slug)
        return sorted(one for one in found if belongs(one, org_slug))


def _name_of(project: FollowedProject) -> str:
    return project.reponame
