"""Results of handled deliveries, and what a store keeps between their attempts."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeGuard, cast

from circleci_sdk._core.logs import logger
from circleci_sdk._core.printable import printable
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.reports import raise_for_items

from .event_fields import delivery_id

if TYPE_CHECKING:
    from .event_types import Event
    from .types import Handler


class _OfHandler:
    """Has the handler outside of the fields of a dataclass: it may hold a client, which no dict and no copy has."""

    __slots__ = ("handler",)
    handler: Handler[Any]


@public("circleci_sdk.webhooks")
@dataclass(frozen=True, slots=True, init=False)
class HandlerFailure(_OfHandler):
    """The failure of a handler.

    `name` is the module and the qualified name of the handler. `error` is its exception; `cancelled` is true if it was
    cancelled by the shutdown of the receiver. `handler` is the function itself; it is no field, so that
    `dataclasses.asdict` leaves it out, and pickling does too. A copy is the failure itself.
    """

    event: Event
    name: str
    error: BaseException
    cancelled: bool = False

    def __init__(self, event: Event, handler: Handler[Any], error: BaseException, cancelled: bool = False) -> None:
        values = {"event": event, "handler": handler, "name": stable_name(handler), "error": error}
        for name, value in (values | {"cancelled": cancelled}).items():
            object.__setattr__(self, name, value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __str__(self) -> str:
        how = "was cancelled" if self.cancelled else f"raised {type(self.error).__name__}"
        return printable(f"{self.name} {how} on {type(self.event).__name__} {delivery_id(self.event)}")


@public("circleci_sdk.webhooks")
@dataclass(frozen=True, slots=True)
class HandleResult:
    """The result of `Router.handle`.

    `status` is `handled` if all handlers of the event succeeded, or it has none; `duplicate` if the delivery is being
    handled, was handled, or has used all attempts; `failed` if a handler failed. `errors` lists the failures in the
    order in which the handlers were registered.
    """

    status: Literal["handled", "duplicate", "failed"]
    errors: tuple[HandlerFailure, ...] = ()

    def raise_for_failure(self) -> Self:
        """Return this result if `status` is not `failed`.

        Otherwise raise `CircleCIError`, whose message lists the failed handlers; its `__cause__` is an
        `ExceptionGroup` of their exceptions.
        """
        raise_for_items(f"handlers: {len(self.errors)} failed", self.errors, "handlers that failed")
        return self


class Running(NamedTuple):
    """A handler in progress: its name, the id of its delivery, and since when."""

    name: str
    delivery_id: str
    since: float


class Progress(NamedTuple):
    """Failed attempts of a delivery, and the names of the handlers that succeeded in them."""

    attempts: int = 0
    succeeded: frozenset[str] = frozenset()

    @classmethod
    def read(cls, saved: str | bytes | None) -> Progress:
        """From the string in a store. One that cannot be read is no progress."""
        if saved is None:
            return cls()
        try:
            data = json.loads(saved)
            attempts, succeeded = data["attempts"], data["succeeded"]
            if type(attempts) is int and isinstance(succeeded, list):
                return cls(max(attempts, 0), frozenset(map(str, cast("list[object]", succeeded))))
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        logger.warning("webhooks: the store has an unreadable progress of a delivery; all its handlers run again.")
        return cls()

    def after(self, succeeded: Collection[str]) -> Progress:
        """After one more failed attempt, in which these handlers succeeded."""
        return Progress(self.attempts + 1, self.succeeded.union(succeeded))

    def saved(self, *, confirmed: bool = False) -> str:
        """The string for a store. `confirmed` says that the one who claimed the delivery knows it."""
        data: dict[str, object] = {"attempts": self.attempts, "succeeded": sorted(self.succeeded)}
        return json.dumps({**data, "confirmed": True} if confirmed else data)


def is_confirmed(saved: str | bytes | None) -> bool:
    """Whether the string in a store says that its claim is known to the one who made it."""
    try:
        return json.loads(saved or "")["confirmed"] is True
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def stable_name(handler: object) -> str:
    """The name of a handler by module and qualified name, which is the same in each process.

    It has no arguments of a `partial`, which may be secrets.
    """
    while _is_partial(handler):
        handler = handler.func
    named = handler if hasattr(handler, "__qualname__") else type(handler)
    return f"{getattr(named, '__module__', None)}.{getattr(named, '__qualname__', None)}"


def _is_partial(handler: object) -> TypeGuard[partial[Any]]:
    return isinstance(handler, partial)
