"""The calls behind `secrets`: resolve the targets, read their variables, write the new values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import UUID

from circleci_sdk._core.errors import (
    CallFacts,
    CircleCIError,
    FieldUnavailableError,
    InvalidArgumentError,
    RateLimitError,
    RequestTimeoutError,
)
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._shared.arguments import check_project_slug, is_id
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.callbacks import call_back
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.organizations import org_id_of
from circleci_sdk.helpers._shared.partial import try_field
from circleci_sdk.helpers._shared.retrying import backoff, retry_reads
from circleci_sdk.helpers._shared.skipped import SkipLog
from circleci_sdk.v2._client import V2

from .projects import ProjectLister
from .report import SecretInfo, SecretReport, SecretResult, SecretTarget
from .targets import check_targets

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.helpers._shared.deadline import TimedCaller
    from circleci_sdk.helpers._shared.versions import ApiVersion
    from circleci_sdk.v2.models import Context, ContextEnvVar, ProjectEnvVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of the variables of a target. `gap` is the reason why there may be others, None for a full list."""

    found: frozenset[str]
    gap: CircleCIError | None = None


Variables: TypeAlias = Names | CircleCIError | None
"""The variables of a target; the error if they could not be read; None if they were not read."""
OnResult: TypeAlias = Callable[[SecretResult], None]
"""Called after each result."""


@dataclass(frozen=True, slots=True)
class SecretJob:
    """What to write, and how."""

    hidden: Mapping[str, SecretStr]
    dry_run: bool
    must_exist: bool
    limit: int
    on_result: OnResult | None

    def without_writing(self, target: SecretTarget, existing: Variables, name: str) -> SecretResult | None:
        """The result for a variable that is not written; None if it is to be written."""
        if isinstance(existing, CircleCIError):
            return SecretResult(target, name, "failed", None, existing)
        existed = existing is not None and name in existing.found
        if not existed and (existing is None or existing.gap is not None):
            if self.must_exist and existing is not None:
                return SecretResult(target, name, "failed", None, existing.gap)
            return SecretResult(target, name, "would_set", None) if self.dry_run else None
        if self.must_exist and not existed:
            return SecretResult(target, name, "missing", existed)
        return SecretResult(target, name, "would_set", existed) if self.dry_run else None


class SecretWork:
    """The reads and writes of one call of `secrets`, within one timeout. `method` is that call, for error texts."""

    def __init__(self, caller: TimedCaller, method: str) -> None:
        self.log: SkipLog = SkipLog()
        self.caller = caller
        self.listed_by: ApiVersion | None = None
        self._method = method
        self._v2 = V2(caller)

    def again(self) -> SecretWork:
        """The same work, with nothing passed over yet."""
        return SecretWork(self.caller, self._method)

    async def targets(
        self, contexts: Sequence[str | UUID], projects: Sequence[str | ProjectSlug], org: str | Unset
    ) -> list[SecretTarget]:
        """The targets, each once. Raises `InvalidArgumentError` for a context that is unknown and for invalid slugs."""
        method = self._method
        check_targets(method, contexts, projects)
        projects_given = [self._project(slug) for slug in projects]
        names = [str(one) for one in contexts if not is_id(one)]
        known: dict[str, Context] = {}
        unavailable = 0
        if names:
            if org is UNSET:
                raise InvalidArgumentError(f"{method}: contexts: {names[0]!r} is no id; context names require org=.")
            async for context in await self._contexts_of(org):
                name = if_available(lambda one: one.name, context)
                if name is None:
                    unavailable += 1
                else:
                    known[name] = context
            if unknown := [name for name in names if name not in known]:
                gap = f" The names of {unavailable} contexts are unavailable; pass the id." if unavailable else ""
                raise InvalidArgumentError(
                    f"{method}: contexts: {org} has no context named {', '.join(map(repr, unknown))}.{gap}"
                )
        texts = [str(one) for one in contexts]
        targets = [SecretTarget("context", known[text].id if text in known else text, text) for text in texts]
        targets += projects_given
        return list({(target.kind, target.id): target for target in targets}.values())

    async def all_targets(
        self,
        org: str,
        projects: Sequence[str | ProjectSlug] | Unset = UNSET,
        contexts: Sequence[str | UUID] | Unset = UNSET,
    ) -> list[SecretTarget]:
        """These contexts, or all of an organization, then these projects, or those of it."""
        if contexts is UNSET:
            targets = await retry_reads(self.caller, partial(self._every_context, org))
        else:
            targets = await self.targets(contexts, (), org)
        if projects is UNSET:
            projects, self.listed_by = await ProjectLister(self.caller, self._method, self.log).slugs(org)
        return targets + [self._project(one) for one in projects]

    async def _every_context(self, org: str) -> list[SecretTarget]:
        return [_target_of(one) async for one in await self._contexts_of(org)]

    async def _contexts_of(self, org: str) -> AsyncPager[Context]:
        if is_id(org):
            return self._v2.contexts.list(owner_id=org)
        if org.startswith("circleci/"):  # the API lists contexts of such organizations by id only
            return self._v2.contexts.list(owner_id=await org_id_of(self._v2, org))
        return self._v2.contexts.list(owner_slug=org)

    def _project(self, slug: str | ProjectSlug) -> SecretTarget:
        text = check_project_slug(self._method, slug, "projects")
        return SecretTarget("project", text, text)

    async def listed(self, target: SecretTarget) -> tuple[list[SecretInfo], CircleCIError | None]:
        """The variables of a target that the API lists, and the reason why it may have others."""
        now = datetime.fromtimestamp(self.caller.clock.time(), UTC)
        if target.kind == "context":
            page = await self._v2.contexts.list_env_vars(target.id)
            infos = [_info_of(target, one, now) for one in page]
            if not page.is_truncated:
                return infos, None
            return infos, CircleCIError(
                f"{self._method}: the API lists only the first {len(infos)} variables of {target}; it may have others."
            )
        variables = self._v2.projects.list_env_vars(target.id)
        return [_info_of_project(target, one, now) async for one in variables], None

    async def _names(self, target: SecretTarget) -> Names:
        """The names of the variables of a target."""
        found: set[str] = set()
        infos, gap = await self.listed(target)
        for info in infos:
            try:
                found.add(info.variable)
            except FieldUnavailableError as error:
                gap = error
        return Names(frozenset(found), gap)

    async def read(self, targets: Sequence[SecretTarget], *, limit: int) -> list[Variables]:
        """The names of the variables of each target, or its error."""

        async def read_one(target: SecretTarget) -> Variables:
            return await self._attempt(partial(self._names, target))

        return await map_concurrently(read_one, targets, limit=limit)

    async def holders(self, name: str, org: str, *, limit: int) -> list[tuple[SecretTarget, Variables]]:
        """The contexts and projects of an organization that have a variable, or may have it; with their errors."""
        targets = await self.all_targets(org)
        holders: list[tuple[SecretTarget, Variables]] = []
        for target, names in zip(targets, await self.read(targets, limit=limit), strict=True):
            if isinstance(names, CircleCIError) or (
                names is not None and (name in names.found or names.gap is not None)
            ):
                holders.append((target, names))
        return holders

    async def write(self, job: SecretJob, targets: Sequence[SecretTarget], found: Sequence[Variables]) -> SecretReport:
        """Write each variable to each target, unless `found` or the job prevents it."""

        async def one(item: tuple[SecretTarget, Variables, str]) -> SecretResult:
            target, existing, name = item
            result = job.without_writing(target, existing, name)
            if result is None:
                wrote = await self._attempt(partial(self._set, target, name, job.hidden[name]))
                error = wrote if isinstance(wrote, CircleCIError) else None
                existed = None if existing is None else True
                result = SecretResult(target, name, "set" if error is None else "failed", existed, error)
            if job.on_result is not None:
                await call_back(job.on_result, result)
            return result

        pairs = zip(targets, found, strict=True)
        items = [(target, existing, name) for target, existing in pairs for name in job.hidden]
        return SecretReport(tuple(await map_concurrently(one, items, limit=job.limit)))

    async def _set(self, target: SecretTarget, name: str, value: SecretStr) -> None:
        if target.kind == "context":
            await self._v2.contexts.set_env_var(target.id, name, value=value)
        else:
            await self._v2.projects.set_env_var(target.id, name=name, value=value)

    async def _attempt(self, work: Callable[[], Awaitable[T]]) -> T | CircleCIError:
        """The result of `work`, or its error. Waits for rate limits: a rejected call has written nothing."""
        clock, deadline = self.caller.clock, self.caller.deadline
        rejections = 0
        while True:
            if clock.monotonic() >= deadline:
                facts = CallFacts(self._method, "", "", retry_stop_reason="deadline")
                return RequestTimeoutError(
                    f"{self._method}: the timeout passed before this request. Nothing was sent.", facts=facts
                )
            try:
                return await work()
            except RateLimitError as error:
                rejections += 1
                pause = backoff(error, rejections, clock.random(), deadline - clock.monotonic())
                if error.request_outcome not in ("rejected", "not_sent") or clock.monotonic() + pause >= deadline:
                    return error
            except CircleCIError as error:
                return error
            await self.caller.session.sleep(pause)


def _target_of(context: Context) -> SecretTarget:
    return SecretTarget("context", try_field(lambda: context.id), try_field(lambda: context.name))


def _info_of(target: SecretTarget, one: ContextEnvVar, now: datetime) -> SecretInfo:
    return SecretInfo(
        target,
        try_field(lambda: one.variable),
        try_field(lambda: one.created_at),
        try_field(lambda: one.updated_at),
        try_field(lambda: age_of(one.updated_at or one.created_at, now)),
    )


def _info_of_project(target: SecretTarget, one: ProjectEnvVar, now: datetime) -> SecretInfo:
    return SecretInfo(
        target,
        try_field(lambda: one.name),
        try_field(lambda: one.created_at),
        None,
        try_field(lambda: age_of(one.created_at, now)),
    )


def age_of(moment: datetime | None, now: datetime) -> timedelta | None:
    """The time since a moment; None without one."""
    return None if moment is None else now - moment
