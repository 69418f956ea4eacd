"""What follows calls, in the terms of the core: implemented by `_tracing`, for users of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from .messages import Failed, Received
    from .operation import Operation

T = TypeVar("T")


class Tracer(Protocol):
    """Follows the calls of a client. It raises nothing of its own."""

    def follow(self, operation: Operation[Any], url: str, call: Awaitable[T]) -> Awaitable[T]:
        """The same call, followed until it returns or raises. `url` is any URL of the server."""
        ...

    def note_attempt(self, number: int, outcome: Received | Failed) -> None:
        """Note the outcome of an attempt, in the task of its call."""
        ...

    def note_delay(self, seconds: float) -> None:
        """Note the wait before the next attempt."""
        ...
