"""The encodings of files: which are decompressed, and which are the form of the file."""

from __future__ import annotations

from typing import Final

_NONE: Final = frozenset({"", "identity", "aws-chunked"})
"""Not encodings of the body; the last one describes an upload, and storage providers repeat it."""
_READABLE: Final = frozenset({"gzip", "x-gzip", "deflate"})
_OF_FILES: Final = {
    (".gz", ".tgz", ".svgz"): frozenset({"gzip", "x-gzip"}),
    (".br",): frozenset({"br"}),
    (".zst", ".tzst"): frozenset({"zstd"}),
    (".z",): frozenset({"compress", "x-compress"}),
}


def encodings_of_file(name: str) -> frozenset[str]:
    """The encodings that are the form of the file itself, by its name: such a file is stored as it comes."""
    return frozenset[str]().union(*(kept for ends, kept in _OF_FILES.items() if name.lower().endswith(ends)))


def is_packed(encoding: str, kept: frozenset[str]) -> bool:
    """Whether the body is to be decompressed, by the header `Content-Encoding` and the encodings that are kept.

    Raises `ValueError` for an encoding that cannot be read, and for several at once.
    """
    names = [name for name in (part.strip().lower() for part in encoding.split(",")) if name not in _NONE]
    if not names or (len(names) == 1 and names[0] in kept):
        return False
    if len(names) == 1 and names[0] in _READABLE:
        return True
    raise ValueError(
        f"the server sent the file with Content-Encoding: {encoding}, which was not asked for and cannot be decoded"
    )
