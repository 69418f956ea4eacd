"""What is told of secrets: where they are, and what became of them. Never their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from circleci_sdk._core.errors import CallError, CircleCIError
from circleci_sdk._public import public

if TYPE_CHECKING:
    from circleci_sdk._core.errors import RequestOutcome

Place = Literal["context", "project"]
Outcome = Literal["set", "would_set", "missing", "failed"]


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretTarget:
    """A context or a project. `id` is the context's id or the project's slug, `name` what people call it."""

    place: Place
    id: str
    name: str

    def __str__(self) -> str:
        return f"{self.place} {self.name}"


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretResult:
    """What became of one variable in one place.

    `outcome` is `set`; `would_set` in a dry run; `missing` when it was to be rotated and is not there; `failed`, and
    then `error` says why. `existed` says whether the variable was there before, or None if nobody looked.
    """

    target: SecretTarget
    variable: str
    outcome: Outcome
    existed: bool | None = None
    error: CircleCIError | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether it went as asked."""
        return self.outcome in ("set", "would_set")

    @property
    def request_outcome(self) -> RequestOutcome | None:
        """Of a failure: whether the value may have been written all the same; see `circleci_sdk.CallError`."""
        if self.error is None:
            return None
        return self.error.request_outcome if isinstance(self.error, CallError) else "not_sent"

    def __str__(self) -> str:
        said = f": {self.error} [{self.request_outcome}]" if self.error is not None else ""
        return f"{self.variable} in {self.target}: {self.outcome}{said}"


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretReport:
    """What became of each variable in each place, in the order they were given. Holds no values."""

    results: tuple[SecretResult, ...]

    @property
    def ok(self) -> bool:
        """Whether all went as asked."""
        return not self.failed

    @property
    def failed(self) -> tuple[SecretResult, ...]:
        """Those that did not go as asked: `failed` and `missing`."""
        return tuple(result for result in self.results if not result.ok)

    def raise_for_failure(self) -> SecretReport:
        """This report, if all went as asked.

        Otherwise raises `CircleCIError`, which names each variable and place that failed, and why; the errors
        themselves hang on it as an `ExceptionGroup`, its `__cause__`.
        """
        failed = self.failed
        if not failed:
            return self
        lines = "".join(f"\n  {result}" for result in failed)
        errors = [result.error for result in failed if result.error is not None]
        cause = ExceptionGroup("secrets that could not be set", errors) if errors else None
        raise CircleCIError(f"{len(failed)} of {len(self.results)} secrets were not set:{lines}") from cause


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretInfo:
    """A variable that exists, without its value.

    Projects do not tell when theirs were changed, and some not even when they were made. `age` is the time since the
    value was last set, as far as the API tells.
    """

    target: SecretTarget
    variable: str
    created_at: datetime | None
    updated_at: datetime | None
    age: timedelta | None
