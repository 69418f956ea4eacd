"""Streaming decompression of gzip and zlib data, in pieces of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

_AUTO: Final = 32 + zlib.MAX_WBITS
_LARGEST: Final = 1 << 18
_SLICE: Final = 1 << 14
"""Bytes that are given to zlib at once. It copies what it leaves, for each of many members."""


class Inflater:
    """Decompresses gzip or zlib data; concatenated members are read as one.

    Pieces have at most 256 KiB, whatever the compression ratio. Some are empty, so that the caller can pause after
    each. With `headerless` the data may lack the header of zlib, as `deflate` of some servers. Raises `ValueError` for
    corrupt or truncated data.
    """

    def __init__(self, *, headerless: bool = False) -> None:
        self._unpacker: Any = None if headerless else zlib.decompressobj(_AUTO)
        self._start = b""
        self._started = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The decompressed pieces of the next bytes."""
        if self._unpacker is None:
            self._start += data
            if len(self._start) < 2:
                return
            data = self._start
            self._unpacker = zlib.decompressobj(_AUTO if _has_header(data) else -zlib.MAX_WBITS)
        for place in range(0, len(data), _SLICE):
            yield from self._slice(data[place : place + _SLICE])

    def _slice(self, data: bytes) -> Iterator[bytes]:
        is_full = False  # there may be more without further input
        while data or is_full:
            if self._unpacker.eof:
                data = data.lstrip(b"\0")  # padding after the end
                if not data:
                    return
                self._unpacker = zlib.decompressobj(_AUTO)
            self._started = True
            try:
                piece: bytes = self._unpacker.decompress(data, _LARGEST)
            except zlib.error as error:
                raise ValueError(f"the compressed data is corrupt: {error}") from None
            data = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail
            is_full = len(piece) == _LARGEST
            yield piece

    @property
    def is_complete(self) -> bool:
        """Whether the data that came so far is whole."""
        return self._started and bool(self._unpacker.eof)

    def finish(self) -> None:
        """Mark the end of the data."""
        if self._start if self._unpacker is None else self._started and not self._unpacker.eof:
            raise ValueError("the compressed data ends too early")


def _has_header(data: bytes) -> bool:
    return data[:2] == b"\x1f\x8b" or (data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0)
