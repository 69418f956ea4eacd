"""Atomic writes of files, and safe names for files from outside."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import uuid4

from anyio.to_thread import run_sync

from circleci_sdk._core.cancellation import finish
from circleci_sdk._core.errors import InvalidArgumentError

if TYPE_CHECKING:
    from .download import Download

_PIECE: Final = 1 << 19
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_DRIVE: Final = re.compile(r"[a-z]:", re.IGNORECASE)


def safe_parts(name: str, *, windows: bool = os.name == "nt") -> tuple[str, ...]:
    """The parts of a relative path from outside.

    Rejects, with `InvalidArgumentError`, on any system: absolute paths, drives, `..`, backslashes and control
    characters; on Windows also names that are invalid there, and those of devices such as `NUL` or `aux.js`.
    """

    def refuse(why: str) -> InvalidArgumentError:
        return InvalidArgumentError(f"The file name {name!r} is unsafe: {why}.")

    if name.startswith("/") or any(_DRIVE.match(part) for part in name.split("/")):
        raise refuse("it is absolute")
    if "\\" in name:
        raise refuse("it contains a backslash, a path separator on Windows")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if not parts or name.endswith("/"):
        raise refuse("it names no file")
    for part in parts:
        if part == "..":
            raise refuse("it leads out of its folder")
        if any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F or 0xD800 <= ord(char) <= 0xDFFF for char in part):
            raise refuse("it contains a control character")
        if windows and _DEVICES.fullmatch(part):
            raise refuse(f"{part!r} is a device on Windows")
        if windows and (part[-1] in ". " or any(char in '<>:"|?*' for char in part)):
            raise refuse(f"{part!r} is no valid file name on Windows")
    return parts


async def save(download: Download, target: Path, *, replace: bool = True) -> int:
    """Write a temporary file beside the target and rename it when it is complete; returns its size in bytes.

    After an error or cancellation the temporary file is deleted. It is created only after a successful response, and
    after it is known that the system can hold the name. Without `replace`, raises `FileExistsError` if the target
    exists, at the beginning or at the end.
    """
    async with download:
        await run_sync(_prepare, target, replace)
        part = target.parent / f".{uuid4().hex}.part"
        # Without a cancellation in between: the thread would create the file all the same.
        opened: list[BinaryIO] = []
        try:
            await finish(lambda: run_sync(lambda: opened.append(_create(part))))
            file = opened[0]
            size, waiting = 0, bytearray()
            async for piece in download:
                size += len(piece)
                waiting += piece
                if len(waiting) >= _PIECE:
                    await run_sync(file.write, bytes(waiting))
                    waiting.clear()
            await run_sync(_finish, file, bytes(waiting), part, target, replace)
        except BaseException:
            with suppress(OSError):  # what is raised is the first error, or the cancellation
                await finish(lambda: run_sync(_drop, opened, part))
            raise
    return size


def _prepare(target: Path, replace: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        target.lstat()  # raises for a name that is too long
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "A folder is in the place of the file", str(target))
        if not replace:
            raise FileExistsError(f"{target} exists")


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileNotFoundError:  # another download removed the folder, since it was empty
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _finish(file: BinaryIO, rest: bytes, part: Path, target: Path, replace: bool) -> None:
    with file:
        file.write(rest)
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


def missing_folders(files: Iterable[Path]) -> list[Path]:
    """The folders of these files that do not exist, the deepest first."""
    found: set[Path] = set()
    for file in files:
        for folder in file.parents:
            if folder in found or os.path.lexists(folder):
                break
            found.add(folder)
    return sorted(found, key=lambda one: len(one.parts), reverse=True)


def remove_if_empty(folders: Iterable[Path]) -> None:
    """Remove those of the folders that are empty, in this order."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _drop(opened: list[BinaryIO], part: Path) -> None:
    try:
        for file in opened:
            file.close()
    finally:
        part.unlink(missing_ok=True)
