"""The engine: one event loop of asyncio, on one thread of its own, for all sync clients of a process.

It starts with the first call of a client and ends with its last client. After a fork the child starts a new one.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import ClientClosedError
from circleci_sdk._core.loops import start_soon

if TYPE_CHECKING:
    from circleci_sdk._core.session import Session


class _Thread(threading.Thread):
    """The thread and its event loop, in which calls can be queued before it runs."""

    def __init__(self) -> None:
        super().__init__(name="circleci_sdk", daemon=True)
        self.loop: Final = asyncio.new_event_loop()
        self._ended = asyncio.Event()

    def run(self) -> None:
        if sniffio := sys.modules.get("sniffio"):  # the context of a caller may name the library of its own event loop
            sniffio.thread_local.name = "asyncio"
        # Without the debug mode, which is for the code of users: it would report how long imports take.
        with asyncio.Runner(debug=False, loop_factory=lambda: self.loop) as runner:
            while not self._ended.is_set():
                with suppress(SystemExit, KeyboardInterrupt):  # of an async hook, in a group of tasks that has them too
                    runner.run(self._ended.wait())
        for worker in threading.enumerate():  # those of anyio are ending: a fork is dangerous while there are threads
            if worker is not self and getattr(worker, "loop", None) is self.loop:
                worker.join()

    def end(self) -> None:
        """End the loop soon; what still runs in it is cancelled."""
        self.loop.call_soon_threadsafe(self._ended.set)


class Engine:
    """The event loop and its thread. `loop` is None while there is no client that has made a call.

    `users` are clients, their calls and their open blocks, with their sessions: it ends after the last one. `process`
    is another object in each process.

    Locked sections start no work and call no code of users. The garbage collector may drop a client in any of them,
    which takes no lock: see `drop`.
    """

    def __init__(self) -> None:
        self._of_parent: list[object] = []
        self.is_exiting = False
        self._reset()
        atexit.register(self._exit)
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Begin without a thread: at first, and in a forked process."""
        # Collecting the loop of the parent would remove its sockets from the selector that the parent uses too.
        self._of_parent.append(dict(vars(self)))
        self.process = object()
        self._lock = threading.Lock()
        self.users: dict[object, Session] = {}
        self._thread: _Thread | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def enter(self, call: object, client: object, session: Session) -> asyncio.AbstractEventLoop | None:
        """The event loop for a call of a client, until `leave`; started if need be. None if the client is closed."""
        self.check_exit()
        if session.is_closed and session not in list(self.users.values()):
            return None
        with self._lock:
            if client not in self.users and len(self._of_parent) > 1:  # this process was forked
                session.forget()
            thread = self._thread or _Thread()
            if thread is not self._thread:
                try:
                    thread.start()
                except BaseException as error:  # there are too many threads; or Ctrl-C while it starts
                    (thread.loop.close if isinstance(error, RuntimeError) else thread.end)()
                    raise
            self._thread, self.loop, self.users[call] = thread, thread.loop, session
            if not session.is_closed:
                self.users[client] = session
            return thread.loop

    def leave(self, user: object) -> None:
        """End what `enter` began, or an entry of `users`. After the last one the thread ends.

        Other threads wait for that: a fork is dangerous while there are threads.
        """
        with self._lock:
            if self.users.pop(user, None) is None or self.users or self._thread is None:
                return
            thread, self._thread, self.loop = self._thread, None, None
        thread.end()
        if thread is not threading.current_thread():
            thread.join()

    def drop(self, client: object, session: Session) -> None:
        """Close the session of a client that was collected, without a wait: in any thread, under any lock."""
        loop = self.loop
        if loop is not None and client in self.users:
            start_soon(loop, partial(self._close, client, session))
        else:  # closed, never used, or not used in this process, which was forked from one that did
            session.forget()

    async def _close(self, user: object, session: Session) -> None:
        try:
            await session.aclose()
        finally:
            self.leave(user)

    def is_own_thread(self) -> bool:
        """Whether the caller runs in the thread of the engine, where a wait for a call would never end."""
        return self._thread is not None and threading.get_ident() == self._thread.ident

    def check_exit(self) -> None:
        """Raise at the exit of the interpreter. Other threads wait for it here: else they would print a traceback."""
        if self.is_exiting:
            while threading.current_thread() is not threading.main_thread():
                threading.Event().wait()
            raise ClientClosedError("The interpreter exits, and has closed all clients.")

    def _exit(self) -> None:
        """Close all sessions at the exit of the interpreter. Calls in progress in other threads never end."""
        self.is_exiting = True
        if (thread := self._thread) is not None:
            for user, session in list(self.users.items()):
                self.drop(user, session)
            thread.join(2.0)  # seconds: the connections are closed, or the exit does not wait for them


ENGINE: Final = Engine()
