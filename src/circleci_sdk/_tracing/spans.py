"""One span for each call, with an event for each attempt. The only module that knows OpenTelemetry.

Names and attributes follow the semantic conventions for HTTP clients, but for one: `url.full` holds ids and names, so
the template of the path stands in its place. No span holds a value of an argument, or a message of an error: it may
quote the response.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from time import time_ns  # timestamps of spans are real
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar
from urllib.parse import urlsplit

import anyio
from opentelemetry import context, trace

from circleci_sdk._core.errors import CallError, StatusError
from circleci_sdk._core.logs import logger
from circleci_sdk._core.messages import Failed, Received
from circleci_sdk._core.printable import printable
from circleci_sdk._version import __version__

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation

P = ParamSpec("P")
T = TypeVar("T")
_LONGEST_ID: Final = 128
_OF_THE_LAST: Final = {"http.response.status_code", "circleci.request_id"}
"""Attributes of the last attempt that the span has too."""
_CURRENT: Final[ContextVar[CallSpan | None]] = ContextVar("circleci_sdk_span", default=None)
"""The span of the call that the running task is in: the current span of OpenTelemetry may be one below it."""


class Spans:
    """Makes the spans of a client. What a provider raises is logged once, and fails no call."""

    def __init__(self, provider: trace.TracerProvider | None) -> None:
        self._tracer = trace.get_tracer("circleci_sdk", __version__, provider)
        self._has_failed = False

    async def follow(self, operation: Operation[Any], url: str, call: Awaitable[T]) -> T:
        """The result of a call, which has a span of its own: the current one until it returns or raises."""
        span = self._safely(self._start, operation, url)
        if span is None:
            return await call
        self._safely(span.enter)
        try:
            return await call
        except BaseException as error:  # a cancellation too ends its span
            self._safely(span.note_error, error)
            raise
        finally:
            self._safely(span.leave)
            self._safely(span.end)

    def note_attempt(self, number: int, outcome: Received | Failed) -> None:
        """Note the outcome of an attempt."""
        if span := _CURRENT.get():
            self._safely(span.note_attempt, number, outcome)

    def note_delay(self, seconds: float) -> None:
        """Note the wait before the next attempt."""
        if span := _CURRENT.get():
            span.note_delay(seconds)

    def _start(self, operation: Operation[Any], url: str) -> CallSpan:
        attributes = _attributes_of(operation, url)
        return CallSpan(self._tracer.start_span(operation.label, kind=trace.SpanKind.CLIENT, attributes=attributes))

    def _safely(self, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        try:
            return step(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # of a provider, sampler, processor or exporter: no call fails by it
            if not self._has_failed:
                self._has_failed = True
                logger.warning("tracing failed, and is not logged again: %s: %s", type(error).__name__, error)
            return None


class CallSpan:
    """The span of one call."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._attempts = 0
        self._last: dict[str, str | int | float] = {}
        self._time: int | None = None

    def enter(self) -> None:
        """Make it the current span of the running task."""
        self._tokens = _CURRENT.set(self), context.attach(trace.set_span_in_context(self._span))

    def leave(self) -> None:
        """Make the one before it the current span again."""
        ours, theirs = self._tokens
        context.detach(theirs)
        _CURRENT.reset(ours)

    def note_attempt(self, number: int, outcome: Received | Failed) -> None:
        """Note an attempt. Its event is added when the delay after it is known, with the time of now."""
        self._add_attempt()
        attributes: dict[str, str | int | float] = {"circleci.attempt": number}
        if isinstance(outcome, Received):
            attributes["http.response.status_code"] = outcome.status
            headers = outcome.headers
            request_id = headers.get("x-request-id") or headers.get("x-circleci-request-id")
            if request_id:
                attributes["circleci.request_id"] = printable(request_id)[:_LONGEST_ID]
        else:
            attributes["error.type"] = _name_of(outcome.raises)
            if outcome.cause is not None:
                attributes["exception.type"] = _name_of(type(outcome.cause))
        self._attempts, self._last, self._time = number, attributes, time_ns()

    def note_delay(self, seconds: float) -> None:
        """Note the wait after the last attempt."""
        self._last["circleci.retry_delay"] = seconds

    def note_error(self, error: BaseException) -> None:
        """Note the class of an error, and nothing of its message."""
        kind = _name_of(type(error))
        if isinstance(error, anyio.get_cancelled_exc_class()):
            shown = "cancelled"
        else:
            status = self._last.get("http.response.status_code")
            shown = str(status) if isinstance(error, StatusError) and error.status == status else kind
            self._add_attempt()
            self._span.add_event("exception", {"exception.type": kind})
        self._span.set_attribute("error.type", shown)
        self._span.set_status(trace.StatusCode.ERROR)
        if isinstance(error, CallError):
            self._attempts = error.attempts
            self._span.set_attribute("circleci.request_outcome", error.request_outcome)
            if error.retry_stop_reason is not None:
                self._span.set_attribute("circleci.retry_stop_reason", error.retry_stop_reason)

    def end(self) -> None:
        """End the span."""
        try:
            self._add_attempt()
            for name in _OF_THE_LAST & self._last.keys():
                self._span.set_attribute(name, self._last[name])
            if self._attempts > 1:
                self._span.set_attribute("http.request.resend_count", self._attempts - 1)
        finally:
            self._span.end()

    def _add_attempt(self) -> None:
        if self._time is not None:
            self._span.add_event("attempt", self._last, self._time)
            self._time = None


def _attributes_of(operation: Operation[Any], url: str) -> Mapping[str, str | int]:
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": operation.method,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
    }
    if operation.api.base:  # the path of any other operation is the one that is sent
        attributes["url.template"] = operation.api.base + operation.path
    return attributes


def _name_of(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
