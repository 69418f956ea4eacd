"""Files saved as they come: the disk is used in few calls, each in a thread, so that it never blocks the event loop."""

from __future__ import annotations

import errno
import threading  # noqa: TID251  # nothing is awaited while the lock is held
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from anyio.to_thread import run_sync

from .executor import in_thread

if TYPE_CHECKING:
    from io import FileIO

    from .download import Download
    from .executor import SerialExecutor
    from .staging import Stage

BATCH: Final = 1 << 20
"""Bytes that are in memory before they are written. A file with fewer takes a single call."""
T = TypeVar("T")


async def save(download: Download, stage: Stage, executor: SerialExecutor, put: Callable[[Path, int], T]) -> T:
    """Write a file to the stage; the result of `put`, which gets its path and size in bytes, in the last call.

    The file is created only after a successful response, and removed after an error.
    """
    part = _Part(stage)
    download.digest = lambda pieces: run_sync(part.digest, pieces)
    try:
        async with download:
            while sum(map(len, batch := await download.batch(BATCH))) >= BATCH:
                await run_sync(part.write, batch)
            return await executor.run(partial(part.complete, batch, put))
    except BaseException:  # a cancellation too leaves no part
        await in_thread(part.drop)
        raise


class _Part:
    """A file of a stage that is not complete yet. All methods do blocking I/O.

    On asyncio a cancellation leaves a call alone in its thread: the next one waits for it.
    """

    __slots__ = ("_file", "_guard", "_is_dropped", "_path", "_size", "_stage")

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._file: FileIO | None = None
        self._path: Path | None = None
        self._size = 0
        self._is_dropped = False
        self._guard = threading.Lock()

    def write(self, pieces: list[bytes]) -> None:
        """Add these bytes."""
        with self._guard:
            self._write(pieces)

    def complete(self, pieces: list[bytes], put: Callable[[Path, int], T]) -> T:
        """Add the last bytes, close the file and put it in its place."""
        with self._guard:
            with self._write(pieces):
                pass
            assert self._path is not None
            return put(self._path, self._size)

    def _write(self, pieces: list[bytes]) -> FileIO:
        if self._is_dropped:
            raise FileNotFoundError(errno.ENOENT, "The download has ended", str(self._path))
        if self._file is None:
            self._file, self._path = self._stage.create()
        for piece in pieces:
            write_all(self._file, piece)
            self._size += len(piece)
        return self._file

    def digest(self, pieces: list[bytes]) -> bytes:
        """The SHA-256 of what was written, and of these pieces."""
        digest = sha256()
        with self._guard:
            if self._file is not None and self._path is not None:
                with self._path.open("rb") as file:
                    digest = file_digest(file, sha256)
        for piece in pieces:
            digest.update(piece)
        return digest.digest()

    def drop(self) -> None:
        """Close and remove the file, if it is still there."""
        with self._guard:
            self._is_dropped = True
            if self._file is not None and self._path is not None:
                with suppress(OSError):  # some systems report only now that the disk was full
                    self._file.close()
                with suppress(OSError):
                    self._path.unlink()


def write_all(file: FileIO, data: bytes) -> None:
    """Write these bytes, of which the system may take a part at a time, until the disk is full."""
    written = file.write(data)
    while written < len(data):
        written += file.write(memoryview(data)[written:])
