"""Queues of events for readers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from circleci_sdk._core.loops import call_soon
from circleci_sdk._public import public

if TYPE_CHECKING:
    from .event_types import Event


@public("circleci_sdk.webhooks")
class Subscription:
    """A bounded queue of events. Made by `Router.subscribe`; the router holds it by a weak reference.

    It has one reader. The router may receive deliveries in the event loop of another thread.
    """

    __slots__ = ("__weakref__", "_events", "_size", "_wake", "lost")

    lost: int
    """Number of events that were dropped because the queue was full."""

    def __init__(self, size: int, /) -> None:
        self._size = size
        self._events: deque[Event] = deque()
        self._wake: Callable[[], object] | None = None
        self.lost = 0

    def put(self, event: Event) -> None:
        """Add an event and wake the reader."""
        if len(self._events) >= self._size:
            self.lost += 1
            return
        self._events.append(event)
        if self._wake is not None:
            self._wake()

    def take(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    async def filled(self) -> None:
        """Wait until there is an event."""
        from anyio import Event
        from anyio.lowlevel import current_token

        while not self._events:
            is_filled = Event()
            self._wake = partial(call_soon, current_token().native_token, is_filled.set)
            if not self._events:  # another thread may have put one before it could wake this reader
                await is_filled.wait()
