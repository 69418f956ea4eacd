"""Streaming decompression."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

_AUTO: Final = 32 + zlib.MAX_WBITS
_LARGEST: Final = 1 << 18


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

    def finish(self) -> None:
        """Mark the end of the data."""
        if self._started and not self._unpacker.eof:
            raise ValueError("the compressed data ends too early")
