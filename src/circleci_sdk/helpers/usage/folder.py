"""The files of usage exports in a folder: one generation for each window, replaced as a whole. Does blocking I/O.

A window of which not all files are there has the hidden file `.usage-<first day>-<last day>.incomplete` beside them. It
is written before the first file changes and removed after the last.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from circleci_sdk.helpers._downloads.locks import FolderLock
from circleci_sdk.helpers._downloads.staging import place

from .windows import UsageWindow, file_stem

if TYPE_CHECKING:
    from circleci_sdk.helpers._downloads.staging import Stage

_NAME: Final = re.compile(r"(usage-(\d{8}(?:T\d{6})?)-(\d{8}(?:T\d{6})?))-(?:0|[1-9]\d*)\.csv\.gz")
_MARKER: Final = re.compile(r"\.(usage-(\d{8}(?:T\d{6})?)-(\d{8}(?:T\d{6})?))\.incomplete")


class _Found(NamedTuple):
    """A file of an export or a marker, by its name, and its period in whole seconds."""

    path: Path
    stem: str
    start: datetime
    last: datetime

    def overlaps(self, window: UsageWindow) -> bool:
        start, last = _period(window)
        return self.stem == file_stem(window) or (self.start < last and start < self.last)

    def is_within(self, window: UsageWindow) -> bool:
        start, last = _period(window)
        return self.stem == file_stem(window) or (start <= self.start and self.last <= last)


def check_windows(folder: Path, windows: Sequence[UsageWindow], *, overwrite: bool) -> None:
    """Raise `FileExistsError` if files are in the way of these windows: then no export needs to be requested."""
    for window in windows:
        _files_to_replace(folder, window, overwrite=overwrite)


def put_window(
    stage: Stage, window: UsageWindow, parts: Mapping[int, Path], *, is_complete: bool, overwrite: bool
) -> list[Path]:
    """Put the files of a window in their places, and remove those of older exports of it. Returns the new paths.

    Files of which some are missing replace no complete ones. Raises `FileExistsError` as `check_windows` does.
    """
    folder = stage.folder
    if not folder.is_dir() and not parts:
        return []
    with stage.in_use(), FolderLock(folder, wait=True):
        older = _files_to_replace(folder, window, overwrite=overwrite)
        if not parts and not (older and is_complete):
            return []
        if not is_complete and any(not _marker(folder, one.stem).exists() for one in older):
            return []
        stem = file_stem(window)
        _marker(folder, stem).touch()
        for one in older:
            one.path.unlink(missing_ok=True)
        paths = {number: folder / f"{stem}-{number}.csv.gz" for number in sorted(parts)}
        for number, path in paths.items():
            place(parts[number], path, replace=True)
        if is_complete:
            for mark in _files(folder, _MARKER):
                if mark.is_within(window):
                    mark.path.unlink(missing_ok=True)
        return list(paths.values())


def _files_to_replace(folder: Path, window: UsageWindow, *, overwrite: bool) -> list[_Found]:
    """The files of older exports of this window."""
    found = [one for one in _files(folder, _NAME) if one.overlaps(window)]
    for one in found:
        if one.path.is_dir() and not one.path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, "A folder is in the place of the file", str(one.path))
        if not one.is_within(window):
            raise FileExistsError(
                f"{one.path} has a part of the period from {window.start:%Y-%m-%d} to {window.last:%Y-%m-%d}, which "
                "would be in the folder twice. For a window that moves, use a folder for each period, or download each "
                "day on its own; or remove the file."
            )
        if not overwrite and not _marker(folder, one.stem).exists():
            raise FileExistsError(f"{one.path} exists; pass overwrite=True to replace the files of these windows.")
    return found


def _files(folder: Path, pattern: re.Pattern[str]) -> list[_Found]:
    found: list[_Found] = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            name = pattern.fullmatch(entry.name)
            if name is None:
                continue
            with suppress(ValueError):  # no date
                found.append(_Found(folder / entry.name, name[1], _moment(name[2]), _moment(name[3], is_last=True)))
    return sorted(found)


def _marker(folder: Path, stem: str) -> Path:
    return folder / f".{stem}.incomplete"


def _moment(stamp: str, *, is_last: bool = False) -> datetime:
    if "T" in stamp:
        return datetime.strptime(stamp, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    day = datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=UTC)
    return day.replace(hour=23, minute=59, second=59) if is_last else day


def _period(window: UsageWindow) -> tuple[datetime, datetime]:
    return window.start.replace(microsecond=0), window.last.replace(microsecond=0)
