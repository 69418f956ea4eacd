"""Reports on secrets: where they are, and the result of each write. Never their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from circleci_sdk._core.errors import CallError, CircleCIError
from circleci_sdk._core.printable import printable
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import or_unknown
from circleci_sdk.helpers._shared.partial import Partial
from circleci_sdk.helpers._shared.reports import raise_for_items
from circleci_sdk.helpers._shared.values import Value

if TYPE_CHECKING:
    from circleci_sdk._core.errors import RequestOutcome

SecretKind: TypeAlias = Literal["context", "project"]
"""What holds a variable."""
SecretOutcome: TypeAlias = Literal["set", "would_set", "missing", "failed"]
"""`set`; `would_set` in a dry run; `missing` if it was to be rotated and does not exist; `failed`."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SecretTarget(Partial):
    """A context or a project. `id` is the id of the context or the slug of the project, `name` its name."""

    kind: SecretKind
    id: str
    name: str

    def __str__(self) -> str:
        return printable(f"{self.kind} {or_unknown(lambda: self.name)}")


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretResult(Value):
    """The result for one variable in one context or project.

    `error` is the reason of the `outcome` `failed`. `existed`: whether the variable existed before; None if that was
    not read.
    """

    target: SecretTarget
    variable: str
    outcome: SecretOutcome
    existed: bool | None = None
    error: CircleCIError | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the outcome is `set` or `would_set`."""
        return self.outcome in ("set", "would_set")

    @property
    def request_outcome(self) -> RequestOutcome | None:
        """Of a failure: whether the value may have been written all the same; see `circleci_sdk.CallError`."""
        if self.error is None:
            return None
        return self.error.request_outcome if isinstance(self.error, CallError) else "not_sent"

    def __str__(self) -> str:
        reason = f": {self.error} [{self.request_outcome}]" if self.error is not None else ""
        return printable(f"{self.variable} in {self.target}: {self.outcome}{reason}", lines=True)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class SecretReport(Value):
    """The result for each variable in each context or project, in the order of the arguments. Holds no values."""

    results: tuple[SecretResult, ...]

    @property
    def ok(self) -> bool:
        """Whether all results are `ok`."""
        return not self.failed

    @property
    def failed(self) -> tuple[SecretResult, ...]:
        """The results that are not `ok`: `failed` and `missing`."""
        return tuple(result for result in self.results if not result.ok)

    def raise_for_failure(self) -> SecretReport:
        """Return this report if all results are `ok`.

        Otherwise raise `CircleCIError`, whose message lists the failed results; its `__cause__` is an `ExceptionGroup`
        of their errors.
        """
        message = f"{len(self.failed)} of {len(self.results)} secrets were not set"
        raise_for_items(message, self.failed, "secrets that could not be set")
        return self


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SecretInfo(Partial):
    """A variable that exists, without its value.

    For variables of projects the API reports no `updated_at`, and for some no `created_at`. `age` is the time since the
    value was last set, as far as the API reports it.
    """

    target: SecretTarget
    variable: str
    created_at: datetime | None
    updated_at: datetime | None
    age: timedelta | None
