"""Items of long work that cannot be read: passed over, counted and named, unless the error concerns all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from circleci_sdk._core.errors import (
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    RateLimitError,
    RequestTimeoutError,
)
from circleci_sdk._core.printable import printable
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS, is_transient, retry_reads
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk.helpers._shared.deadline import TimedCaller

T = TypeVar("T")

MAX_RETRYING: Final = 60.0
"""Seconds within which the read of one item is repeated."""
MAX_FAILING: Final = 300.0
"""Seconds of transient errors in a row, after which no read is repeated until one succeeds: there may be thousands."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class Skipped(Value):
    """An item that could not be read and was passed over.

    `operation` is what failed, such as `v2.workflows.list_jobs`; `id` identifies the item in it: an id, a number, a
    name or a path. `error` is the reason. `parent` is the id of the pipeline that a list of `history` belongs to, if it
    is available.
    """

    operation: str
    id: str
    error: Exception = field(compare=False)
    parent: str | None = None

    def __str__(self) -> str:
        return f"{printable(f'{self.operation} {self.id}')}: {printable(str(self.error), lines=True)}"


class SkipLog:
    """The items passed over by one piece of work, in order; of one with a timeout for all items, with its `caller`."""

    def __init__(self, caller: TimedCaller | None = None) -> None:
        self._caller = caller
        self._skipped: list[Skipped] = []
        self._refusals = 0
        self._failing_since: float | None = None

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The items that were passed over."""
        return tuple(self._skipped)

    def add(self, operation: str, item: str, error: Exception, parent: str | None = None) -> None:
        """Pass over an item. Raises the error if it concerns all items."""
        self.check(error)
        self.keep(Skipped(operation, item, error, parent))

    def check(self, error: Exception) -> None:
        """Raise the error of an item if it concerns all items."""
        self._refusals = self._refusals + 1 if isinstance(error, AuthenticationError) else 0
        if isinstance(error, ClientClosedError | RateLimitError) or self._refusals >= MAX_REFUSALS:
            raise error
        if isinstance(error, RequestTimeoutError) and self._caller is not None and self._caller.is_over:
            raise error

    def keep(self, skipped: Skipped) -> None:
        """Add an item whose error does not concern all items."""
        forget_frames(skipped.error)
        self._skipped.append(skipped)

    @contextmanager
    def all_or_none(self) -> Generator[None]:
        """Forget what the block adds if it does not end, since its items are asked again."""
        before = len(self._skipped)
        try:
            yield
        except BaseException:  # a cancellation too
            del self._skipped[before:]
            self._refusals = 0
            raise

    async def attempt(self, operation: str, item: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `work`; None if it failed, so that the item is passed over."""
        try:
            result = await work()
        except CircleCIError as error:
            self.add(operation, item, error)
            return None
        self.succeeded()
        return result

    async def retry_reads(self, caller: Caller, read: Callable[[], Awaitable[T]]) -> T:
        """As the function of this name, for one of many items: the time that it may take is limited."""
        start = caller.clock.monotonic()
        since = start if self._failing_since is None else self._failing_since
        try:
            result = await retry_reads(caller, read, until=min(start + MAX_RETRYING, since + MAX_FAILING))
        except CircleCIError as error:
            self._failing_since = since if is_transient(error) else None
            raise
        self._failing_since = None
        return result

    def succeeded(self) -> None:
        """Note that an item was read: what follows is no repetition of an earlier refusal."""
        self._refusals = 0


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error that is kept: their frames hold responses and clients."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.__traceback__ = None
            waiting += [one.__cause__, one.__context__]
