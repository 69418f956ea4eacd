"""Secrets in many places at once: set, rotated, and looked over. No value ever comes out again."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
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
from circleci_sdk._core.slugs import slug_segments
from circleci_sdk.v1._client import V1
from circleci_sdk.v2._client import V2

from ._patience import pause_after
from ._secret_places import belongs, check_name, check_value, is_id, slug_of
from ._secret_report import SecretInfo, SecretReport, SecretResult, SecretTarget
from ._together import together

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.pagination import AsyncPager
    from circleci_sdk._core.slugs import ProjectSlug
    from circleci_sdk.v2.models import Context

T = TypeVar("T")
Variables = set[str] | CircleCIError | None
"""What a place has, why nobody can tell, or None where nobody looked."""
OnResult = Callable[[SecretResult], None]


class Secrets:
    """Environment variables of many contexts and projects. Reached as `circleci.secrets`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._v1 = V1(caller)
        self._v2 = V2(caller)

    async def set_many(
        self,
        values: Mapping[str, str | SecretStr],
        *,
        contexts: Sequence[str | UUID] = (),
        projects: Sequence[str | ProjectSlug] = (),
        org: str | UUID | None = None,
        dry_run: bool = False,
        concurrency: int = 4,
        timeout: float | None = 1800.0,
        on_result: OnResult | None = None,
    ) -> SecretReport:
        """Create or replace these variables in each of these places.

        One failure does not stop the rest: look at the report, or call its `raise_for_failure`.

        Args:
            values: The values by name. Wrap them in `pydantic.SecretStr` and no traceback shows them either.
            contexts: Ids of contexts; names too, if `org` is given.
            projects: Slugs of projects.
            org: Slug or id of the organization whose contexts are given by name.
            dry_run: Only look, with reading calls, whether each place can be reached and what is there already.
            concurrency: Calls under way at once.
            timeout: Seconds for everything, None for no limit; what is not done by then is reported as failed. When
                the API asks to wait for its rate limit, that is waited for.
            on_result: Called after each variable.

        Returns:
            The report: contexts first, then projects, each with the variables in the order of `values`.

        Raises:
            InvalidArgumentError: A name is no name for a variable, a value is empty, no place is given, or a context
                is not found by its name; nothing was written.

        Calls `v2.contexts.set_env_var` or `v2.projects.set_env_var` once per variable and place; a dry run calls
        `list_env_vars` once per place and page; names of contexts cost `v2.contexts.list`.
        """
        hidden = {check_name(name): check_value(name, value) for name, value in values.items()}
        deadline = self._deadline(timeout)
        targets = await self._targets(contexts, projects, org)
        if not hidden or not targets:
            raise InvalidArgumentError("secrets: give at least one value, and at least one context or project.")
        job = _Job(hidden, dry_run, must_exist=False, deadline=deadline, limit=concurrency, told=on_result)
        found = await self._look(job, targets) if dry_run else [None] * len(targets)
        return await self._carry_out(job, targets, found)

    async def rotate(
        self,
        name: str,
        value: str | SecretStr,
        *,
        contexts: Sequence[str | UUID] = (),
        projects: Sequence[str | ProjectSlug] = (),
        org: str | UUID | None = None,
        dry_run: bool = False,
        concurrency: int = 4,
        timeout: float | None = 1800.0,
        on_result: OnResult | None = None,
    ) -> SecretReport:
        """Replace one variable in each of these places, where it is.

        A place that does not have the variable is left alone and reported as `missing`, which counts as a failure:
        usually a name is misspelt.

        Args:
            name: The variable.
            value: Its new value. Wrap it in `pydantic.SecretStr` and no traceback shows it either.
            contexts: Ids of contexts; names too, if `org` is given.
            projects: Slugs of projects.
            org: Slug or id of an organization. Without `contexts` and `projects`: every place in it that has the
                variable, as `audit` finds them.
            dry_run: Write nothing.
            concurrency: Calls under way at once.
            timeout: Seconds for everything, None for no limit; what is not done by then is reported as failed. When
                the API asks to wait for its rate limit, that is waited for.
            on_result: Called after each place.

        Returns:
            The report.

        Raises:
            InvalidArgumentError: The name or value is refused, no place is given, or a context is not found by its
                name; nothing was written.

        Calls `list_env_vars` of each place, then `set_env_var` where the variable is.
        """
        hidden = {check_name(name): check_value(name, value)}
        deadline = self._deadline(timeout)
        job = _Job(hidden, dry_run, must_exist=True, deadline=deadline, limit=concurrency, told=on_result)
        found: Sequence[Variables]
        if not contexts and not projects and org is not None:
            targets = [info.target async for info in self.audit(org) if info.variable == name]
            found = [{name}] * len(targets)
        else:
            targets = await self._targets(contexts, projects, org)
            found = await self._look(job, targets)
        if not targets:
            raise InvalidArgumentError(
                f"secrets: there is nowhere to rotate {name}; give contexts, projects, or an organization that has it."
            )
        return await self._carry_out(job, targets, found)

    def audit(
        self,
        org: str | UUID,
        *,
        projects: Sequence[str | ProjectSlug] | None = None,
        on_error: Callable[[SecretTarget, CircleCIError], None] | None = None,
    ) -> AsyncIterator[SecretInfo]:
        """Every variable of every context and project of an organization, with its age and without its value.

        Args:
            org: Slug of the organization, such as `gh/acme`, or its id.
            projects: Slugs of the projects. Default: those that the token's user follows; the API has no list of all
                projects of an organization.
            on_error: Called for a context or project that cannot be read, which is then passed over. Default: its
                error is raised, with nothing passed over in silence.

        Returns:
            The variables, contexts first, one request at a time.

        Raises:
            NotFoundError: The organization is missing, or hidden from this token.

        Calls `v2.contexts.list`, `v1.projects.list` unless `projects` are given, and `list_env_vars` of each; for
        some kinds of `org` also `v2.organizations.get`.
        """
        return _Audit(functools.partial(self._audited, org, projects), self._variables, on_error)

    async def _audited(self, org: str | UUID, projects: Sequence[str | ProjectSlug] | None) -> list[SecretTarget]:
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

    async def _targets(
        self, contexts: Sequence[str | UUID], projects: Sequence[str | ProjectSlug], org: str | UUID | None
    ) -> list[SecretTarget]:
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

    def _deadline(self, timeout: float | None) -> float:
        return inf if timeout is None else self._caller.clock.monotonic() + timeout

    async def _look(self, job: _Job, targets: Sequence[SecretTarget]) -> list[Variables]:
        """The variables that each place has, or why nobody can tell."""

        async def look(target: SecretTarget) -> Variables:
            found = await self._patiently(job, functools.partial(self._variables, target))
            return found if isinstance(found, CircleCIError) else {info.variable for info in found}

        return await together(look, targets, limit=job.limit)

    async def _carry_out(self, job: _Job, targets: Sequence[SecretTarget], found: Sequence[Variables]) -> SecretReport:
        async def one(item: tuple[SecretTarget, Variables, str]) -> SecretResult:
            target, there, name = item
            result = job.without_writing(target, there, name)
            if result is None:
                wrote = await self._patiently(job, functools.partial(self._set, target, name, job.hidden[name]))
                error = wrote if isinstance(wrote, CircleCIError) else None
                existed = None if there is None else True
                result = SecretResult(target, name, "set" if error is None else "failed", existed, error)
            if job.told is not None:
                job.told(result)
            return result

        pairs = zip(targets, found, strict=True)
        items = [(target, there, name) for target, there in pairs for name in job.hidden]
        return SecretReport(tuple(await together(one, items, limit=job.limit)))

    async def _patiently(self, job: _Job, work: Callable[[], Awaitable[T]]) -> T | CircleCIError:
        """What the work gives, or its error. Waits for rate limits: a call that was refused has done nothing."""
        clock = self._caller.clock
        refusals = 0
        while True:
            if clock.monotonic() >= job.deadline:
                facts = CallFacts("secrets", "", "", stopped_because="deadline")
                return RequestTimeoutError(
                    "secrets: the time ran out before its turn came. Nothing was sent.", facts=facts
                )
            try:
                return await work()
            except RateLimitError as error:
                refusals += 1
                pause = pause_after(error, refusals, clock.random())
                if error.delivery not in ("refused", "not_sent") or clock.monotonic() + pause >= job.deadline:
                    return error
            except CircleCIError as error:
                return error
            await clock.sleep(pause)

    async def _set(self, target: SecretTarget, name: str, value: SecretStr) -> None:
        if target.place == "context":
            await self._v2.contexts.set_env_var(target.id, name, value=value)
        else:
            await self._v2.projects.set_env_var(target.id, name=name, value=value)

    async def _variables(self, target: SecretTarget) -> list[SecretInfo]:
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


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be written, and how."""

    hidden: Mapping[str, SecretStr]
    dry_run: bool
    must_exist: bool
    deadline: float
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


class _Audit(AsyncIterator[SecretInfo]):
    """The loop of an audit. No async generator: one that is left early has to be closed by somebody."""

    def __init__(
        self,
        find: Callable[[], Awaitable[list[SecretTarget]]],
        read: Callable[[SecretTarget], Awaitable[list[SecretInfo]]],
        on_error: Callable[[SecretTarget, CircleCIError], None] | None,
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
        slug_segments(text, "secrets: projects", count=3, example="gh/acme/web")
    return SecretTarget("project", text, text)
