"""Queues of events for readers."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from circleci_sdk._public import public

if TYPE_CHECKING:
    from anyio import Event as Signal

    from .event_types import Event


@public("circleci_sdk.webhooks")
class Subscription:
    """A bounded queue of events. Made by `Router.subscribe`; the router holds it by a weak reference."""

    __slots__ = ("__weakref__", "_events", "_signal", "_size", "lost")

    def __init__(self, size: int, /) -> None:
        self._size = size
        self._events: deque[Event] = deque()
        self._signal: Signal | None = None
        self.lost: int = 0
        """Number of events that were dropped because the queue was full."""

    def put(self, event: Event) -> None:
        """Add an event and wake the reader."""
        if len(self._events) >= self._size:
            self.lost += 1
            return
        self._events.append(event)
        if self._signal is not None:
            self._signal.set()

    def take(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    async def filled(self) -> None:
        """Wait until there is an event."""
        import anyio

        while not self._events:
            self._signal = anyio.Event()
            await self._signal.wait()
