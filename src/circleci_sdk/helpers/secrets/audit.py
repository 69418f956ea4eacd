"""The iterator of an audit of secrets. No async generator: after an early exit that would need closing."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.logs import logger
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.callbacks import call_back
from circleci_sdk.helpers._shared.reports import raise_for_skipped

from .report import SecretInfo, SecretTarget

if TYPE_CHECKING:
    from circleci_sdk.helpers._shared.skipped import Skipped
    from circleci_sdk.helpers._shared.versions import ApiVersion

    from .work import SecretWork

OnError: TypeAlias = Callable[[SecretTarget, CircleCIError], None]
"""Called for a context or project that cannot be read."""

OPERATIONS: Final = {"context": "v2.contexts.list_env_vars", "project": "v2.projects.list_env_vars"}
"""The operation that lists the variables of each kind of target."""


@public("circleci_sdk.helpers")
class SecretAudit(Uncopied, Buffered[SecretInfo]):
    """The variables of an organization, for `async for`. Returned by `circleci.secrets.audit`.

    A context or project that cannot be read does not stop the rest: it is in `skipped`. After an error a new loop over
    it resumes.
    """

    def __init__(
        self, work: SecretWork, find: Callable[[], Awaitable[Sequence[SecretTarget]]], on_error: OnError | None, /
    ) -> None:
        self._work = work
        self._find = find
        self._on_error = on_error
        self._targets: deque[SecretTarget] | None = None
        self._infos: Iterator[SecretInfo] = iter(())
        self._missed: list[SecretTarget] = []

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The contexts (by id) and projects (by slug) whose variables are missing so far, or some of them.

        Also a project whose slug is unavailable, by id if it has one.
        """
        return self._work.log.skipped

    @property
    def api(self) -> ApiVersion | None:
        """The version of the API that listed the projects: `v3`, or `v1.1`, which lists those that the user follows.

        None before the loop, and if `projects` were given.
        """
        return self._work.listed_by

    def raise_for_failure(self) -> SecretAudit:
        """Return this audit if nothing was passed over so far.

        Otherwise raise `CircleCIError`, whose message lists `skipped`; its `__cause__` is an `ExceptionGroup` of the
        errors.
        """
        raise_for_skipped("secrets.audit", self.skipped)
        return self

    def retry(self) -> SecretAudit:
        """An audit of the contexts and projects that were passed over so far. Makes no call itself."""
        missed = tuple(self._missed)

        async def find() -> Sequence[SecretTarget]:
            return missed

        return SecretAudit(self._work.again(), find, self._on_error)

    def _next_buffered(self) -> SecretInfo | Unset:
        return next(self._infos, UNSET)

    async def _fill_buffer(self) -> None:
        if self._targets is None:
            self._targets = deque(await self._find())
        if not self._targets:
            raise StopAsyncIteration
        target = self._targets[0]
        try:
            infos, gap = await self._work.log.retry_reads(self._work.caller, partial(self._work.listed, target))
        except CircleCIError as error:
            infos, gap = [], error
        if gap is None:
            self._work.log.succeeded()
        else:
            await self._pass_over(target, gap)
        self._targets.popleft()
        self._infos = iter(infos)

    async def _pass_over(self, target: SecretTarget, error: CircleCIError) -> None:
        """Name the target. Raises the error if it concerns all targets."""
        named = if_available(lambda: target.id) or or_unknown(lambda: target.name)
        self._work.log.add(OPERATIONS[target.kind], named, error)
        self._missed.append(target)
        logger.warning("secrets.audit passes over variables of %s: %s", target, error)
        if self._on_error is not None:
            await call_back(self._on_error, target, error)
