"""Complete files put in their places, and recorded. All of it does blocking I/O."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from stat import S_ISDIR
from typing import TYPE_CHECKING

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.logs import logger
from circleci_sdk.helpers._downloads.locks import FolderLock
from circleci_sdk.helpers._downloads.staging import place

if TYPE_CHECKING:
    from pathlib import Path

    from circleci_sdk.helpers._downloads.staging import Stage

    from .manifest import Manifest
    from .selection import Planned


def check_place(path: Path, dest: Path) -> os.stat_result | None:
    """What is in the place of the file, or None.

    Raises `OSError` if it is a folder, or if a file is in the place of a folder above it.
    """
    for above in path.parents:
        if above == dest:
            break
        if not above.is_dir() and os.path.lexists(above):
            raise NotADirectoryError(errno.ENOTDIR, "A file is in the place of the folder", str(above))
    found = _look_up(path)
    if found is not None and S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "A folder is in the place of the file", str(path))
    return found


class Places:
    """Puts the files of one download in their places: one at a time, whatever other downloads go to the same folder.

    The first one locks the folder, until `release`.
    """

    def __init__(self, stage: Stage, manifest: Manifest, *, replaces: bool) -> None:
        self._stage = stage
        self._dest = stage.folder
        self._manifest = manifest
        self._replaces = replaces
        self._own: dict[tuple[int, int], Path] = {}
        self._locks: ExitStack | None = None

    def put(self, item: Planned, part: Path, size: int) -> int:
        """Move a complete file to its place and record it. Raises if another one is there that may not be replaced.

        The record never says of a file that it is this artifact when it is another one, wherever the program ends.
        """
        self._lock()
        found = check_place(item.path, self._dest)
        if found is not None and self._is_own(found):  # by links, or since case or the form of letters is ignored
            raise InvalidArgumentError(f"another artifact has the same path on disk, {item.path}")
        if self._replaces:
            self._replace(part, item, size, is_there=found is not None)
        else:
            self._add(part, item, size, is_there=found is not None)
        placed = _look_up(item.path)
        if placed is not None:
            self._own[placed.st_dev, placed.st_ino] = item.path
        return size

    def _lock(self) -> None:
        if self._locks is None:
            with ExitStack() as locks:
                locks.enter_context(self._stage.in_use())
                locks.enter_context(FolderLock(self._dest, wait=True))
                self._manifest.read()
                self._locks = locks.pop_all()

    def release(self) -> None:
        """Release the folder, in the thread that has put files there."""
        locks, self._locks = self._locks, None
        if locks is not None:
            locks.close()

    def _replace(self, part: Path, item: Planned, size: int, *, is_there: bool) -> None:
        if self._manifest.is_of_another_download(item.path):
            # The report of the other download names the file: it must not become another one.
            if self._manifest.known(item.path) == (item.identity, size):
                return
            raise FileExistsError(f"{item.path} was replaced by another download meanwhile")
        if is_there:
            try:
                self._manifest.forget(item.path)
            except OSError:
                if self._manifest.known(item.path) is not None:
                    raise
        place(part, item.path, replace=True)
        self._record(item, size)

    def _add(self, part: Path, item: Planned, size: int, *, is_there: bool) -> None:
        if is_there:
            if self._manifest.known(item.path) == (item.identity, size) and item.path.is_file():
                return  # another download has brought it meanwhile
            raise FileExistsError(f"{item.path} exists")
        self._record(item, size)
        try:
            place(part, item.path, replace=False)
        except BaseException:  # an interrupt too: what is recorded is there
            with suppress(OSError):
                self._manifest.forget(item.path)
            raise

    def _record(self, item: Planned, size: int) -> None:
        try:
            self._manifest.record(item.path, item.identity, size)
        except OSError as error:  # the file is complete; `overwrite="skip"` will not know it
            logger.warning("artifacts cannot record %s: %s", item.path, error)

    def _is_own(self, found: os.stat_result) -> bool:
        """Whether this download has put the file there, under this or another path."""
        own = self._own.get((found.st_dev, found.st_ino))
        now = None if own is None else _look_up(own)
        return now is not None and os.path.samestat(now, found)


def _look_up(path: Path) -> os.stat_result | None:
    """What has this path itself, without following a link."""
    try:
        return path.lstat()
    except OSError:
        return None
