"""Streaming decompression, and the encodings that it is for."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

_AUTO: Final = 32 + zlib.MAX_WBITS
_LARGEST: Final = 1 << 18
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


class Inflater:
    """Decompresses gzip or zlib data; concatenated members are read as one.

    Chunks have at most 256 KiB, whatever the compression ratio. Raises `ValueError` for corrupt or truncated data.
    """

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_AUTO)
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decompressed chunks of the next bytes."""
        while data:
            if self._unpacker.eof:
                data = data.lstrip(b"\0")  # padding after the end
                if not data:
                    return
                self._unpacker = zlib.decompressobj(_AUTO)
            self._started = True
            try:
                piece = self._unpacker.decompress(data, _LARGEST)
            except zlib.error as error:
                raise ValueError(f"the compressed data is corrupt: {error}") from None
            data = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            if piece:
                yield piece

    @property
    def is_complete(self) -> bool:
        """Whether the data that came so far is whole."""
        return self._started and self._unpacker.eof

    def finish(self) -> None:
        """Mark the end of the data."""
        if self._started and not self._unpacker.eof:
            raise ValueError("the compressed data ends too early")
