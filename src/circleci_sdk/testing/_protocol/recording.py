"""The recorded requests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

from circleci_sdk._public import public

from .faults import labels_of

if TYPE_CHECKING:
    from datetime import datetime


@public("circleci_sdk.testing")
@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request and the status of its response.

    Attributes:
        operation: its name: `"v2.jobs.get"`, or `"artifact"`, `"output"` or `"usage"` for a download by link; None
            for an unknown path.
        args: decoded arguments by Python name; empty for an invalid request.
        method: the HTTP method.
        path: the escaped path.
        query: names and values of the query.
        headers: values by name in lower case.
        body: the body.
        status: status of the response; None for a dropped connection.
        at: time on the clock of the fake.
        changes: what `misbehave` has changed in the response, such as `"drop items.0.name"`.
    """

    operation: str | None
    args: Mapping[str, Any]
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    at: datetime
    changes: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The body, decoded as JSON. Raises `ValueError` for other bodies."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"<{self.status or 'dropped'} {self.operation or f'{self.method} {self.path}'}({arguments})>"


MAX_RECORDED: Final = 100_000
"""Number of kept requests, a bound for fakes that run for weeks."""


@public("circleci_sdk.testing")
class RecordedRequests(Sequence[RecordedRequest]):
    """The received requests, oldest first; at least the last 100,000."""

    def __init__(self, requests: list[RecordedRequest], /) -> None:
        self._requests = requests

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedRequest]: ...

    def __getitem__(self, index: int | slice) -> RecordedRequest | Sequence[RecordedRequest]:
        return self._requests[index]

    def __len__(self) -> int:
        return len(self._requests)

    def __repr__(self) -> str:
        return repr(self._requests)

    def of(self, operation: str) -> Sequence[RecordedRequest]:
        """Requests of one operation, by any of its names (`"v2.jobs.get"`, `"jobs.get"`, `"getJobDetails"`).

        Raises `ValueError` for an unknown name.
        """
        labels = labels_of(operation, "requests.of")
        return [request for request in self._requests if request.operation in labels]

    def clear(self) -> None:
        """Remove all recorded requests."""
        self._requests.clear()


def record(requests: list[RecordedRequest], request: RecordedRequest) -> None:
    """Add a request, and remove old ones from time to time."""
    requests.append(request)
    if len(requests) > 2 * MAX_RECORDED:
        del requests[:-MAX_RECORDED]
