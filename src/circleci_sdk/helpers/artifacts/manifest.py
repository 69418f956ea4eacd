"""Which artifact each file of a folder is: a hidden file with a line of JSON for each download.

Lines are only added, so that several programs may download into one folder. The last line for a path counts.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = ".circleci-artifacts.jsonl"

Known = tuple[str, int]
"""The identity of an artifact, and the size of its file in bytes."""

IGNORES_CASE: Final = os.name == "nt" or sys.platform == "darwin"
"""Whether file systems of this system usually take `A.txt` and `a.txt` for one file."""


def on_disk(path: str) -> str:
    """The same text for paths that may be one file on disk."""
    return unicodedata.normalize("NFC", path).casefold() if IGNORES_CASE else path


class Manifest:
    """The record of one folder. All methods do blocking I/O."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: Mapping[str, Known] = {}
        self._size = 0

    def read(self) -> None:
        """Read the record, also what was added since; what is missing or cannot be read is unknown."""
        try:
            size = (self._folder / NAME).stat().st_size
            if size == self._size:
                return
            text = (self._folder / NAME).read_text("utf-8", "replace")
        except OSError:
            return
        self._known, self._size = parse(text), size

    def known(self, path: Path) -> Known | None:
        """What a file is, by the record."""
        return self._known.get(self._relative(path))

    def forget(self, path: Path) -> None:
        """Note that a file is about to be replaced: until it is recorded again, it is unknown."""
        if self.known(path) is not None:
            self._write({"path": self._relative(path)})

    def record(self, path: Path, artifact: str, size: int) -> None:
        """Note that a file is this artifact."""
        self._write({"path": self._relative(path), "artifact": artifact, "size": size})

    def _write(self, line: dict[str, Any]) -> None:
        with (self._folder / NAME).open("ab") as file:
            # A line that was not finished, since the disk was full, ends here.
            file.write(b"\n" + json.dumps(line).encode() + b"\n")

    def _relative(self, path: Path) -> str:
        return on_disk(path.relative_to(self._folder).as_posix())


def parse(text: str) -> dict[str, Known]:
    """The record in the text of the file. Lines that are not complete count for nothing."""
    known: dict[str, Known] = {}
    for line in text.splitlines():
        try:
            match json.loads(line):
                case {"path": str(path), "artifact": str(artifact), "size": int(size)}:
                    known[path] = artifact, size
                case {"path": str(path)}:
                    known.pop(path, None)
                case _:
                    pass
        except (ValueError, RecursionError):
            continue
    return known
