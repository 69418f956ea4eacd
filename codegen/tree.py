"""Trees of generated files: compared and written as a whole, so that no stale file remains."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping
from pathlib import Path

Tree = Mapping[str, str]
"""File contents by path, with slashes, relative to the root of the tree."""


def differences(root: Path, wanted: Tree, *, whole: bool = True) -> str:
    """A unified diff from the files below `root` to the tree that is wanted; empty if they agree byte for byte.

    Unless it is the `whole` tree, other files are not looked at.
    """
    found = _read(root) if whole else _read_some(root, wanted)
    texts: list[str] = []
    for path in sorted({*found, *wanted}):
        have, want = found.get(path), wanted.get(path)
        if have != (None if want is None else want.encode()):
            texts.append(_difference(f"{root.name}/{path}", have, want))
    return "".join(texts)


def write(root: Path, wanted: Tree, *, whole: bool = True) -> None:
    """Makes the files below `root` the tree that is wanted. Files that are right already stay untouched.

    Unless it is the `whole` tree, other files are kept.
    """
    found = _read(root) if whole else _read_some(root, wanted)
    for path in found.keys() - wanted.keys():
        (root / path).unlink()
    for path, text in wanted.items():
        if found.get(path) != text.encode():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text.encode())
    if whole:
        _remove_empty_folders(root)


def _read(root: Path) -> dict[str, bytes]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _read_some(root: Path, wanted: Tree) -> dict[str, bytes]:
    return {path: (root / path).read_bytes() for path in wanted if (root / path).is_file()}


def _difference(path: str, have: bytes | None, want: str | None) -> str:
    before = (have or b"").decode(errors="replace").splitlines(keepends=True)
    after = (want or "").splitlines(keepends=True)
    lines = difflib.unified_diff(
        before,
        after,
        "/dev/null" if have is None else path,
        "/dev/null" if want is None else path,
    )
    text = "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
    # Of an empty file a diff shows nothing.
    return text or f"{path} is {'missing' if have is None else 'too many'}\n"


def _remove_empty_folders(root: Path) -> None:
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        if all(path.name == "__pycache__" for path in folder.iterdir()):
            shutil.rmtree(folder)
