"""The exceptions, all of them importable from `circleci_sdk`.

    CircleCIError
    ├── ConfigError                     wrong or missing configuration, at construction
    ├── InvalidArgumentError            also a ValueError; refused locally, nothing was sent
    ├── ClientClosedError               the client was closed before the call
    ├── FieldUnavailableError           also an AttributeError; a field of a response does not fit its type
    ├── CallError                       a call failed; its attributes say which call, and what is known of it
    │   ├── TransportError              no complete response came
    │   │   ├── ConnectionFailedError   the connection could not be made, or broke
    │   │   ├── RequestTimeoutError     also a TimeoutError
    │   │   └── PoolExhaustedError      a borrowed HTTP client had no free connection
    │   ├── StatusError                 any other 3xx or 4xx raises this class itself
    │   │   ├── BadRequestError 400
    │   │   ├── AuthenticationError 401
    │   │   ├── PermissionDeniedError 403
    │   │   ├── NotFoundError 404
    │   │   ├── ConflictError 409
    │   │   ├── GoneError 410
    │   │   ├── UnprocessableEntityError 422
    │   │   ├── RateLimitError 429      also raised without sending when the wait would be too long
    │   │   └── ServerError 5xx
    │   ├── DecodeError                 the response cannot be used, or, with strict=True, does not fit its type
    │   └── PaginationError             the API gave the same page token twice, or none that can be read
    ├── RunFailedError
    ├── RunTimeoutError                 also a TimeoutError
    ├── RunSkippedError
    └── SignatureError                  of webhooks: signature missing, malformed or wrong

`request_outcome` decides whether a call may be sent again:

* `not_sent`: the request never left.
* `rejected`: the server refused it and did nothing.
* `unknown`: the server may have processed it.
* `processed`: the server processed it; only the response was lost or not understood.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Literal

from .printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .policy.rate_limit import RateLimit

RequestOutcome = Literal["not_sent", "rejected", "unknown", "processed"]
RetryStopReason = Literal["not_retryable", "unknown_outcome", "attempts_exhausted", "retry_after_too_long", "deadline"]

OUTCOMES: Final[tuple[RequestOutcome, ...]] = ("not_sent", "rejected", "unknown", "processed")
"""From harmless to certain. Of several attempts, the last one in this order counts."""


_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class CallFacts:
    """What is known of a call when it fails; every error of a call carries these as attributes."""

    operation: str
    method: str
    path: str
    attempts: int = 0
    elapsed: float = 0.0
    retry_stop_reason: RetryStopReason | None = None
    request_outcome: RequestOutcome = "not_sent"

    def describe(self) -> str:
        """The tail of a message: where it went and how often."""
        if not self.attempts:
            return f"{self.method} {self.path}, not sent"
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"{self.method} {self.path}, {tries}, {self.elapsed:.2f} s"


class CircleCIError(Exception):
    """Base of everything this package raises. All errors can be pickled and copied.

    The message is `printable`: control characters of a server are escapes in it.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg, lines=True) if isinstance(arg, str) else arg for arg in args))


class ConfigError(CircleCIError):
    """The client was given wrong, missing or contradicting configuration."""


class InvalidArgumentError(CircleCIError, ValueError):
    """An argument was refused before anything was sent; the message names it and the remedy."""


class ClientClosedError(CircleCIError):
    """The client was used after it was closed."""


class FieldUnavailableError(CircleCIError, AttributeError):
    """A field was read that the API sent in another type than documented, or not at all.

    `operation` is the operation or the type of event, `place` the place in its response (`items.3.vcs.provider_name`),
    `expected` the documented type, `received` the JSON type that came, or `missing`. The other fields are readable.
    Since it is an `AttributeError`, `hasattr` is False and `getattr(model, name, default)` gives the default. Its
    `name` is empty, so that tracebacks suggest no other field.
    """

    def __init__(
        self, message: str = "", *, operation: str = "", place: str = "", expected: str = "", received: str = ""
    ) -> None:
        super().__init__(message)
        self.name: str | None = ""  # Python replaces None
        self.operation = operation
        self.place = place
        self.expected = expected
        self.received = received


class CallError(CircleCIError):
    """A call failed.

    `operation` names it (such as `v2.jobs.get`), `method` and `path` say where it went, `attempts` how often it was
    sent, `elapsed` how many seconds all attempts took. `retry_stop_reason` is the reason for no further attempt,
    `request_outcome` says whether the server may have processed the request. `next` is where a list or a helper
    continues after this error, or None.
    """

    operation: str | None = None
    method: str | None = None
    path: str | None = None
    attempts: int = 0
    elapsed: float = 0.0
    retry_stop_reason: RetryStopReason | None = None
    request_outcome: RequestOutcome = "not_sent"
    next: str | int | None = None

    def __init__(self, message: str = "", *, facts: CallFacts | None = None) -> None:
        super().__init__(message)
        if facts is not None:
            for name in CallFacts.__slots__:
                setattr(self, name, getattr(facts, name))


class TransportError(CallError):
    """No complete response came back. `request_outcome` says whether the server may have processed the request."""


class ConnectionFailedError(TransportError):
    """The connection could not be made, or broke before the response was complete."""


class RequestTimeoutError(TransportError, TimeoutError):
    """The time given to the call, or to one of its steps, ran out."""


class PoolExhaustedError(TransportError):
    """A borrowed `httpx.AsyncClient` had no free connection.

    httpx 0.28 can lose connection slots for ever when a call is cancelled while its connection is being
    opened. Let this package open its own connections (leave `http_client` out), or make a new client.
    """


class _BodyError(CallError):
    """Errors that hold a response's body. A body with secrets never enters `str`, `repr` or a pickle."""

    body: bytes = b""
    _secret_body: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        if self._secret_body:
            state["body"] = b""
        return _rebuild, (type(self), self.args, state)


def _rebuild(cls: type[CircleCIError], args: tuple[Any, ...], state: dict[str, Any]) -> CircleCIError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class StatusError(_BodyError):
    """The server responded with a status that is no success.

    `status` is the HTTP status, `message` the server's own words (may be empty), `body` the raw response body,
    `headers` its headers, `request_id` the server's id of the request for a support ticket. `body` and `headers` are
    as they came; print them with `circleci_sdk.printable`. Errors of API v3 may have an `error_type`, such as
    `validation_error`, and a `pointer` to the place in the request.
    """

    status: int = 0
    message: str = ""
    headers: Mapping[str, str]
    request_id: str | None = None
    error_type: str | None = None
    pointer: str | None = None

    def __init__(
        self,
        message: str = "",
        *,
        facts: CallFacts | None = None,
        status: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        secret: bool = False,
        hint: str = "",
    ) -> None:
        self.status = status
        self.message = message = printable(message, lines=True)
        self.headers = dict(headers or {})
        lowered = {name.lower(): value for name, value in self.headers.items()}
        request_id = lowered.get("x-request-id") or lowered.get("x-circleci-request-id")
        self.request_id = request_id and printable(request_id)
        self.body = body
        self._secret_body = secret
        text = f"{status} {_PHRASES[status]}" if status in _PHRASES else str(status)
        if message:
            text += f": {message.removeprefix(_PHRASES.get(status, '') + ': ')}"  # a title may be the phrase
        if facts is not None:
            request = f", request id {self.request_id}" if self.request_id else ""
            text = f"{facts.operation}: {text} ({facts.describe()}{request})"
        super().__init__(f"{text} {hint}" if hint else text, facts=facts)


class BadRequestError(StatusError):
    """400: the server did not understand the request."""


class AuthenticationError(StatusError):
    """401: no token, a wrong token, or one that this API does not take."""


class PermissionDeniedError(StatusError):
    """403: the token is not allowed to do this. Missing contexts and groups get this status too."""


class NotFoundError(StatusError):
    """404: it does not exist, or this token may not see it."""


class ConflictError(StatusError):
    """409: it exists already, or its state does not admit the call."""


class GoneError(StatusError):
    """410: the API no longer has this operation."""


class UnprocessableEntityError(StatusError):
    """422: the request was understood, and its content refused."""


class RateLimitError(StatusError):
    """429: too many requests. Also raised without sending when the wait for the limit would be too long.

    `retry_after` is the wait in seconds that the server asked for, or None; 3,600 also stands for a longer one, which
    is ignored. `rate_limit` is the state of the limit in its headers.
    """

    retry_after: float | None = None
    rate_limit: RateLimit | None = None


class ServerError(StatusError):
    """5xx: the server failed. It may have processed the request all the same: see `request_outcome`."""


class DecodeError(_BodyError):
    """The response cannot be used: it is no JSON, of another outer type, or holds no field of its type.

    With `strict=True` it is also raised for a single field that does not fit. `request_outcome` is `unknown` for a
    body that is no JSON, since a proxy may have sent it, otherwise `processed`. `field` is the place of the first
    mismatch with `strict=True`, such as `items.3.created_at`, else empty; `body` the raw response body; `status` the
    HTTP status.
    """

    field: str = ""
    status: int = 0

    def __init__(
        self,
        message: str = "",
        *,
        facts: CallFacts | None = None,
        field: str = "",
        status: int = 0,
        body: bytes = b"",
        secret: bool = False,
    ) -> None:
        super().__init__(message, facts=facts)
        self.field = field
        self.status = status
        self.body = body
        self._secret_body = secret


class PaginationError(CallError):
    """The API gave a page token that it had given before, or one that cannot be read: the list cannot be continued.

    `next` is the repeated token, or the start of the page with the unreadable one. The pages before are complete.
    """


for _value in list(globals().values()):  # tracebacks and pickles name the public module
    if isinstance(_value, type) and issubclass(_value, CircleCIError):
        _value.__module__ = "circleci_sdk"

_BY_STATUS: dict[int, type[StatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def status_error_class(status: int) -> type[StatusError]:
    """The class that a response with this status raises."""
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, StatusError)


def outcome_of(status: int) -> RequestOutcome:
    """What a response with this status says of its request."""
    if 200 <= status < 300:
        return "processed"
    return "unknown" if status >= 500 or status == 408 else "rejected"
