"""Complete files put in their places, and recorded. All of it does blocking I/O."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.logs import logger
from circleci_sdk.helpers._downloads.locks import FolderLock
from circleci_sdk.helpers._downloads.staging import place

if TYPE_CHECKING:
    from circleci_sdk.helpers._downloads.staging import Stage

    from .manifest import Manifest
    from .selection import Planned


def check_place(path: Path, dest: Path) -> None:
    """Raise `OSError` if a folder is in the place of the file, or a file in that of a folder above it."""
    for above in path.parents:
        if above == dest:
            break
        if not above.is_dir() and os.path.lexists(above):
            raise NotADirectoryError(errno.ENOTDIR, "A file is in the place of the folder", str(above))
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(errno.EISDIR, "A folder is in the place of the file", str(path))


class Places:
    """Puts the files of one download in their places: one at a time, whatever other downloads go to the same folder."""

    def __init__(self, stage: Stage, manifest: Manifest, *, replaces: bool) -> None:
        self._stage = stage
        self._dest = stage.folder
        self._manifest = manifest
        self._replaces = replaces
        self._own: dict[tuple[int, int] | None, Path] = {}

    def put(self, item: Planned, part: Path, size: int) -> int:
        """Move a complete file to its place and record it. Raises if another one is there that may not be replaced.

        The record never says of a file that it is this artifact when it is another one, wherever the program ends.
        """
        with self._stage.in_use(), FolderLock(self._dest, wait=True):
            check_place(item.path, self._dest)
            if self._is_own(item.path):  # by links, or since case or the form of letters makes no difference
                raise InvalidArgumentError(f"another artifact has the same path on disk, {item.path}")
            self._manifest.read()
            if self._replaces:
                self._replace(part, item, size)
            else:
                self._add(part, item, size)
            self._own[_identity(item.path)] = item.path
            return size

    def _replace(self, part: Path, item: Planned, size: int) -> None:
        if self._manifest.is_of_another_download(item.path):
            # The report of the other download names the file: it must not become another one.
            if self._manifest.known(item.path) == (item.identity, size):
                return
            raise FileExistsError(f"{item.path} was replaced by another download meanwhile")
        if os.path.lexists(item.path):
            try:
                self._manifest.forget(item.path)
            except OSError:
                if self._manifest.known(item.path) is not None:
                    raise
        place(part, item.path, replace=True)
        self._record(item, size)

    def _add(self, part: Path, item: Planned, size: int) -> None:
        if os.path.lexists(item.path):
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

    def _is_own(self, path: Path) -> bool:
        """Whether this download has put the file there, under this or another path."""
        identity = _identity(path)
        own = self._own.get(identity)
        return identity is not None and own is not None and _identity(own) == identity


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
