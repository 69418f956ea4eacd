"""The files of a folder: those of the code base, not of its dependencies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 1_000_000
"""Larger files are not read: they are data, or written by a program."""

_SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", "node_modules", "bower_components", "site-packages", "dist-packages", "__pycache__"}
    | {"venv", ".venv", ".tox", ".nox", ".eggs", "vendor", "third_party", ".terraform", ".yarn", ".gradle"}
    | {".mypy_cache", ".ruff_cache", ".pytest_cache", ".idea", ".vscode"}
)

_HERE: Final = f".{os.sep}"


def files(root: Path, failed: list[tuple[str, str]]) -> Iterator[str]:
    """The paths below `root`, or the file itself, sorted. Folders that cannot be read are added to `failed`."""
    if not root.is_dir():
        yield str(root)
        return
    yield from _below(str(root), failed)


def _below(folder: str, failed: list[tuple[str, str]]) -> Iterator[str]:
    todo = [folder]
    while todo:
        current = todo.pop()
        try:
            with os.scandir(current) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            failed.append((current, error.strerror or type(error).__name__))
            continue
        inner: list[str] = []
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED and not _is_environment(entry.path):
                    inner.append(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path.removeprefix(_HERE)
        todo += reversed(inner)


def _is_environment(folder: str) -> bool:
    return os.path.exists(f"{folder}{os.sep}pyvenv.cfg")  # noqa: PTH110  # a Path per folder is slow
