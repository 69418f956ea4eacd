"""Injected faults."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from circleci_sdk._core.checks import STR, check
from circleci_sdk.testing._handlers.storage import expired_link
from circleci_sdk.testing._wire.messages import JSON, TEXT, Response, Transmission, error_envelope, in_envelope

from .routing import operation_names

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation

STORAGE: Final = ("artifact", "output", "usage")
"""Names of downloads by link: artifacts, outputs of steps, files of usage exports."""

DropPoint: TypeAlias = Literal["before", "after"]
"""When a connection is dropped: before or after the call is processed."""

ChaosFault: TypeAlias = Literal["drop", "truncate", "delay", "429", "500", "502", "503", "504"]
"""A random fault of `FakeCircleCI.chaos`."""

DEFAULT_BODIES: Final = {
    429: "Rate limited.",
    500: '{"message":"Internal server error"}',
    502: "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>",
    503: "upstream connect error or disconnect/reset before headers",
    504: "upstream request timeout",
}


@dataclass(slots=True)
class Fault:
    """A fault of the next `left` calls of some operations; of all operations without `labels`."""

    labels: frozenset[str]
    left: int
    status: int | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    drop: DropPoint | None = None
    delay: float = 0.0
    truncate: bool = False
    expired: bool = False
    processed: bool = False

    @property
    def replaces_call(self) -> bool:
        """Whether the call is not processed."""
        return not self.processed and (self.status is not None or self.drop == "before" or self.expired)

    def apply(self, response: Response | None, operation: Operation[Any] | None = None) -> Transmission:
        """The faulty response in place of `response`, which is None for a call that was not processed."""
        if self.expired:
            response = expired_link()
        elif self.status is not None:
            response = failure(self.status, self.body, self.headers, operation)
        elif response is None:
            response = Response()
        return Transmission(response, self.delay, drop=self.drop is not None, body_share=0.5 if self.truncate else 1.0)


def failure(
    status: int,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    operation: Operation[Any] | None = None,
) -> Response:
    """A response with that status. The default body is one of gateways or of the API."""
    if body is None and status not in DEFAULT_BODIES and operation is not None and in_envelope(operation):
        return Response(status, error_envelope(status), headers or {})
    if body is None:
        body = DEFAULT_BODIES.get(status, '{"message":"' + ("Not found" if status == 404 else "Bad request") + '"}')
        kind = JSON if body.startswith("{") else "text/html" if body.startswith("<") else TEXT
        return Response(status, body.encode(), headers or {}, kind)
    return Response(status, body, headers or {}, TEXT if isinstance(body, (str, bytes)) else JSON)


def labels_of(name: str, method: str) -> frozenset[str]:
    """The labels of the operations with a name; empty for `*`.

    Raises `ValueError` for an unknown name, with the public `method` in front.
    """
    check(method, operation=(name, STR))
    if name == "*":
        return frozenset()
    if name in STORAGE:
        return frozenset({name})
    names = operation_names()
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name, [*names, *STORAGE], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{method}: operation: expected a name such as 'v2.jobs.get' or 'jobs.get', got {name!r}.{hint}")
