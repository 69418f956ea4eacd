"""Requests and responses as data, independent of the transport."""

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
class Request:
    """A received request: the path is still escaped, header names are in lower case.

    `origin` is the scheme and host that the client used, for links in responses.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class Response:
    """A response. A body of bytes or str is sent unchanged, any other as JSON."""

    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    media_type: str = JSON

    @property
    def content(self) -> bytes:
        """The encoded body."""
        if self.status == 204:
            return b""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.media_type != JSON:
            return self.body.encode()
        return json.dumps(self.body, separators=(",", ":"), ensure_ascii=False).encode()

    @property
    def all_headers(self) -> dict[str, str]:
        """Its headers without the length of the body."""
        headers = {} if self.status == 204 else {"content-type": self.media_type}
        return {**headers, **self.headers}


@dataclass(frozen=True, slots=True)
class Transmission:
    """How a response is sent.

    `delay` is the real time in seconds before it. With `drop` the connection ends without a response; with
    `body_share` below 1 after that share of the body.
    """

    response: Response
    delay: float = 0.0
    drop: bool = False
    body_share: float = 1.0


class ErrorResponse(Exception):  # noqa: N818  # a response, not a defect
    """An error response of the API. `message` is the text in its body."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    def response(self, operation: Operation[Any] | None = None) -> Response:
        """The response. Operations of policies have another key than the others."""
        key = "error" if operation is not None and operation.python_name.startswith("policies.") else "message"
        return Response(self.status, {key: self.message}, self.headers)


@dataclass(frozen=True, slots=True)
class Call:
    """A valid request: an operation and its arguments by Python name.

    Arguments are decoded: integers and booleans of the query have their types, a slug is one string, nested objects
    have their wire names. Arguments that were not sent are missing.
    """

    operation: Operation[Any]
    args: Mapping[str, Any]
    request: Request
    page_size: int

    def get(self, name: str, default: Any = None) -> Any:
        """One argument, or the default when it was not sent."""
        return self.args.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.args[name]
