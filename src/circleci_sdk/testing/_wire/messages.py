"""Requests and responses as data, independent of the transport."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk._core.operation import Operation

JSON: Final = "application/json;charset=utf-8"
TEXT: Final = "text/plain;charset=utf-8"
HTML: Final = "text/html;charset=utf-8"
LINES: Final = "application/x-ndjson"
BYTES: Final = "application/octet-stream"

_KINDS: Final = {400: "validation_error", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict"}
"""Types of errors of v3 by status."""


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
    """An error response of the API. `message` is the text in its body; v3 has a `title` besides."""

    def __init__(
        self, status: int, message: str, *, title: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.title = title
        self.headers = headers or {}

    def response(self, operation: Operation[Any] | None = None, id: str | None = None) -> Response:
        """The response. Operations of policies have another key than the others, and most of v3 an envelope.

        `id` is what the envelope shows as the id of the error.
        """
        if operation is not None and in_envelope(operation):
            return Response(self.status, error_envelope(self.status, self.message, self.title, id), self.headers)
        key = "error" if operation is not None and operation.python_name.startswith("policies.") else "message"
        return Response(self.status, {key: self.message}, self.headers)


def in_envelope(operation: Operation[Any]) -> bool:
    """Whether its bodies are envelopes: the routes of runners that a Server has are older than those."""
    return operation.api.name == "v3" and not operation.on_server


def error_envelope(
    status: int, detail: str | None = None, title: str | None = None, id: str | None = None
) -> dict[str, Any]:
    """The body of an error of v3."""
    error = {"type": _KINDS.get(status), "title": title or HTTPStatus(status).phrase, "detail": detail, "id": id}
    return {"error": {name: value for name, value in error.items() if value is not None}}


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
