"""Calls of sync clients: tasks in the event loop of the engine, and the threads of the callers that wait for them."""

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
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, cast

from anyio import CancelScope, to_thread

from circleci_sdk._core.cancellation import FINISH_SECONDS
from circleci_sdk._core.errors import ClientClosedError
from circleci_sdk._core.transport.tracebacks import without_frames

from .engine import ENGINE

if TYPE_CHECKING:
    from circleci_sdk._core.session import Session

P = ParamSpec("P")
T = TypeVar("T")

_CURRENT: Final[ContextVar[Call[Any]]] = ContextVar("circleci_sdk_call")
"""The call that a task of the engine belongs to."""
_HIDDEN: Final = frozenset({__name__.partition(".")[0], "asyncio", "anyio", "concurrent", "threading", "uvloop"})
"""Packages whose frames are left out of tracebacks."""
_LONGEST_WAIT: Final = 0.1 if sys.platform == "win32" else 3600.0
"""Seconds of one wait for the inbox: on Windows Ctrl-C does not end it."""


class Call(Generic[T]):
    """A call of an async function. `wait` starts it and returns at its end, with `result` or `error` set.

    `inbox` has what is to be executed in the thread of the caller meanwhile, and None at the end.
    """

    result: T

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self._function: Callable[[], Awaitable[T]] = function
        self._process: object = ENGINE.process
        self.inbox: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
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
        except BaseException:  # Ctrl-C too
            self.is_waited_for = False
            ENGINE.check_exit()
            if self._process is ENGINE.process:  # else a callback has forked, and the call is one of the parent
                loop.call_soon_threadsafe(self._cancel)
                while self._next(FINISH_SECONDS) is not None:
                    pass
            raise

    async def in_caller(self, function: Callable[..., T], arguments: tuple[object, ...]) -> T:
        """The result of a function that is executed in the thread of the caller."""
        done: Future[None] = Future()
        results: list[T] = []
        errors: list[Exception] = []  # not as that of the future: asyncio takes some for its own

        def execute() -> None:
            if done.set_running_or_notify_cancel():
                try:
                    results.append(function(*arguments))
                except Exception as error:  # noqa: BLE001  # raised where the function is awaited
                    errors.append(error)
                if self._process is not ENGINE.process:
                    raise ClientClosedError("The process was forked during the call, which is one of the parent.")
                done.set_result(None)

        self.inbox.put(execute)
        await asyncio.wrap_future(done)
        while errors:
            raise errors.pop()
        return results.pop()

    def take_error(self) -> BaseException:
        """The error, to be raised by the caller: with the frames of users alone, such as those of hooks."""
        error, self.error = self.error or RuntimeError(), None  # a frame with a call must not refer to its error
        return error.with_traceback(without_frames(error.__traceback__, _HIDDEN))

    def _next(self, seconds: float = 1e9) -> Callable[[], object] | None:
        """What the inbox has next; None at the end, or after so many seconds."""
        end = monotonic() + seconds
        while (left := end - monotonic()) > 0:
            with suppress(Empty):
                return self.inbox.get(timeout=min(left, _LONGEST_WAIT))
        return None

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if sys.version_info >= (3, 12):
            task = asyncio.Task(self._run(), loop=loop, eager_start=True)
        else:
            task = loop.create_task(self._run())
        if not task.done():
            self._task = task

    def _cancel(self) -> None:
        if self._task is None or self._task.done():  # interrupted before it was started, or when it had ended
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


def waiting_call() -> Call[Any] | None:
    """The call that the running task belongs to, if its caller still waits."""
    call = _CURRENT.get(None)
    return call if call and call.is_waited_for and ENGINE.is_own_thread() else None


async def run_in_caller(function: Callable[..., T], *arguments: object) -> T:
    """The result of a plain function, executed in the thread of the caller; in a worker thread if no caller waits."""
    call = waiting_call()
    result: Any = await (call.in_caller(function, arguments) if call else to_thread.run_sync(function, *arguments))
    return cast("T", await result if isawaitable(result) else result)


class Dispatcher:
    """Makes the calls of a client, of its copies, and of all that they have returned: pagers, runs, streams.

    The engine runs from the first call until the client is closed and its last call has ended, or until the client and
    all these objects are collected.
    """

    def __init__(self, session: Session) -> None:
        self._session: Session = session
        self._user: object = object()
        self._is_closed: bool = False
        weakref.finalize(self, ENGINE.drop, self._user, session).atexit = False

    @property
    def held(self) -> set[object]:
        """What must end before the engine may end: calls, and the ids of open blocks."""
        return ENGINE.held[self._user]

    def run(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> Call[T]:
        """Call an async function in the engine, and wait. Returns the ended call.

        Raises:
            RuntimeError: the caller runs in the thread of the engine.
        """
        if ENGINE.is_own_thread():
            raise RuntimeError(
                "A sync client cannot be used in the thread of its event loop, as by an async hook: it would wait for "
                "itself. Make the function a plain one, or use AsyncCircleCI in it."
            )
        ENGINE.check_exit()
        call = Call(partial(function, *args, **kwargs))
        held = self.held
        # Each thread adds its call before it asks whether the client is closed, so that the last one leaves.
        try:
            held.add(call)
            if (loop := ENGINE.loop_of(self._user)) is None and not self._is_closed:
                loop = ENGINE.enter(self._user, self._session)
            if loop is None:
                call.error = ClientClosedError("The client is closed. Make a new one, or use it inside its `with`.")
            else:
                call.wait(loop)
        finally:
            held.discard(call)
            self._leave()
        return call

    def close(self) -> None:
        """Close the session. Calls in progress and open blocks continue, and the engine ends with the last client."""
        self._session.refuse_calls()
        if ENGINE.is_own_thread() or ENGINE.loop_of(self._user) is None:
            self._is_closed = True
            ENGINE.drop(self._user, self._session)
        else:
            self.run(self._session.aclose)
            self._is_closed = True  # not before: the last call of another thread would end the engine
            self._leave()

    def _leave(self) -> None:
        if self._is_closed and not self.held:
            ENGINE.leave(self._user)
