"""Text of a server on a terminal or in a log: what would steer the display is shown as an escape."""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = (
    "[\x00-\x1f\x7f-\x9f"  # control characters: cursor, colours, title, line ends
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # the direction of writing
    "\u2028\u2029\ud800-\udfff]"  # other line ends; half a character, which no terminal can be sent
)
_STEERING_IN_LINES: Final = _STEERING.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f")
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: str, *, lines: bool = False) -> str:
    r"""Text with control characters as visible escapes such as `\x1b`; `lines` keeps line ends and tabs."""
    if text.isprintable():
        return text
    return re.sub(_STEERING_IN_LINES if lines else _STEERING, _escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT.get(char) or (f"\\x{ord(char):02x}" if char <= "\xff" else f"\\u{ord(char):04x}")
