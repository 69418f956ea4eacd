"""Failures of the HTTP stack as data: the class to raise, what is known of the request, and whether to try again.

Every `Exception` out of a transport, a body or a borrowed client comes here, whatever its class.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

import httpx

from circleci_sdk._core.errors import (
    ConnectionFailedError,
    DecodeError,
    PoolExhaustedError,
    RequestTimeoutError,
    TransportError,
)
from circleci_sdk._core.messages import Failed
from circleci_sdk._core.redaction import LEFT_OUT

from .request import without_query

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Progress

_CLIENTS: Final = ("httpx", "httpx2", "httpcore", "httpcore2")
"""Libraries with the same names for the same failures."""
_BELOW: Final = ("anyio", "trio", "h11", "h2", "hpack", "aiohttp", "socksio")
_NEVER_SENT: Final = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
_MISTAKES: Final = frozenset({"LocalProtocolError", "BusyResourceError"})
"""Of the sender: the same request fails again."""


class UnusableBodyError(Exception):
    """The body of a response cannot be used: it is too large, or not compressed as its headers say."""


class TooLargeError(UnusableBodyError):
    """It is larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the response has more than {limit:,} bytes, the limit of max_response_bytes. "
            "with_options(max_response_bytes=...) sets another limit, and None removes it"
        )


def failed(error: Exception, request: httpx.Request, progress: Progress) -> Failed:
    """What is known after `error` ended a request. What `error` holds of the request is cut to what may be shown."""
    if isinstance(error, UnusableBodyError):
        return Failed(DecodeError, progress.outcome, False, str(error), status=progress.status or 0)
    names = _names(error, _CLIENTS)
    if "HTTPError" in names:
        _cut(error, request, progress)
    raises, unsent, retryable = _classified(error, names)
    cause: Exception | None = error
    try:
        reason = str(error) or _reason_below(error)
        if progress.secrets.are_in_error(error):
            cause, reason = _without_text(error, request), LEFT_OUT
    except Exception:  # noqa: BLE001  # it has no text, so nothing is known of what it would show
        cause, reason = None, ""
    text = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    # These failures prove it, unless they are of something else: of the body, or of what a transport of a user, or a
    # hook of a borrowed client, does after the request.
    proves = unsent and progress.status is None and not progress.written
    outcome = "not_sent" if proves else progress.outcome
    return Failed(raises, outcome, retryable, text, cause)


def _without_text(error: Exception, request: httpx.Request) -> Exception | None:
    """An exception of the same class, without the text of the server in it and without those below it.

    None for a class that takes more than a string.
    """
    cls = next(
        (cls for cls in type(error).__mro__ if issubclass(cls, httpx.RequestError) and _root(cls) == httpx.__name__),
        None,
    )
    return None if cls is None else cls(LEFT_OUT, request=without_query(request))


def _cut(error: Any, request: httpx.Request, progress: Progress) -> None:
    error.request = without_query(request)
    response = getattr(error, "response", None)  # a hook of a borrowed client refused this response
    if response is not None:
        response.request = error.request
        progress.status = response.status_code


def _classified(error: Exception, names: frozenset[str]) -> tuple[type[TransportError], bool, bool]:
    """The class to raise, whether the request was not sent, and whether it may be tried again."""
    if "PoolTimeout" in names:
        return PoolExhaustedError, True, True
    if "ConnectTimeout" in names:
        return RequestTimeoutError, True, True
    if names & {"ConnectError", "ProxyError"} or isinstance(error, _NEVER_SENT):
        return ConnectionFailedError, True, True
    if "TimeoutException" in names or isinstance(error, TimeoutError):
        return RequestTimeoutError, False, True
    if names & {"NetworkError", "RemoteProtocolError"} or isinstance(error, OSError):
        return ConnectionFailedError, False, True
    if "RequestError" in names:
        return ConnectionFailedError, False, False
    if below := _names(error, _BELOW):
        return ConnectionFailedError, False, _MISTAKES.isdisjoint(below)
    return TransportError, False, False


def _names(error: Exception, libraries: tuple[str, ...]) -> frozenset[str]:
    """The names of its classes that are of these libraries."""
    return frozenset(cls.__name__ for cls in type(error).__mro__ if _root(cls) in libraries)


def _root(cls: type) -> str:
    return cls.__module__.partition(".")[0]


def _reason_below(error: BaseException) -> str:
    """On trio the reason, such as an untrusted certificate, is only in an exception further down."""
    below: BaseException | None = error
    while below is not None and not (isinstance(below, OSError) and str(below)):
        below = below.__cause__ or below.__context__
    return str(below or "")
