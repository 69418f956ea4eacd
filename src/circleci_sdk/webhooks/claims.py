"""The claims of one router in its store, which may fail: raise, hang, respond late or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import uuid4

import anyio

from circleci_sdk._core.cancellation import finish
from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.logs import logger

from .handling import Progress, is_confirmed
from .store import MemoryStore

if TYPE_CHECKING:
    from circleci_sdk._core.clock import Clock

    from .store import DeliveryStore

T = TypeVar("T")
LATE_SECONDS: Final = 60.0
"""Seconds after which a claim without a response no longer arrives in the store."""
_PAUSES: Final = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds between the looks for the confirmation of a claim. Longer than a store takes that does not fail."""
_METHODS: Final = {"claim", "release", "load", "save"}
_MAX_HELD: Final = 100_000
_MAX_UNRELEASED: Final = 1000


class Claims:
    """The claims of one router. Each has an owner of its own, and each call of the store ends in time.

    No cancellation interrupts a call of the store: what it did would be unknown. A claim whose outcome is unknown, or
    that could not be released, is remembered. It is released before the id is claimed again, and by `release_rest`.

    Until then another process that gets the delivery must not take it for a duplicate: it would be lost. So a claim has
    two steps. `claim` writes it, and `confirm` says with the progress that its outcome is known. What is claimed and
    not confirmed is no duplicate but an error: the sender delivers it again later.
    """

    def __init__(self, store: DeliveryStore, timeout: float) -> None:
        self._store = store
        self._memory = store if isinstance(store, MemoryStore) else None
        self._timeout = timeout
        self._held: dict[str, str] = {}
        self._unreleased: dict[str, dict[str, float]] = {}
        self._confirmed: dict[str, Progress] = {}
        self._keeps_progress: bool | None = None
        self.clock: Clock = SystemClock()

    @property
    def unreleased(self) -> int:
        """Number of ids that may be claimed in the store, though their deliveries are not handled."""
        return len(self._unreleased)

    async def claim(self, delivery_id: str, until: float = inf) -> bool:
        """Claim an id; True if it is new. `until` limits the time in addition, by the clock of the event loop.

        Raises:
            TimeoutError: the id is claimed, but not confirmed.
        """
        owner = uuid4().hex
        for pause in (*_PAUSES, None):
            if await self._ask_claim(delivery_id, owner, until):
                break
            if await self._is_duplicate(delivery_id, until):
                return False
            if pause is None or anyio.current_time() + pause >= until:
                raise TimeoutError(f"Delivery {delivery_id} is claimed, and it is not known whether it is handled.")
            await self.clock.sleep(pause)
        self._held[delivery_id] = owner
        if len(self._held) > _MAX_HELD:
            oldest = next(iter(self._held))
            del self._held[oldest]
            self._confirmed.pop(oldest, None)
        if self._memory is not None:
            self._memory.begin(delivery_id)
        return True

    async def confirm(self, delivery_id: str, progress: Progress, until: float = inf) -> None:
        """Save with the progress that the id is claimed. If that fails, further deliveries of it are rejected."""
        if self._is_certain or delivery_id not in self._held or delivery_id in self._confirmed:
            return
        self._confirmed[delivery_id] = progress
        try:
            await self._call(lambda: self._store.save(delivery_id, progress.saved(confirmed=True)), until)
            if self._keeps_progress is None:
                self._keeps_progress = is_confirmed(await self.load(delivery_id, until))
                if not self._keeps_progress:
                    logger.warning(
                        "webhooks: load() of the store does not return what save() got; a delivery whose claim got no "
                        "response may count as a duplicate in another process, and handlers run again after a failure."
                    )
        except Exception as error:  # noqa: BLE001  # of the store
            logger.warning("webhooks: the store failed; delivery %s is handled all the same: %r", delivery_id, error)

    async def load(self, delivery_id: str, until: float = inf) -> str | bytes | None:
        """The progress of an id."""
        return await self._call(lambda: self._store.load(delivery_id), until)

    async def save(self, delivery_id: str, progress: Progress, *, is_last: bool) -> None:
        """Save the progress of an id after a failed attempt. After the last one it stays claimed."""
        if delivery_id in self._confirmed:
            self._confirmed[delivery_id] = progress  # for `_unconfirm`, if this fails
        await self._call(lambda: self._store.save(delivery_id, progress.saved(confirmed=is_last)))
        self._confirmed.pop(delivery_id, None)

    async def release(self, delivery_id: str) -> None:
        """End the claim of an id. Nothing if this router has not claimed it."""
        owner = self._held.get(delivery_id)
        self.give_up(delivery_id)
        if owner is not None:
            await self._unconfirm(delivery_id)
            await self._release(delivery_id, owner)
            self._forget(delivery_id, owner)

    def give_up(self, delivery_id: str) -> None:
        """Leave the release of an id to `release_rest` and to the next claim of it."""
        owner = self._held.pop(delivery_id, None)
        if self._memory is not None:
            self._memory.end(delivery_id)
        if owner is not None:
            self._remember(delivery_id, owner)

    def end(self, delivery_id: str) -> None:
        """The delivery was handled: its id stays claimed."""
        self._held.pop(delivery_id, None)
        self._confirmed.pop(delivery_id, None)
        if self._memory is not None:
            self._memory.end(delivery_id)

    async def release_rest(self, delivery_id: str | None = None, until: float = inf) -> None:
        """Try to release what may be claimed in the store, of one id or of all. Failures are logged."""
        failure: Exception | None = None
        for one in [delivery_id] if delivery_id is not None else list(self._unreleased):
            if until <= anyio.current_time():
                break
            try:
                await self._release_suspects(one, until)
            except Exception as error:  # noqa: BLE001  # of the store
                failure = error
        if failure is not None:
            logger.warning(
                "webhooks: the store failed; %d deliveries may stay claimed that were not handled: %s: %s",
                len(self._unreleased),
                type(failure).__name__,
                failure,
            )

    async def _ask_claim(self, delivery_id: str, owner: str, until: float) -> bool:
        try:
            if delivery_id in self._unreleased:
                await self._release_suspects(delivery_id, until)
            return bool(await self._call(lambda: self._store.claim(delivery_id, owner), until))
        except BaseException:  # a cancellation too: the store may have it
            self._remember(delivery_id, owner)
            raise

    async def _is_duplicate(self, delivery_id: str, until: float) -> bool:
        """Whether a claim that was not successful is that of a delivery that is or was handled."""
        if self._is_certain or self._keeps_progress is False or delivery_id in self._held:
            return True
        return is_confirmed(await self.load(delivery_id, until))

    async def _unconfirm(self, delivery_id: str, until: float = inf) -> None:
        """Before the release of an id: the next claim of it is not confirmed yet."""
        if delivery_id in self._held:  # a newer claim, which is confirmed
            return
        progress = self._confirmed.pop(delivery_id, None)
        if progress is not None:
            with suppress(Exception):  # of the store
                await self._call(lambda: self._store.save(delivery_id, progress.saved()), until)

    async def _release_suspects(self, delivery_id: str, until: float) -> None:
        """Release what may be claimed of an id. A claim that may still arrive in the store is kept in mind."""
        await self._unconfirm(delivery_id, until)
        for owner, since in tuple(self._unreleased.get(delivery_id, {}).items()):
            await self._release(delivery_id, owner, until)
            if self.clock.monotonic() - since >= LATE_SECONDS:
                self._forget(delivery_id, owner)

    async def _release(self, delivery_id: str, owner: str, until: float = inf) -> None:
        await self._call(lambda: self._store.release(delivery_id, owner), until)

    def _remember(self, delivery_id: str, owner: str) -> None:
        self._unreleased.setdefault(delivery_id, {})[owner] = self.clock.monotonic()
        if len(self._unreleased) > _MAX_UNRELEASED:
            oldest = next(iter(self._unreleased))
            del self._unreleased[oldest]
            self._confirmed.pop(oldest, None)
            logger.warning("webhooks: the store failed; delivery %s may stay claimed that was not handled.", oldest)

    def _forget(self, delivery_id: str, owner: str) -> None:
        owners = self._unreleased.get(delivery_id, {})
        owners.pop(owner, None)
        if not owners:
            self._unreleased.pop(delivery_id, None)

    @property
    def _is_certain(self) -> bool:
        """Whether the store cannot fail."""
        return type(self._store) is MemoryStore and not _METHODS & vars(self._store).keys()

    async def _call(self, call: Callable[[], Awaitable[T]], until: float = inf) -> T:
        if self._is_certain:
            return await call()  # waits for nothing: a task of its own would cost more than all else
        seconds = min(self._timeout, until - anyio.current_time())
        if seconds <= 0:
            raise TimeoutError("no time was left for the store")
        try:
            return await finish(call, seconds=seconds)
        except TimeoutError as error:
            raise TimeoutError(f"The store did not respond within {seconds:.1f} s.") from error
