"""Which artifact each file of a folder is: a hidden file with a line of JSON for each download.

Lines are only added, so that several programs may download into one folder. The last line for a path counts.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from circleci_sdk.helpers._downloads.names import on_disk
from circleci_sdk.helpers._downloads.saving import write_all

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = ".circleci-artifacts.jsonl"

Known = tuple[str, int]
"""The identity of an artifact, and the size of its file in bytes."""


class Manifest:
    """The record of one folder. All methods do blocking I/O."""

    def __init__(self, folder: Path) -> None:
        self._depth = len(folder.parts)
        self._path = folder / NAME
        self._known: dict[str, Known] = {}
        self._offset = 0
        self._is_read = False
        self._later: set[str] = set()
        self._own: set[str] = set()

    def read(self) -> None:
        """Read what was added since the last time; what is missing or cannot be read is unknown."""
        text = b""
        with suppress(OSError):
            if self._path.stat().st_size != self._offset:
                with self._path.open("rb") as file:
                    file.seek(self._offset)
                    text = file.read()
        text = text[: text.rfind(b"\n") + 1]
        self._offset += len(text)
        for path, known in lines(text.decode("utf-8", "replace")):
            self._note(path, known)
            if known is not None and self._is_read:
                self._later.add(path)
        self._is_read = True

    def known(self, path: Path) -> Known | None:
        """What a file is, by the record."""
        return self._known.get(self._relative(path))

    def is_of_another_download(self, path: Path) -> bool:
        """Whether another download has recorded this file since the first `read`."""
        return self._relative(path) in self._later - self._own

    def forget(self, path: Path) -> None:
        """Note that a file is about to be replaced: until it is recorded again, it is unknown."""
        self._write(self._relative(path), None)

    def record(self, path: Path, artifact: str, size: int) -> None:
        """Note that a file is this artifact."""
        relative = self._relative(path)
        self._own.add(relative)
        self._write(relative, (artifact, size))

    def _write(self, path: str, known: Known | None) -> None:
        line = {"path": path} if known is None else {"path": path, "artifact": known[0], "size": known[1]}
        # A line that was not finished, since the disk was full, ends here.
        data = b"\n" + json.dumps(line).encode() + b"\n"
        with self._path.open("ab", buffering=0) as file:
            write_all(file, data)
            if file.tell() == self._offset + len(data):  # else others have written too: all of it is read
                self._offset += len(data)
        self._note(path, known)

    def _note(self, path: str, known: Known | None) -> None:
        if known is None:
            self._known.pop(path, None)
        else:
            self._known[path] = known

    def _relative(self, path: Path) -> str:
        return on_disk("/".join(path.parts[self._depth :]))


def lines(text: str) -> Iterator[tuple[str, Known | None]]:
    """The paths in the text of the file, each with what it is, or None. Incomplete lines count for nothing."""
    for line in text.splitlines():
        try:
            match json.loads(line):
                case {"path": str(path), "artifact": str(artifact), "size": int(size)}:
                    yield path, (artifact, size)
                case {"path": str(path)}:
                    yield path, None
                case _:
                    pass
        except (ValueError, RecursionError):
            continue


def parse(text: str) -> dict[str, Known]:
    """The record in the text of the file."""
    return {path: known for path, known in dict(lines(text)).items() if known is not None}
