"""The recorded requests."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
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
MAX_BODIES: Final = 1 << 26
"""Bytes of their bodies."""


class Recording:
    """The last requests, oldest first, and the number of those that were dropped."""

    def __init__(self) -> None:
        self.kept: Final[deque[RecordedRequest]] = deque()
        self.dropped: int = 0
        self._bytes = 0

    def add(self, request: RecordedRequest) -> None:
        """Add a request; drop the oldest ones above the limits."""
        self.kept.append(request)
        self._bytes += len(request.body)
        while len(self.kept) > MAX_RECORDED or (self._bytes > MAX_BODIES and len(self.kept) > 1):
            self._bytes -= len(self.kept.popleft().body)
            self.dropped += 1

    def clear(self) -> None:
        """Remove all requests."""
        self.kept.clear()
        self.dropped = self._bytes = 0


@public("circleci_sdk.testing")
class RecordedRequests(Sequence[RecordedRequest]):
    """The received requests, oldest first: the last 100,000, or fewer if their bodies have more than 64 MiB."""

    def __init__(self, recording: Recording, /) -> None:
        self._recording = recording

    @property
    def dropped(self) -> int:
        """Number of older requests that are no longer here."""
        return self._recording.dropped

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedRequest]: ...

    def __getitem__(self, index: int | slice) -> RecordedRequest | Sequence[RecordedRequest]:
        return list(self._recording.kept)[index] if isinstance(index, slice) else self._recording.kept[index]

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(list(self._recording.kept))

    def __reversed__(self) -> Iterator[RecordedRequest]:
        return reversed(list(self._recording.kept))

    def __len__(self) -> int:
        return len(self._recording.kept)

    def __repr__(self) -> str:
        return repr(list(self._recording.kept))

    def of(self, operation: str) -> Sequence[RecordedRequest]:
        """Requests of one operation, by any of its names (`"v2.jobs.get"`, `"jobs.get"`, `"getJobDetails"`).

        Raises `ValueError` for an unknown name.
        """
        labels = labels_of(operation, "requests.of")
        return [request for request in self if request.operation in labels]

    def clear(self) -> None:
        """Remove all recorded requests."""
        self._recording.clear()
