"""The position in a file that several responses are read for. No I/O."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from .ranges import continues, range_headers, whole_size

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Headers


class Position:
    """How much of a file was given, and how the next response continues it.

    A response with a strong `ETag` can be continued by a request for the bytes that follow. Without one, and where the
    server does not keep to ranges, the file comes from its beginning again: the bytes that were given are compared by
    their digest and not given twice. With `keeps_digest` it is made as they are given. That takes as long as reading
    them, so a reader that has kept the bytes makes it when it is needed.

    `received` counts the bytes that were given. `size` is the size of the file, or None if the server does not say.
    """

    __slots__ = ("_digest", "_etag", "_given", "_repeated", "_to_repeat", "keeps_digest", "received", "size")

    def __init__(self) -> None:
        self.received: int = 0
        self.size: int | None = None
        self.keeps_digest: bool = True
        self._etag = ""
        self._to_repeat = 0
        self._digest = sha256()
        self._given = b""
        self._repeated = sha256()

    @property
    def is_repeating(self) -> bool:
        """Whether the response has not come to the bytes that were not given yet."""
        return self._to_repeat > 0

    @property
    def has_tag(self) -> bool:
        """Whether a request for the bytes that follow says of which file."""
        return bool(self._etag)

    @property
    def missing(self) -> str | None:
        """What a response lacks that has ended here, or None."""
        if not self._to_repeat and (self.size is None or self.received >= self.size):
            return None
        size = "an unknown number" if self.size is None else self.size
        return f"the response ended after {self.received - self._to_repeat} of {size} bytes"

    def range_headers(self) -> tuple[tuple[str, str], ...]:
        """The headers that ask for the bytes that follow."""
        return range_headers(self.received, self._etag)

    def restart(self, headers: Headers, digest: bytes = b"") -> None:
        """Begin to read a response that has the file from its beginning. `digest` is that of the bytes given so far."""
        self._to_repeat, self._repeated = self.received, sha256()
        self._given = self._digest.digest() if self.keeps_digest else digest
        self._etag = "" if headers.get("etag", "W/").startswith("W/") else headers["etag"]
        length = headers.get("content-length", "")
        self.size = int(length) if length.isdecimal() else None

    def resume(self, headers: Headers) -> bool:
        """Begin to read a partial response. False if it does not continue this file: then the whole one is needed."""
        if continues(headers, self.received, self._etag):
            self.size = whole_size(headers) or self.size
            return True
        self._etag = ""
        return False

    def end(self) -> None:
        """The server says that the file ends here."""
        self._to_repeat = 0

    def take(self, data: bytes) -> bytes:
        """The new bytes of these. Raises `ValueError` if the others differ from those that were given."""
        old, new = data[: self._to_repeat], data[self._to_repeat :]
        if old:
            self._repeated.update(old)
            self._to_repeat -= len(old)
            if not self._to_repeat and self._repeated.digest() != self._given:
                raise ValueError("the file is another one now")
        self.received += len(new)
        if self.keeps_digest:
            self._digest.update(new)
        return new
