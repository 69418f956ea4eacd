"""Names of files from outside: which are safe, which the system can hold, and which are one file on disk."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path
from typing import Final, NamedTuple

from circleci_sdk._core.errors import InvalidArgumentError

_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_DRIVE: Final = re.compile(r"[a-z]:", re.IGNORECASE)

IGNORES_CASE: Final = os.name == "nt" or sys.platform == "darwin"
"""Whether file systems of this system usually take `A.txt` and `a.txt` for one file."""


def on_disk(path: str) -> str:
    """The same text for paths that may be one file on disk."""
    return unicodedata.normalize("NFC", path).casefold() if IGNORES_CASE else path


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


class Limits(NamedTuple):
    """The longest name of a file, and the longest path, of a file system."""

    name: int = 255
    path: int = 4095
    unit: str = "bytes"

    def check(self, path: Path, parts: tuple[str, ...]) -> None:
        """Raise `InvalidArgumentError` if the file system cannot hold this path, which ends with these parts."""
        try:
            for part in parts:
                if self._size(part) > self.name:
                    raise InvalidArgumentError(
                        f"The file name {_shortened(part)} is too long for the disk: {self._size(part)} {self.unit}, "
                        f"at most {self.name}."
                    )
            if self._size(str(path)) > self.path:
                raise InvalidArgumentError(
                    f"The path of {_shortened(parts[-1])} is too long for the system: {self._size(str(path))} "
                    f"{self.unit}, at most {self.path}."
                )
        except UnicodeError:
            raise InvalidArgumentError(
                f"The file name {_shortened('/'.join(parts))} has characters that the system cannot encode."
            ) from None

    def _size(self, text: str) -> int:
        return len(os.fsencode(text)) if self.unit == "bytes" else len(text.encode("utf-16-le", "surrogatepass")) // 2


def limits_of(folder: Path) -> Limits:
    """The limits of the file system of a folder, or of the one where it will be created."""
    if sys.platform == "win32":
        return Limits(255, 32766, "characters")
    for existing in (folder, *folder.parents):
        try:
            return Limits(os.pathconf(existing, "PC_NAME_MAX"), os.pathconf(existing, "PC_PATH_MAX") - 1)
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            break
    return Limits()


def _shortened(name: str) -> str:
    return repr(name if len(name) <= 60 else f"{name[:57]}...")
