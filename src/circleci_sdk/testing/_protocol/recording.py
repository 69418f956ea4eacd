"""What was asked of the fake, for tests to look at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request and the status it got.

    `operation` is its name (`"v2.jobs.get"`; `"artifact"`, `"output"` or `"usage"` for what is fetched by link), or
    None for a path that the API does not know. `args` holds the arguments by Python name, decoded, and is empty
    when the request was malformed. `path` and `query` are as they were sent. `status` is None for a request whose
    connection was dropped. `at` is the time on the clock of the fake.
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

    @property
    def json(self) -> Any:
        """The body, read as JSON. Raises `ValueError` when it is none."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.args.items())
        return f"<{self.status or 'dropped'} {self.operation or f'{self.method} {self.path}'}({arguments})>"


MOST: Final = 100_000
"""How many requests are kept, so that a fake may be served for weeks."""


class Recorded(Sequence[RecordedRequest]):
    """The requests that came, oldest first; of very many, the last hundred thousand."""

    def __init__(self) -> None:
        self._requests: list[RecordedRequest] = []

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
        """Those of one operation, by any of its names (`"v2.jobs.get"`, `"jobs.get"`, `"getJobDetails"`).

        Raises `ValueError` for a name that is no operation.
        """
        from .faults import labels_of

        labels = labels_of(operation)
        return [request for request in self._requests if request.operation in labels]

    def clear(self) -> None:
        """Forget them."""
        self._requests.clear()

    def keep(self, request: RecordedRequest) -> None:
        """Add one; for the fake itself."""
        self._requests.append(request)
        if len(self._requests) > 2 * MOST:
            del self._requests[:-MOST]
