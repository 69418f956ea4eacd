"""Calls that wait for a decision at the same time are decided by one script call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import islice
from math import inf
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import anyio

    from .questions import Asked, Decision, Seen


LARGEST: Final = 200
"""Entries in one script call. A larger one would take a good part of the time that Redis has for it."""


class Entry:
    """One call that waits for a decision, or one response that is reported at once.

    `is_done` without a decision: Redis failed.
    """

    __slots__ = ("asked", "decision", "epoch", "is_cancelled", "is_done", "seen", "wake")

    def __init__(self, asked: Asked | None, seen: Seen | None = None) -> None:
        self.asked: Final = asked
        self.seen: Final = seen
        self.decision: Decision | None = None
        self.epoch: int = 0
        self.is_done: bool = False
        self.is_cancelled: bool = False
        self.wake: anyio.Event | None = None


class _Batch:
    """The waiting entries of one event loop: event loops cannot wait for each other."""

    __slots__ = ("is_running", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[Entry, None] = {}
        self.is_running: bool = False

    def take(self) -> list[Entry]:
        """The entries of the next script call."""
        self.is_running = True
        taken = list(islice(self.waiting, LARGEST))
        for entry in taken:
            del self.waiting[entry]
        return taken

    def put_back(self, taken: list[Entry]) -> None:
        """After a script call: wake the entries that it decided. After a cancellation the others still wait.

        An entry that was cancelled meanwhile does not: the next script call would wait to be run by it.
        """
        self.is_running = False
        for entry in taken:
            if entry.is_done and entry.wake is not None:
                entry.wake.set()
        if left := [entry for entry in taken if not entry.is_done and not entry.is_cancelled]:
            self.waiting = dict.fromkeys((*left, *self.waiting))

    def wake_next(self) -> None:
        """Let the first one that waits run the next script call."""
        first = next(iter(self.waiting), None)
        if not self.is_running and first is not None and first.wake is not None:
            first.wake.set()


class SharedLimit:
    """What one process holds of a limit.

    One script call runs at a time for each event loop. Entries that come meanwhile wait, and the first of them runs
    the next one for all. `is_known` and `epoch` are of the last reply, `replied` is its time. `seen` is the last
    response that is not reported yet, `returned` the tickets of cancelled calls: the next script call reports them.
    """

    def __init__(self, names: tuple[str, ...], send: Callable[[SharedLimit, list[Entry]], Awaitable[None]]) -> None:
        self.names: Final = names
        self._send = send
        self._batches: WeakKeyDictionary[object, _Batch] = WeakKeyDictionary()
        self.is_known: bool = False
        self.epoch: int = 0
        self.replied: float = -inf
        self.seen: Seen | None = None
        self.returned: list[int] = []

    async def decide(self, entry: Entry) -> None:
        """Wait for the decision on an entry. It has none if Redis failed."""
        import anyio
        from anyio.lowlevel import current_token

        batch = self._batches.setdefault(current_token().native_token, _Batch())
        batch.waiting[entry] = None
        try:
            while not entry.is_done:
                if batch.is_running:
                    entry.wake = anyio.Event()
                    await entry.wake.wait()
                    continue
                taken = batch.take()
                try:
                    await self._send(self, taken)
                finally:
                    batch.put_back(taken)
        except BaseException:  # a cancellation too takes no place in the queue
            entry.is_cancelled = True
            if entry.is_done or entry in batch.waiting:  # otherwise its decision is on the way
                self.give_back(entry)
            raise
        finally:
            batch.waiting.pop(entry, None)
            batch.wake_next()

    def give(self, entry: Entry, decision: Decision, epoch: int) -> None:
        """Hand a decision to an entry; the ticket of a call that was cancelled meanwhile is returned."""
        entry.decision, entry.epoch = decision, epoch
        if entry.is_cancelled:
            self.give_back(entry)

    def give_back(self, entry: Entry) -> None:
        """Return the ticket of a call that does not proceed, if it has one."""
        known = entry.decision or entry.asked
        if known is not None and known.ticket:
            self.returned.append(known.ticket)

    def take_reports(self) -> tuple[list[Seen], list[int]]:
        """What the next script call reports."""
        seen, self.seen = self.seen, None
        returned, self.returned = self.returned, []
        return ([] if seen is None else [seen]), returned
