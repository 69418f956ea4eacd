"""Sleeping tasks of any number of event loops, which any thread can wake."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import anyio

    from .clock import Clock


class Sleepers:
    """Sleeping tasks. Each is woken by a callback in its own event loop, so that no loop waits for another."""

    __slots__ = ("_sleeping",)

    def __init__(self) -> None:
        self._sleeping: set[tuple[object, anyio.CancelScope]] = set()

    async def sleep(self, clock: Clock, seconds: float) -> None:
        """Sleep for so long, or until `wake`."""
        import anyio
        from anyio.lowlevel import current_token

        with anyio.CancelScope() as scope:
            sleeper = current_token().native_token, scope
            self._sleeping.add(sleeper)
            try:
                await clock.sleep(seconds)
            finally:
                self._sleeping.discard(sleeper)

    def wake(self) -> None:
        """Wake all tasks that sleep now. Safe to call from any thread, with or without an event loop."""
        from .loops import call_soon

        for loop, scope in list(self._sleeping):
            call_soon(loop, scope.cancel)
