"""Files that are not complete yet: in a hidden folder of the destination, until they are put in their place.

The folder is `.<32 hexadecimal digits>.part`, locked by the program that writes to it. What a program that was killed
has left is removed by the next download into the same destination.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import threading  # noqa: TID251  # nothing is awaited while the lock is held
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import Final
from uuid import uuid4

from .locks import FolderLock

_STAGE: Final = re.compile(r"\.[0-9a-f]{32}\.part")
_LONGEST_RUN: Final = 86_400.0
"""Seconds without a change after which an unlocked folder is abandoned, on a system without locks."""
_TRIES: Final = 20


class Stage:
    """The hidden folder of one download, created for its first file. All methods do blocking I/O, in any thread.

    `close` waits for nothing but the disk, so that no cancellation leaves anything behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._path: Path | None = None
        self._lock: FolderLock | None = None
        self._made: set[Path] = set()
        self._count = 0
        self._is_closed = False
        self._guard = threading.RLock()

    def create(self) -> tuple[FileIO, Path]:
        """A new file for writing without a buffer, and its path."""
        with self.in_use():
            self._count += 1
            if self._path is not None:
                with suppress(FileNotFoundError):  # someone may have removed the folder
                    return _new_file(self._path / str(self._count))
            self._path = self._open()
            return _new_file(self._path / str(self._count))

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Keep the stage open: files are put in their places by threads that a cancellation does not stop."""
        with self._guard:
            if self._is_closed:
                raise FileNotFoundError(errno.ENOENT, "The download has ended", str(self.folder))
            yield

    def _open(self) -> Path:
        if self._lock is not None:
            self._lock.release()
        for _ in range(_TRIES):
            # Another download that ends removes the folder if it is empty.
            with suppress(FileNotFoundError):
                self._made.update(missing_folders(self.folder))
                self.folder.mkdir(parents=True, exist_ok=True)
                path = self.folder / f".{uuid4().hex}.part"
                path.mkdir()
                lock = FolderLock(path)
                if lock.state != "busy" and lock.is_of(path):  # else it was taken for one that is stale
                    self._lock = lock
                    return path
                lock.release()
        raise FileNotFoundError(errno.ENOENT, "The folder is removed again and again", str(self.folder))

    def close(self) -> None:
        """Remove the folder with all that is in it, and the folders that were made for it as far as they are empty."""
        with self._guard:
            self._is_closed = True
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)
            if self._lock is not None:
                self._lock.release()
            remove_if_empty(self._made)


def _new_file(path: Path) -> tuple[FileIO, Path]:
    return FileIO(path, "xb"), path


def remove_stale(folder: Path) -> None:
    """Remove the stages that no program writes to. What cannot be removed stays."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _STAGE.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_stale(Path(entry.path))


def _remove_if_stale(path: Path) -> None:
    with FolderLock(path) as lock:
        if lock.state == "held" or (lock.state == "unknown" and _last_change(path) < time.time() - _LONGEST_RUN):  # noqa: TID251  # times of files are real
            shutil.rmtree(path, ignore_errors=True)


def _last_change(path: Path) -> float:
    return max(one.stat().st_mtime for one in (path, *path.iterdir()))


def place(part: Path, target: Path, *, replace: bool) -> None:
    """Put a complete file in its place, and make the folders for it. Without `replace`, raises `FileExistsError`."""
    made = missing_folders(target.parent)
    if made:
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        try:
            _move(part, target, replace=replace)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy(part, target, replace=replace)
    except BaseException:  # an interrupt too leaves no empty folder
        remove_if_empty(made)
        raise


def _copy(part: Path, target: Path, *, replace: bool) -> None:
    """For a folder that is a link to another file system."""
    near = target.parent / f".{uuid4().hex}.part"
    try:
        shutil.copyfile(part, near)
        _move(near, target, replace=replace)
    finally:
        near.unlink(missing_ok=True)


def _move(part: Path, target: Path, *, replace: bool) -> None:
    if replace:
        part.replace(target)
    else:
        move_new(part, target)


def move_new(part: Path, target: Path) -> None:
    """Rename a file unless the target exists: of two downloads to one path, one fails."""
    try:
        os.link(part, target)
    except OSError:
        if os.path.lexists(target):
            raise FileExistsError(f"{target} exists") from None
        part.rename(target)  # a file system without hard links
    else:
        part.unlink()


def missing_folders(folder: Path) -> list[Path]:
    """This folder and those above it, as far as they do not exist."""
    found: list[Path] = []
    for one in chain((folder,), folder.parents):
        if os.path.lexists(one):
            break
        found.append(one)
    return found


def remove_if_empty(folders: Iterable[Path]) -> None:
    """Remove those of the folders that are empty, the deepest first."""
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()
