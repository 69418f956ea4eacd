"""Compressed data, unpacked piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

_AUTO: Final = 32 + zlib.MAX_WBITS
_LARGEST: Final = 1 << 18


class Inflater:
    """Unpacks gzip or zlib data. Several compressed files one after the other are read as one.

    Pieces are at most 256 KiB, however much is packed into how little. Raises `ValueError` for data that is broken
    or ends too early.
    """

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_AUTO)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to."""
        while data:
            if self._unpacker.eof:
                data = data.lstrip(b"\0")  # padding after the end
                if not data:
                    return
                self._unpacker = zlib.decompressobj(_AUTO)
            self._begun = True
            try:
                piece = self._unpacker.decompress(data, _LARGEST)
            except zlib.error as error:
                raise ValueError(f"the compressed data is broken: {error}") from None
            data = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            if piece:
                yield piece

    def finish(self) -> None:
        """Say that nothing more comes."""
        if self._begun and not self._unpacker.eof:
            raise ValueError("the compressed data ends too early")
