"""The secrets of a call, found again in text of a server.

A server may quote what it was sent: the token, or a secret of the body. Text of a server surfaces in errors, logs,
reprs and pickles, so text that repeats a secret is left out there, in whatever spelling it stands.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Final

SHORTEST: Final = 8
"""Shorter strings are not looked for: `on`, `prod` and `staging` are parts of the words that explain an error.

White space does not count.
"""

LEFT_OUT: Final = "[left out: it repeats a secret]"
"""Stands for text of the server that repeats a secret."""

_DEPTH: Final = 5
"""Escapes inside of escapes, as in JSON inside a JSON string."""
_LONGEST: Final = 1 << 20
"""Replacing the escapes of longer text would block the event loop for seconds."""
_FOLD: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", b"abcdefghijklmnopqrstuvwxyz+/")
"""Upper and lower case are alike, and both alphabets of base64."""
_SPACE: Final = b" \t\r\n"
"""Left out before comparing: base64 is often broken into lines."""
_ESCAPE: Final = (
    rb"(?i)%([0-9a-f]{2})|\\x([0-9a-f]{2})"  # percent-encoding; strings of most languages
    rb"|((?:[\\%]u[0-9a-f]{4})+)|\\u\{0*([0-9a-f]{1,6})\}"  # JSON, JavaScript
    rb"|&#x0*([0-9a-f]{1,6});|&#0*([0-9]{1,7});|&(amp|lt|gt|quot|apos);"  # HTML
    rb"|\\([^ux0-9])"
)
_NAMED: Final = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_LETTERS: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class Secrets:
    """The secrets of a call. Without a `repr` that shows them, and without a pickle.

    A secret is recognized verbatim, in base64 (the alphabet for URLs too, and as a part of longer text, as Basic
    authentication sends it), in hexadecimal digits, and with percent, JSON, string and HTML escapes, also nested and
    mixed; in upper and lower case. Of a secret of several lines each line counts.
    """

    __slots__ = ("_spellings",)

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._spellings: frozenset[bytes] = frozenset(
            spelling for value in values for line in {value, *value.splitlines()} for spelling in _spellings(line)
        )

    def __repr__(self) -> str:
        return f"<{len(self._spellings)} spellings of secrets>"

    def __reduce__(self) -> str:
        raise TypeError("secrets are never pickled")

    def __or__(self, other: Secrets) -> Secrets:
        if not other._spellings:
            return self
        both = Secrets()
        both._spellings = self._spellings | other._spellings
        return both

    def are_in(self, text: str | bytes) -> bool:
        """Whether text repeats one of them. More than 1 MiB of text with escapes counts as a repetition."""
        if not self._spellings:
            return False
        if isinstance(text, bytes):
            return self.are_in_bytes(text)
        forms = [text.encode("utf-8", "surrogatepass")]
        if not text.isascii() and max(text) <= "\xff":
            forms.append(text.encode("latin-1"))  # a header, of whose encoding HTTP says nothing
        return any(map(self.are_in_bytes, forms))

    def are_in_error(self, error: BaseException) -> bool:
        """Whether an exception, or one that it was raised from, repeats one of them."""
        from .causes import with_causes  # not for a client that is only created

        return any(self.are_in(f"{one!s} {one!r} {one.args!r} {vars(one)!r}") for one in with_causes(error))

    def are_in_bytes(self, text: bytes) -> bool:
        """As `are_in`; called for each response."""
        for depth in range(_DEPTH):
            folded = text.translate(_FOLD, _SPACE + b"\\" if depth else _SPACE)
            for spelling in self._spellings:
                if spelling in folded:
                    return True
            if b"%" not in text and b"\\" not in text and b"&" not in text and b"\0" not in text:
                return False
            if len(text) > _LONGEST:
                return True
            text = _unescaped(text)
        return False


NO_SECRETS: Final = Secrets()


def _spellings(secret: str) -> Iterator[bytes]:
    """What stands in text without escapes, folded."""
    raw = secret.strip().encode("utf-8", "surrogatepass")
    plain = raw.translate(_FOLD, _SPACE)
    if len(plain) < SHORTEST:
        return
    yield plain
    if b" " in raw:
        yield raw.replace(b" ", b"+").translate(_FOLD, _SPACE)  # forms
    yield raw.hex().encode()
    for before in range(3):  # the place of a byte in a group of three decides its letters
        letters = b64encode(b"\0" * before + raw)
        yield letters[(0, 2, 3)[before] : (before + len(raw)) * 8 // 6].translate(_FOLD)
    for _ in range(_DEPTH):  # a secret may hold what looks like an escape
        raw = _unescaped(raw)
    plain = raw.translate(_FOLD, _SPACE + b"\\")
    if len(plain) >= SHORTEST:
        yield plain


def _unescaped(text: bytes) -> bytes:
    text = text.replace(b"\0", b"")  # UTF-16
    return re.sub(_ESCAPE, _character, text) if b"%" in text or b"\\" in text or b"&" in text else text


def _character(match: re.Match[bytes]) -> bytes:
    percent, string, json, braced, html_hex, html, named, letter = match.groups()
    if byte := percent or string:
        return bytes([int(byte, 16)])
    if json:
        units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in re.findall(rb"[0-9a-fA-F]{4}", json))
        return units.decode("utf-16-be", "replace").encode()
    if named:
        return _NAMED[named.lower()]
    if letter:
        return _LETTERS.get(letter, letter)
    code = int(html) if html else int(braced or html_hex, 16)
    return chr(code).encode("utf-8", "replace") if code < 0x110000 else b""
