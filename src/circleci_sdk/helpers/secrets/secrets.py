"""Secrets in many contexts and projects at once: set, rotate, audit. Values are never returned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from circleci_sdk._core.checks import BOOL, MAPPING, check
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._shared.arguments import CALLBACK, check_count, check_org, check_timeout
from circleci_sdk.helpers._shared.deadline import TimedCaller

from .audit import SecretAudit
from .targets import check_name, check_targets, check_value
from .work import OnResult, SecretJob, SecretWork, Variables

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug

    from .audit import OnError
    from .report import SecretReport


@public("circleci_sdk.helpers")
class Secrets(Uncopied):
    """Environment variables of many contexts and projects. Available as `circleci.secrets`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return "<Secrets>"

    async def set_many(
        self,
        values: Mapping[str, str | SecretStr],
        *,
        contexts: Sequence[str | UUID] = (),
        projects: Sequence[str | ProjectSlug] = (),
        org: str | UUID | Unset = UNSET,
        dry_run: bool = False,
        concurrency: int = 4,
        timeout: float | None = 1800.0,
        on_result: OnResult | None = None,
    ) -> SecretReport:
        """Create or replace variables in each of these contexts and projects.

        One failure does not stop the rest: see the report, or call its `raise_for_failure`.

        Args:
            values: The values by name. Tracebacks do not show values wrapped in `pydantic.SecretStr`.
            contexts: Ids of contexts; with `org` also names.
            projects: Slugs of projects.
            org: Slug or id of the organization whose contexts are given by name.
            dry_run: Write nothing; read whether each target is accessible and which variables exist.
            concurrency: The most calls in progress at once.
            timeout: Seconds for all calls together, None for no limit; unfinished writes are reported as failed. The
                time includes waits for the rate limit.
            on_result: Called after each variable.

        Returns:
            The report: contexts first, then projects, each with the variables in the order of `values`.

        Raises:
            InvalidArgumentError: An argument is invalid, a value is empty, no target is given, or there is no context
                of a given name; nothing was written.

        Calls `v2.contexts.set_env_var` or `v2.projects.set_env_var` once per variable and target; a dry run calls
        `list_env_vars` once per target and page; context names require `v2.contexts.list`.
        """
        method = "secrets.set_many"
        check(method, values=(values, MAPPING), dry_run=(dry_run, BOOL), on_result=(on_result, CALLBACK))
        names = [check_name(method, name, "values") for name in values]
        hidden = {name: check_value(method, name, values[name]) for name in names}
        work = self._work(method, concurrency, timeout)
        targets = await work.targets(contexts, projects, _checked_org(method, org))
        if not hidden or not targets:
            raise InvalidArgumentError(f"{method}: expected at least one value, and at least one context or project.")
        job = SecretJob(hidden, dry_run, must_exist=False, limit=concurrency, on_result=on_result)
        found = await work.read(targets, limit=concurrency) if dry_run else [None] * len(targets)
        return await work.write(job, targets, found)

    async def rotate(
        self,
        name: str,
        value: str | SecretStr,
        *,
        contexts: Sequence[str | UUID] = (),
        projects: Sequence[str | ProjectSlug] = (),
        org: str | UUID | Unset = UNSET,
        dry_run: bool = False,
        concurrency: int = 4,
        timeout: float | None = 1800.0,
        on_result: OnResult | None = None,
    ) -> SecretReport:
        """Replace one variable in each of these contexts and projects that has it.

        A target without the variable is not changed and reported as `missing`, which counts as a failure: usually the
        name is misspelt.

        Args:
            name: The variable.
            value: Its new value. Tracebacks do not show a value wrapped in `pydantic.SecretStr`.
            contexts: Ids of contexts; with `org` also names.
            projects: Slugs of projects.
            org: Slug or id of an organization. Without `contexts` and `projects`: all its contexts and projects that
                have the variable. One that cannot be read may have it, and so may a context with more variables than
                the API lists: it is not changed and reported as `failed`.
            dry_run: Write nothing.
            concurrency: The most calls in progress at once.
            timeout: Seconds for all calls together, None for no limit; unfinished writes are reported as failed. The
                time includes waits for the rate limit.
            on_result: Called after each target.

        Returns:
            The report.

        Raises:
            InvalidArgumentError: An argument is invalid, no target is given, or there is no context of a given name;
                nothing was written.

        Calls `list_env_vars` of each target, then `set_env_var` of those that have the variable.
        """
        method = "secrets.rotate"
        check(method, dry_run=(dry_run, BOOL), on_result=(on_result, CALLBACK))
        hidden = {check_name(method, name): check_value(method, name, value)}
        owner = _checked_org(method, org)
        work = self._work(method, concurrency, timeout)
        job = SecretJob(hidden, dry_run, must_exist=True, limit=concurrency, on_result=on_result)
        found: Sequence[Variables]
        if not contexts and not projects and owner is not UNSET:
            holders = await work.holders(name, owner, limit=concurrency)
            targets, found = [target for target, _ in holders], [names for _, names in holders]
        else:
            targets = await work.targets(contexts, projects, owner)
            found = await work.read(targets, limit=concurrency)
        if not targets:
            raise InvalidArgumentError(
                f"{method}: nothing has {name}; expected contexts, projects, or an organization that has it."
            )
        return await work.write(job, targets, found)

    def audit(
        self,
        org: str | UUID,
        *,
        contexts: Sequence[str | UUID] | Unset = UNSET,
        projects: Sequence[str | ProjectSlug] | Unset = UNSET,
        on_error: OnError | None = None,
    ) -> SecretAudit:
        """Every variable of every context and project of an organization, with its age and without its value.

        A context or project that cannot be read does not stop the rest: it is in `SecretAudit.skipped`, and a WARNING
        is logged. So is a context with more variables than the API lists, about 100.

        Args:
            org: Slug of the organization, such as `gh/acme`, or its id.
            contexts: Ids or names of the contexts. Default: all of the organization.
            projects: Slugs of the projects. Default: all of the organization, by API v3. On a CircleCI Server, and if
                v3 refuses the token or does not find the organization: those that the user of the token follows.
            on_error: Called for each context or project that is passed over.

        Returns:
            An iterator of the variables, contexts first, one request at a time. After the loop, `raise_for_failure`
            raises if something was passed over, and `retry` reads it again.

        Raises:
            InvalidArgumentError: At once, for invalid arguments. From the loop, if there is no context of a given name.
            NotFoundError: From the loop; the organization is missing, or hidden from this token.
            AuthenticationError: From the loop; a list of targets was refused, or three targets in a row.
            CallError: From the loop; the targets cannot be listed, or the rate limit allows no more calls.

        Calls `v2.contexts.list` and `list_env_vars` of each; unless `projects` are given also `v2.organizations.get`
        for a slug, `v3.projects.list`, and `v2.projects.get` for each project (on a Server `v1.projects.list`).
        Transient errors are retried.
        """
        method = "secrets.audit"
        owner = check_org(method, org)
        check_targets(method, () if contexts is UNSET else contexts, () if projects is UNSET else projects)
        check(method, on_error=(on_error, CALLBACK))
        work = SecretWork(TimedCaller(self._caller, None), method)
        return SecretAudit(work, partial(work.all_targets, owner, projects, contexts), on_error)

    def _work(self, method: str, concurrency: int, timeout: float | None) -> SecretWork:
        check_count(method, "concurrency", concurrency)
        check_timeout(method, timeout)
        return SecretWork(TimedCaller(self._caller, timeout), method)


def _checked_org(method: str, org: str | UUID | Unset) -> str | Unset:
    return UNSET if org is UNSET else check_org(method, org)
