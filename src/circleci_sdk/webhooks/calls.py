"""Calls of handlers, each isolated from the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from circleci_sdk._core.cancellation import finish, is_failure
from circleci_sdk._core.logs import logger

from .event_fields import delivery_id
from .handling import HandlerFailure, Running, stable_name

if TYPE_CHECKING:
    from .event_types import Event
    from .types import Handler

Outcomes: TypeAlias = "dict[str, HandlerFailure | None]"
"""The failure of each handler that has ended, by its name; None if it succeeded."""
_REPORT_SECONDS: Final = 5.0
"""Seconds for the report of a handler that was cancelled."""


class HandlerCalls:
    """Calls handlers of events, and reports those that fail. `running` has the calls in progress."""

    def __init__(
        self, on_error: Callable[[HandlerFailure], Awaitable[object]] | None, monotonic: Callable[[], float]
    ) -> None:
        self.running: Final[dict[object, Running]] = {}
        self._on_error = on_error
        self._monotonic = monotonic

    async def call_all(
        self, event: Event, handlers: Mapping[str, Handler[Any]], outcomes: Outcomes, timeout: float | None
    ) -> None:
        """Call handlers concurrently, each for a number of seconds at most, and wait for all of them.

        `outcomes` has their outcomes also after a cancellation.
        """
        if len(handlers) == 1:
            for name, handler in handlers.items():
                await self._call(event, name, handler, outcomes, timeout)
        elif handlers:
            from anyio import create_task_group

            async with create_task_group() as tasks:
                for name, handler in handlers.items():
                    tasks.start_soon(self._call_in_child, event, name, handler, outcomes, timeout)

    async def _call_in_child(
        self, event: Event, name: str, handler: Handler[Any], outcomes: Outcomes, timeout: float | None
    ) -> None:
        """Call a handler in a task of its own. If others cancel that task, only this handler has failed."""
        try:
            await self._call(event, name, handler, outcomes, timeout)
        except BaseException as error:  # perhaps a cancellation of others
            if not is_failure(error, in_child=True):
                raise
            outcomes[name] = HandlerFailure(event, handler, error, cancelled=True)

    async def _call(
        self, event: Event, name: str, handler: Handler[Any], outcomes: Outcomes, timeout: float | None
    ) -> None:
        from anyio import get_cancelled_exc_class, move_on_after

        key = object()
        self.running[key] = Running(stable_name(handler), delivery_id(event), self._monotonic())
        try:
            with move_on_after(timeout) as limit:
                await handler(event)
            if limit.cancel_called:
                raise TimeoutError(f"The handler did not end within {timeout} s, the handler_timeout.")
        except BaseException as error:  # whatever the user's handler raises
            if is_failure(error):  # isolated: one handler must not affect others
                failure = outcomes[name] = HandlerFailure(event, handler, error)
                await self._report(failure)
                return
            failure = HandlerFailure(event, handler, error, cancelled=True)
            if isinstance(error, get_cancelled_exc_class() | BaseExceptionGroup):
                with suppress(TimeoutError):
                    await finish(partial(self._report, failure), seconds=_REPORT_SECONDS)
            raise
        finally:
            del self.running[key]
        outcomes[name] = None

    async def _report(self, failure: HandlerFailure) -> None:
        if self._on_error is None:
            logger.error("webhooks: %s", failure, exc_info=None if failure.cancelled else failure.error)
            return
        try:
            await self._on_error(failure)
        except BaseException as error:  # whatever the user's function raises
            if not is_failure(error):
                raise
            logger.exception("webhooks: on_error failed for: %s", failure)
