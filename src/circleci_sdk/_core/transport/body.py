"""The body of a response that is read as a whole, up to a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import httpx

from .failures import TooLargeError

LARGEST_REFUSAL: Final = 1 << 20
"""Bytes that are kept of a response that is no success: its message is at the beginning."""


class Body(NamedTuple):
    """A decompressed body, how many bytes came over the wire, and whether that is all of it."""

    content: bytes
    received: int
    is_complete: bool


async def read_body(response: httpx.Response, pieces: AsyncIterator[bytes], limit: int | None) -> Body:
    """The body. Raises `UnusableBodyError`; a response that is no success is cut off instead."""
    is_cut = not response.is_success
    if is_cut:
        limit = LARGEST_REFUSAL if limit is None else min(limit, LARGEST_REFUSAL)
    if response.is_stream_consumed:  # and decompressed, by a transport that logs bodies
        return _cut(response.content, limit, is_cut=is_cut)
    raw, is_complete = await _joined(pieces, limit, is_cut=is_cut)
    # In the list as it is: the first look by name decodes all headers.
    if not raw or b"content-encoding" not in [name.lower() for name, _ in response.headers.raw]:
        return Body(raw, len(raw), is_complete)
    from .decompression import decompressed

    names = response.headers["content-encoding"]
    return Body(await decompressed(raw, names, limit, is_cut=is_cut), len(raw), is_complete)


def shown_with(response: httpx.Response, body: Body) -> httpx.Response:
    """The response with its body, as httpx would hand it out."""
    kept = {name: value for name, value in response.extensions.items() if name in ("http_version", "reason_phrase")}
    shown = httpx.Response(
        response.status_code,
        content=body.content,
        request=response.request,
        extensions=kept,
        default_encoding=response.default_encoding,
    )
    shown.headers = response.headers.copy()  # not before: httpx would decompress the body, and add headers
    vars(shown)["_num_bytes_downloaded"] = body.received
    return shown


def _cut(content: bytes, limit: int | None, *, is_cut: bool) -> Body:
    if limit is not None and len(content) > limit and not is_cut:
        raise TooLargeError(limit)
    return Body(content[:limit], len(content), True)


async def _joined(pieces: AsyncIterator[bytes], limit: int | None, *, is_cut: bool) -> tuple[bytes, bool]:
    found: list[bytes] = []
    size = 0
    async for piece in pieces:
        size += len(piece)
        if limit is not None and size > limit:
            if not is_cut:
                raise TooLargeError(limit)
            found.append(piece[: limit - size])
            return b"".join(found), False
        found.append(piece)
    return b"".join(found), True
