"""Bodies by the header `Content-Encoding`: with a limit, in pieces of bounded size, between which other tasks run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

from anyio.lowlevel import checkpoint

from .failures import TooLargeError, UnusableBodyError
from .inflate import Inflater

_MOST_ENCODINGS: Final = 5
_ZLIB: Final = ("gzip", "x-gzip", "deflate")
_LIBRARIES: Final = {"br": ("brotli", "brotlicffi"), "zstd": ("zstandard",)}
"""The libraries that httpx uses too, if they are installed. Other encodings are left as they are."""
_SLICE: Final = 16
"""Bytes that are given at once to a decoder without a limit of its own."""
_LARGEST: Final = 1 << 18
"""About the size of the pieces of a decoder with a limit."""
_TOO_EARLY: Final = "the compressed data ends too early"


async def decompressed(raw: bytes, header: str, limit: int | None, *, is_cut: bool) -> bytes:
    """A body without its encodings. Raises `UnusableBodyError`; with `is_cut` the readable beginning instead."""
    pieces: Iterator[bytes] = iter((raw,))
    for name in reversed(_encodings(header)):
        pieces = _counted(_unpacked(name, pieces), limit)
    found: list[bytes] = []
    try:
        for piece in pieces:
            if piece:
                found.append(piece)
            await checkpoint()
    except UnusableBodyError:
        if not is_cut:
            raise
    return b"".join(found)


def _encodings(header: str) -> list[str]:
    """The encodings that can be decoded, the one applied last at the end."""
    names = [name.strip().lower() for name in header.split(",")]
    known = [name for name in names if name in _ZLIB or (name in _LIBRARIES and _library(name) is not None)]
    if len(known) > _MOST_ENCODINGS:
        raise UnusableBodyError(f"The response is compressed {len(known)} times: Content-Encoding names that many.")
    return known


def _counted(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    """The same pieces up to the limit, which each of several encodings has: the inner ones take memory and time too."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if limit is not None and size > limit:
            yield piece[: limit - size]
            raise TooLargeError(limit)
        yield piece


def _unpacked(name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        if name in _ZLIB:
            yield from _inflated(Inflater(headerless=name == "deflate"), pieces)
        else:
            yield from (_by_brotli if name == "br" else _by_zstandard)(pieces)
    except UnusableBodyError:
        raise
    except Exception as error:  # noqa: BLE001  # of zlib, or of a library with classes of its own
        raise UnusableBodyError(f"The response's compression is broken: {error}") from None


def _inflated(inflater: Inflater, pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from inflater.feed(piece)
        yield b""
    inflater.finish()


def _by_brotli(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = _library("br").Decompressor()
    # The versions before 1.2 have no limit.
    options = {"output_buffer_limit": _LARGEST} if hasattr(decoder, "can_accept_more_data") else {}
    unpack: Any = getattr(decoder, "process", None) or decoder.decompress
    for data in _slices(pieces, _LARGEST if options else _SLICE):
        yield (found := unpack(data, **options))
        while options and (found or not decoder.can_accept_more_data()):
            yield (found := unpack(b"", **options))
    if not decoder.is_finished():
        raise ValueError(_TOO_EARLY)


def _by_zstandard(pieces: Iterator[bytes]) -> Iterator[bytes]:
    make: Any = _library("zstd").ZstdDecompressor().decompressobj
    decoder = make()
    for data in _slices(pieces, _SLICE):
        rest = data
        while rest:
            if decoder.eof:  # another frame
                decoder = make()
            yield decoder.decompress(rest)
            rest = decoder.unused_data if decoder.eof else b""
        yield b""
    if not decoder.eof:
        raise ValueError(_TOO_EARLY)


def _slices(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """All of the pieces; those that are empty too, after which the caller can pause."""
    for piece in pieces:
        for place in range(0, len(piece) or 1, size):
            yield piece[place : place + size]


def _library(name: str) -> Any:
    for library in _LIBRARIES[name]:
        with suppress(ImportError):
            return import_module(library)
    return None
