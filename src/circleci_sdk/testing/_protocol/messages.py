"""Requests and responses as data, the same for both doors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk._core.operation import Operation

JSON: Final = "application/json;charset=utf-8"
TEXT: Final = "text/plain;charset=utf-8"
HTML: Final = "text/html;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came: the path still escaped, header names in lower case.

    `origin` is how the client reached the fake, scheme and host, so that links in responses lead back to it.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. Bytes and texts go out as they are, anything else as JSON."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    media_type: str = JSON

    @property
    def content(self) -> bytes:
        """The body as it goes out."""
        if self.status == 204:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.media_type != JSON:
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """Its headers; the length of the body is for the doors to say."""
        headers = {} if self.status == 204 else {"content-type": self.media_type}
        return {**headers, **self.headers}


@dataclass(frozen=True, slots=True)
class Sending:
    """How a response goes out.

    `delay` is real seconds before it starts. With `drop` the connection ends without a response; with `keep` after
    that share of the body.
    """

    reply: Reply
    delay: float = 0.0
    drop: bool = False
    keep: float = 1.0


class Refusal(Exception):  # noqa: N818  # a response, not a mistake of ours
    """The API says no. `message` is what it says in the body, in the shape of its family."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    def reply(self, operation: Operation[Any] | None = None) -> Reply:
        """The response; policies response with another key than the rest."""
        key = "error" if operation is not None and operation.python_name.startswith("policies.") else "message"
        return Reply(self.status, {key: self.message}, self.headers)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was understood: an operation and its arguments, by Python name.

    Arguments hold what was sent, decoded: numbers and truths of the query are no texts any more, a slug is one
    text, nested objects are as on the wire. What was not sent is not there.
    """

    operation: Operation[Any]
    args: Mapping[str, Any]
    arrival: Arrival
    page_size: int

    def get(self, name: str, default: Any = None) -> Any:
        """One argument, or the default when it was not sent."""
        return self.args.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.args[name]
