"""Calls of sync clients: tasks in the event loop of the engine, and the threads of the callers that wait for them.

Plain functions of users, such as hooks, are executed in the thread of the caller: there they see and set its context
variables, may block, and may use the client. Async ones are awaited in the event loop.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from inspect import isawaitable
from queue import Empty, SimpleQueue
from time import monotonic  # a wait of this thread, not of a call
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast

from anyio import CancelScope, to_thread

from circleci_sdk._core.cancellation import FINISH_SECONDS
from circleci_sdk._core.checks import is_async
from circleci_sdk._core.drift_log import logger
from circleci_sdk._core.errors import ClientClosedError
from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._core.loops import start_soon
from circleci_sdk._core.transport.tracebacks import PLUMBING, without_frames

from .engine import ENGINE

if TYPE_CHECKING:
    from circleci_sdk._core.mismatches import Drift
    from circleci_sdk._core.session import Session

P = ParamSpec("P")
T = TypeVar("T")
SyncHook: TypeAlias = Callable[[Any], object]
"""A callable, plain or async, that is called with the `httpx.Request` or the `httpx.Response` of each attempt."""
SyncTokenSource: TypeAlias = Callable[[], str | Awaitable[str]]
"""A callable, plain or async, that returns a token."""

_CURRENT: Final[ContextVar[Call[Any]]] = ContextVar("circleci_sdk_call")
"""The call that a task of the engine belongs to."""
_Task: Final[Any] = partial(cast(Any, asyncio.Task), eager_start=True) if sys.version_info >= (3, 12) else asyncio.Task


class Call(Generic[T]):
    """A call of an async function. `wait` starts it and returns at its end, with `result` or `error` set.

    `inbox` has what is to be executed in the thread of the caller meanwhile, and None at the end.
    """

    result: T

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function: Callable[[], Awaitable[T]] = function
        self.inbox: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._taken: SimpleQueue[None] = SimpleQueue()
        self._task: asyncio.Task[None] | None = None
        self._scope: CancelScope | None = None
        self.is_waited_for: bool = True
        self.error: BaseException | None = None

    def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the call, and wait for its end.

        Whatever interrupts the wait, such as Ctrl-C, cancels the call and is raised when that is done.
        """
        context = copy_context()
        context.run(_CURRENT.set, self)
        try:
            loop.call_soon_threadsafe(self._start, context=context)
            while (work := self._next()) is not None:
                work()
            self._taken.put(None)
        except BaseException:  # Ctrl-C too
            self.is_waited_for = False
            ENGINE.check_exit()
            if self in ENGINE.users:  # else a callback has forked, and the call is one of the parent
                loop.call_soon_threadsafe(self._cancel)
                while self._next(FINISH_SECONDS) is not None:
                    pass
            raise

    async def in_caller(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        """The result of a function that is executed in the thread of the caller."""
        # A function that raises, not the exception of the future: asyncio takes some exceptions for its own.
        done: Future[Callable[[], T]] = Future()
        self.inbox.put(lambda: self._execute(partial(function, *arguments), done))
        return (await asyncio.wrap_future(done))()

    def _execute(self, function: Callable[[], T], done: Future[Callable[[], T]]) -> None:
        if done.set_running_or_notify_cancel():
            outcome: Future[T] = Future()
            try:
                outcome.set_result(function())
            except Exception as error:  # noqa: BLE001  # raised where the function is awaited
                outcome.set_exception(error)
            if self not in ENGINE.users:
                raise ClientClosedError("The process was forked during the call, which is one of the parent.")
            done.set_result(outcome.result)

    def take_error(self) -> BaseException:
        """The error, to be raised by the caller: with the frames of users alone, such as those of hooks."""
        error, self.error = self.error or RuntimeError(), None  # a frame with a call must not refer to its error
        return error.with_traceback(without_frames(error.__traceback__, PLUMBING))

    def _next(self, seconds: float = 1e8) -> Callable[[], object] | None:
        """What the inbox has next; None at the end, or after so many seconds."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            with suppress(Empty):
                # A signal just before the wait does not end it, and on Windows none does.
                return self.inbox.get(timeout=min(left, 0.1 if sys.platform == "win32" else 1.0))
        return None

    def _start(self) -> None:
        task: asyncio.Task[None] = _Task(self._run(), loop=asyncio.get_running_loop())
        self._task = None if task.done() else task

    def _cancel(self) -> None:
        if self._task is None:  # interrupted before it was started, or when it had ended
            self.inbox.put(None)
        elif self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        try:
            # Not `task.cancel()`: shields and worker threads work as they do for async callers.
            with CancelScope() as self._scope:
                if not self.is_waited_for:
                    self._scope.cancel()
                self.result = await self._function()
        except asyncio.CancelledError:
            self.error = ClientClosedError("The client was closed during the call.")
        except BaseException as error:  # noqa: BLE001  # raised for the caller; SystemExit would end the loop
            self.error = error
        self.is_waited_for = False
        self._task = None  # its context refers to this call: else the garbage collector would have to find both
        if not ENGINE.is_exiting:  # else daemon threads would print a traceback
            self.inbox.put(None)
            # The caller takes it first: else many results are there at once, and the garbage collector visits them all.
            with suppress(Empty):
                self._taken.get(timeout=0.0003)


def waiting_call() -> Call[Any] | None:
    """The call that the running task belongs to, if its caller still waits."""
    call = _CURRENT.get(None)
    return call if call and call.is_waited_for and ENGINE.is_own_thread() else None


async def run_in_caller(function: Callable[..., T], *arguments: object) -> T:
    """The result of a plain function, executed in the thread of the caller; in a worker thread if no caller waits."""
    call = waiting_call()
    result: Any = await (call.in_caller(function, arguments) if call else to_thread.run_sync(function, *arguments))
    return cast("T", await result if isawaitable(result) else result)


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


class Dispatcher:
    """Makes the calls of a client, of its copies, and of all that they have returned: pagers, runs, streams.

    The engine runs from the first call until the client is closed and its last call has ended, or until the client and
    all these objects are collected.
    """

    def __init__(self, session: Session) -> None:
        self.session: Session = session
        self._client: object = object()
        weakref.finalize(self, ENGINE.drop, self._client, session).atexit = False

    def run(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Call an async function in the engine, and wait. Returns the ended call.

        Raises:
            RuntimeError: the caller runs in the thread of the engine.
        """
        if ENGINE.is_own_thread():
            raise RuntimeError(
                "A sync client cannot be used in the thread of its event loop, where it would wait for itself. Make "
                "the function that does so a plain one, or use AsyncCircleCI in it."
            )
        call = Call(partial(function, *args, **kwargs))
        try:  # also the entry: Ctrl-C just after it must not leave a user behind
            loop = ENGINE.enter(call, self._client, self.session)
            if loop is None:
                call.error = ClientClosedError("The client is closed. Make a new one, or use it inside its `with`.")
            else:
                call.wait(loop)
        finally:
            ENGINE.leave(call)
        return call

    def close(self) -> None:
        """Close the session. Calls in progress and open blocks continue, and the engine ends with the last of them."""
        self.session.is_closed = True
        if ENGINE.is_exiting or ENGINE.is_own_thread():
            ENGINE.drop(self._client, self.session)
        else:
            self.run(self.session.aclose)
            ENGINE.leave(self._client)
