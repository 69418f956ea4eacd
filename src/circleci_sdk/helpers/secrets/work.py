"""The calls behind `secrets`: which places are meant, what is there, and what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from circleci_sdk._core.errors import (
    CallFacts,
    CircleCIError,
    InvalidArgumentError,
    RateLimitError,
    RequestTimeoutError,
)
from circleci_sdk._core.options import is_text
from circleci_sdk._core.serialization.slugs import slug_segments
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.retrying import backoff
from circleci_sdk.v1._client import V1
from circleci_sdk.v2._client import V2

from .report import SecretInfo, SecretReport, SecretResult, SecretTarget
from .targets import belongs, is_id, slug_of

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.helpers._shared.deadline import TimedCaller
    from circleci_sdk.v2.models import Context

T = TypeVar("T")
Variables = set[str] | CircleCIError | None
"""What a place has, why nobody can tell, or None where nobody looked."""
OnResult = Callable[[SecretResult], None]


@dataclass(frozen=True, slots=True)
class SecretJob:
    """What is to be written, and how."""

    hidden: Mapping[str, SecretStr]
    dry_run: bool
    must_exist: bool
    limit: int
    told: OnResult | None

    def without_writing(self, target: SecretTarget, there: Variables, name: str) -> SecretResult | None:
        """What is to be said of a variable that is not written; None if it is to be written."""
        if isinstance(there, CircleCIError):
            return SecretResult(target, name, "failed", None, there)
        existed = None if there is None else name in there
        if self.must_exist and not existed:
            return SecretResult(target, name, "missing", existed)
        return SecretResult(target, name, "would_set", existed) if self.dry_run else None


class SecretWork:
    """Everything that is asked and written within the time of one caller."""

    def __init__(self, caller: TimedCaller) -> None:
        self._caller = caller
        self._v1 = V1(caller)
        self._v2 = V2(caller)

    async def targets(
        self, contexts: Sequence[str | UUID], projects: Sequence[str | ProjectSlug], org: str | UUID | None
    ) -> list[SecretTarget]:
        """The places that are meant, each once. Raises `InvalidArgumentError` for what cannot be one."""
        if is_text(contexts) or is_text(projects):
            raise InvalidArgumentError("secrets: contexts and projects are lists; put the one into brackets.")
        names = [str(one) for one in contexts if not is_id(one)]
        known: dict[str, str] = {}
        if names:
            if org is None:
                raise InvalidArgumentError(f"secrets: {names[0]!r} is no id of a context; for names give org= too.")
            known = {context.name: context.id async for context in await self._contexts_of(org)}
            if unknown := [name for name in names if name not in known]:
                raise InvalidArgumentError(f"secrets: {org} has no context called {', '.join(map(repr, unknown))}.")
        targets = [SecretTarget("context", known.get(str(one), str(one)), str(one)) for one in contexts]
        targets += [_project(slug) for slug in projects]
        return list({(target.place, target.id): target for target in targets}.values())

    async def all_targets(
        self, org: str | UUID, projects: Sequence[str | ProjectSlug] | None = None
    ) -> list[SecretTarget]:
        """All contexts of an organization, then these projects of it, or those that the token's user follows."""
        targets = [SecretTarget("context", one.id, one.name) async for one in await self._contexts_of(org)]
        if projects is None:
            slug = (await self._v2.organizations.get(str(org))).slug if is_id(org) else str(org)
            followed = {slug_of(one) async for one in self._v1.projects.list()}
            projects = sorted(one for one in followed if one is not None and belongs(one, slug))
        return targets + [_project(one) for one in projects]

    async def _contexts_of(self, org: str | UUID) -> AsyncPager[Context]:
        if is_id(org):
            return self._v2.contexts.list(owner_id=org)
        if str(org).startswith("circleci/"):  # contexts know such organizations by their id only
            return self._v2.contexts.list(owner_id=(await self._v2.organizations.get(str(org))).id)
        return self._v2.contexts.list(owner_slug=str(org))

    async def variables(self, target: SecretTarget) -> list[SecretInfo]:
        """What a place has."""
        now = datetime.fromtimestamp(self._caller.clock.time(), UTC)
        if target.place == "context":
            return [
                SecretInfo(
                    target, one.variable, one.created_at, one.updated_at, _since(one.updated_at or one.created_at, now)
                )
                async for one in self._v2.contexts.list_env_vars(target.id)
            ]
        return [
            SecretInfo(target, one.name, one.created_at, None, _since(one.created_at, now))
            async for one in self._v2.projects.list_env_vars(target.id)
        ]

    async def look(self, targets: Sequence[SecretTarget], *, limit: int) -> list[Variables]:
        """The variables that each place has, or why nobody can tell."""

        async def look(target: SecretTarget) -> Variables:
            found = await self._patiently(partial(self.variables, target))
            return found if isinstance(found, CircleCIError) else {info.variable for info in found}

        return await map_concurrently(look, targets, limit=limit)

    async def carry_out(
        self, job: SecretJob, targets: Sequence[SecretTarget], found: Sequence[Variables]
    ) -> SecretReport:
        """Write each variable to each place, unless `found` or the job say otherwise."""

        async def one(item: tuple[SecretTarget, Variables, str]) -> SecretResult:
            target, there, name = item
            result = job.without_writing(target, there, name)
            if result is None:
                wrote = await self._patiently(partial(self._set, target, name, job.hidden[name]))
                error = wrote if isinstance(wrote, CircleCIError) else None
                existed = None if there is None else True
                result = SecretResult(target, name, "set" if error is None else "failed", existed, error)
            if job.told is not None:
                job.told(result)
            return result

        pairs = zip(targets, found, strict=True)
        items = [(target, there, name) for target, there in pairs for name in job.hidden]
        return SecretReport(tuple(await map_concurrently(one, items, limit=job.limit)))

    async def _set(self, target: SecretTarget, name: str, value: SecretStr) -> None:
        if target.place == "context":
            await self._v2.contexts.set_env_var(target.id, name, value=value)
        else:
            await self._v2.projects.set_env_var(target.id, name=name, value=value)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T | CircleCIError:
        """What the work gives, or its error. Waits for rate limits: a call that was refused has done nothing."""
        clock, deadline = self._caller.clock, self._caller.deadline
        refusals = 0
        while True:
            if clock.monotonic() >= deadline:
                facts = CallFacts("secrets", "", "", retry_stop_reason="deadline")
                return RequestTimeoutError(
                    "secrets: the time ran out before its turn came. Nothing was sent.", facts=facts
                )
            try:
                return await work()
            except RateLimitError as error:
                refusals += 1
                pause = backoff(error, refusals, clock.random())
                if error.request_outcome not in ("rejected", "not_sent") or clock.monotonic() + pause >= deadline:
                    return error
            except CircleCIError as error:
                return error
            await clock.sleep(pause)


class Audit(AsyncIterator[SecretInfo]):
    """The loop of an audit. No async generator: one that is left early has to be closed by somebody."""

    def __init__(
        self,
        find: Callable[[], Awaitable[list[SecretTarget]]],
        read: Callable[[SecretTarget], Awaitable[list[SecretInfo]]],
        on_error: Callable[[SecretTarget, CircleCIError], None] | None = None,
    ) -> None:
        self._find = find
        self._read = read
        self._on_error = on_error
        self._targets: Iterator[SecretTarget] | None = None
        self._infos: Iterator[SecretInfo] = iter(())

    async def __anext__(self) -> SecretInfo:
        while True:
            for info in self._infos:
                return info
            if self._targets is None:
                self._targets = iter(await self._find())
            target = next(self._targets, None)
            if target is None:
                raise StopAsyncIteration
            try:
                self._infos = iter(await self._read(target))
            except CircleCIError as error:
                if self._on_error is None:
                    raise
                self._on_error(target, error)


def _since(moment: datetime | None, now: datetime) -> timedelta | None:
    return None if moment is None else now - moment


def _project(slug: str | ProjectSlug) -> SecretTarget:
    text = str(slug)
    if not is_id(text):
        slug_segments(text, "secrets: projects", count=3)
    return SecretTarget("project", text, text)
