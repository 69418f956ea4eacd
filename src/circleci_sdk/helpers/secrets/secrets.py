"""Secrets in many places at once: set, rotated, and looked over. No value ever comes out again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from circleci_sdk._core.errors import CircleCIError, InvalidArgumentError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.arguments import check_count
from circleci_sdk.helpers._shared.deadline import TimedCaller

from .targets import check_name, check_value
from .work import Audit, OnResult, SecretJob, SecretWork, Variables

if TYPE_CHECKING:
    from pydantic import SecretStr

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug

    from .report import SecretInfo, SecretReport, SecretTarget


@public("circleci_sdk.helpers")
class Secrets:
    """Environment variables of many contexts and projects. Reached as `circleci.secrets`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

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
        check_count("secrets.set_many", "concurrency", concurrency)
        work = self._work(timeout)
        targets = await work.targets(contexts, projects, org)
        if not hidden or not targets:
            raise InvalidArgumentError("secrets: give at least one value, and at least one context or project.")
        job = SecretJob(hidden, dry_run, must_exist=False, limit=concurrency, told=on_result)
        found = await work.look(targets, limit=concurrency) if dry_run else [None] * len(targets)
        return await work.carry_out(job, targets, found)

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
        check_count("secrets.rotate", "concurrency", concurrency)
        work = self._work(timeout)
        job = SecretJob(hidden, dry_run, must_exist=True, limit=concurrency, told=on_result)
        found: Sequence[Variables]
        if not contexts and not projects and org is not None:
            audit = Audit(partial(work.all_targets, org), work.variables)
            targets = [info.target async for info in audit if info.variable == name]
            found = [{name}] * len(targets)
        else:
            targets = await work.targets(contexts, projects, org)
            found = await work.look(targets, limit=concurrency)
        if not targets:
            raise InvalidArgumentError(
                f"secrets: there is nowhere to rotate {name}; give contexts, projects, or an organization that has it."
            )
        return await work.carry_out(job, targets, found)

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
        work = self._work(None)
        return Audit(partial(work.all_targets, org, projects), work.variables, on_error)

    def _work(self, timeout: float | None) -> SecretWork:
        return SecretWork(TimedCaller(self._caller, timeout))
