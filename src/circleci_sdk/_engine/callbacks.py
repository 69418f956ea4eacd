"""Functions of users: hooks, sources of tokens, rate limiters and callbacks of helpers, plain or async.

Plain ones are executed in the thread of the caller, which waits: there they see and set its context variables, may
block, and may use the client. Async ones are awaited in the event loop of the engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from circleci_sdk._core.checks import is_async
from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.loops import start_soon
from circleci_sdk._core.mismatches import logger
from circleci_sdk._public import public

from .calls import run_in_caller, waiting_call
from .engine import ENGINE

if TYPE_CHECKING:
    from circleci_sdk._core.mismatches import Drift
    from circleci_sdk._core.policy.rate_limit import RateKey, RateLimit

SyncHook: TypeAlias = Callable[[Any], object]
"""A callable, plain or async, that is called with the `httpx.Request` or the `httpx.Response` of each attempt."""
SyncTokenSource: TypeAlias = Callable[[], str | Awaitable[str]]
"""A callable, plain or async, that returns a token."""


@public("circleci_sdk.sync")
class SyncRateLimiter(Protocol):
    """A custom rate limiter with plain methods. See `circleci_sdk.RateLimiter` for what they do."""

    def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        """Wait until a call may proceed, then return None; or return at once the seconds of a wait that is too long."""
        ...

    def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        """Learn from a response."""
        ...


def in_caller(function: object) -> Any:
    """A plain function as one that returns an awaitable; anything else, such as an async function, as it is."""
    if not callable(function) or isinstance(function, type) or is_async(function):
        return function

    def run(*arguments: object) -> Awaitable[Any]:
        return run_in_caller(function, *arguments)

    return run


def limiter_in_caller(limiter: object) -> Any:
    """A rate limiter with plain methods as one with methods that return awaitables; anything else as it is."""
    acquire, observe = (getattr(limiter, name, None) for name in ("acquire", "observe"))
    if isinstance(limiter, LocalRateLimiter) or not (callable(acquire) and callable(observe)):
        return limiter
    return SimpleNamespace(acquire=in_caller(acquire), observe=in_caller(observe))


def drift_in_caller(function: object) -> Any:
    """A plain function that gets reports of drift, executed before the result of the call is returned."""
    if not callable(function) or is_async(function):
        return function

    def execute(drift: Drift) -> None:
        try:
            function(drift)
        except Exception:  # a report must not end the call that it is about
            logger.exception("on_drift failed for %s: %s", drift.operation, drift.place)

    def report(drift: Drift) -> None:
        call = waiting_call()
        if call is not None:
            call.inbox.put(lambda: execute(drift))
        elif ENGINE.is_own_thread():  # pages that are read ahead: no caller waits
            start_soon(ENGINE.loop, partial(run_in_caller, execute, drift))
        else:  # items that are decoded in the thread of the caller
            execute(drift)

    return report
