"""Locks of folders: which of them a program works with. The system releases them when the program ends, however."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

if sys.platform != "win32":
    import fcntl

LockState = Literal["held", "busy", "unknown"]
"""`unknown`: the system, or this file system, has no such locks."""


class FolderLock:
    """The lock of a folder, for this object alone, in this process and in others. Without `wait` it may be `busy`.

    Raises `OSError` if the folder cannot be opened.
    """

    __slots__ = ("_descriptor", "state")

    def __init__(self, folder: Path, *, wait: bool = False) -> None:
        self.state: LockState
        self._descriptor: int | None = None
        if sys.platform == "win32":
            self.state = "unknown"
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            os.close(descriptor)
            self.state = "busy" if isinstance(error, BlockingIOError) else "unknown"
        else:
            self._descriptor = descriptor
            self.state = "held"

    def is_of(self, folder: Path) -> bool:
        """Whether the folder of this path is still the one that was opened."""
        try:
            now = folder.stat()
        except OSError:
            return False
        return self._descriptor is None or os.path.samestat(os.fstat(self._descriptor), now)

    def release(self) -> None:
        """Give the lock back. Safe to call twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
