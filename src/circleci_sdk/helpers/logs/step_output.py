"""The output of a step as a stream: a JSON decoder, and the last lines of the output. No I/O."""

from __future__ import annotations

import codecs
import json
import re
from collections import deque
from typing import Final

from circleci_sdk._core.printable import printable

from .output_form import LONGEST_START, Form, form_of

_STRING: Final = re.compile(r'(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\u(?![0-9a-fA-F]{0,3}\Z)|\\[^u])*+', re.DOTALL)
_HALF_PAIR: Final = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})\Z")
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNTIL_SIGN: Final = re.compile(r'[^"{}\[\]:,]*')
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
LONGEST_TAIL: Final = 1 << 20
"""Characters that a tail keeps at most, however long its lines are."""


class OutputReader:
    """Decodes the output of a step from chunks of bytes.

    The output is a JSON array of objects with a `message` each. A message may be larger than memory, so it is
    returned in pieces. Anything else is plain text, also if it begins with a bracket, and so is what follows the array.
    `truncated`: the server reported that it left something out.
    """

    def __init__(self) -> None:
        self.truncated: bool = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._form: Form | None = None
        self._is_first = True
        self._depth = 0
        self._objects = 0
        self._in_string = False
        self._is_key = False
        self._key = ""
        self._before_colon = True
        self._word = ""

    def feed(self, data: bytes, *, last: bool = False) -> str:
        """The text in the next bytes; `last` marks the end."""
        text = self._rest + self._decoder.decode(data, last)
        self._rest = ""
        if self._is_first:
            text = text.removeprefix("\ufeff")
        pieces: list[str] = []
        while text:
            if self._form is None and not self._begin(text, last=last):
                break
            if self._form is Form.TEXT:
                pieces.append(text)
                break
            text = self._scan(text, pieces, last=last)
        if last and (self._depth or self._in_string):
            self.truncated = True
        return "".join(pieces)

    def _begin(self, text: str, *, last: bool) -> bool:
        """Decide the form of what begins with this text; False if more of it is needed, or if there is nothing."""
        start = text.lstrip(" \t\r\n")
        if start or (last and self._is_first) or len(text) > LONGEST_START:
            self._form = form_of(start, last=last)
        if self._form is None:
            self._rest = text
            return False
        self._objects = 2 if self._form is Form.MESSAGES else 1
        self._is_first = False
        return True

    def _scan(self, text: str, pieces: list[str], *, last: bool) -> str:
        """Add the messages of the JSON to the pieces. Returns the text after its end."""
        at = 0
        while at < len(text):
            if self._in_string:
                at = self._string(text, at, pieces, last=last)
                if self._rest:
                    break
                continue
            match = _UNTIL_SIGN.match(text, at)
            assert match is not None
            self._word += match[0].strip()
            at = match.end()
            if at < len(text):
                self._sign(text[at])
                at += 1
                if not self._depth:
                    self._form = None
                    return text[at:]
        return ""

    def _sign(self, sign: str) -> None:
        if sign == '"':
            self._in_string = True
            self._is_key = self._depth == self._objects and self._before_colon
            if self._is_key:
                self._key = ""
            return
        if self._key == "truncated" and self._word == "true" and self._depth == self._objects:
            self.truncated = True
        self._word = ""
        if sign in "{[":
            self._depth += 1
            self._before_colon = sign == "{"
        elif sign in "}]":
            self._depth -= 1
            self._key = ""
        elif sign == ":":
            self._before_colon = False
        elif self._depth == self._objects:
            self._before_colon = True

    def _string(self, text: str, at: int, pieces: list[str], *, last: bool) -> int:
        match = _STRING.match(text, at)
        assert match is not None
        found, at = match[0], match.end()
        if at < len(text) and text[at] == '"':
            self._in_string = False
            at += 1
        elif not last:
            # An escape, or the first half of a pair of them, that is not complete yet.
            half = _HALF_PAIR.search(found)
            if half is not None:
                found, at = found[: half.start(1)], at - len(half[1])
            self._rest, at = text[at:], len(text)
        else:
            found += "\\ufffd" if at < len(text) else ""
            at = len(text)
        if self._is_key:
            self._key += found
        elif self._key == "message" and self._depth == self._objects and found:
            pieces.append(_unescaped(found))
        return at


def _unescaped(text: str) -> str:
    try:
        plain: str = json.loads(f'"{text}"', strict=False)
    except ValueError:  # an escape that JSON does not have
        plain = _ESCAPE.sub(_meaning, text)
    return _SURROGATE.sub("\ufffd", plain)


def _meaning(escape: re.Match[str]) -> str:
    sign = escape[1]
    return chr(int(sign[1:], 16)) if len(sign) == 5 else _ESCAPES.get(sign, sign)


class Tail:
    """The last lines of a string that arrives in pieces, in bounded memory; all of it for None.

    Lines end with a line feed: the line ends of terminals (CR LF) are not kept. `cut`: something was left out.
    """

    def __init__(self, lines: int | None) -> None:
        self.cut: bool = False
        self._most = lines
        self._lines: deque[str] = deque()
        self._all: list[str] = []
        self._open = ""
        self._size = 0

    def add(self, text: str) -> None:
        """Add the next piece."""
        if self._most is None:
            self._all.append(text)
            return
        *whole, self._open = (self._open + text).split("\n")
        if len(whole) > self._most:  # none of the earlier ones will be kept
            self.cut = True
            self._lines.clear()
            self._size = 0
            whole = whole[len(whole) - self._most :]
        for line in whole:
            self._lines.append(line.removesuffix("\r"))
            self._size += len(self._lines[-1]) + 1
        while self._lines and (len(self._lines) + bool(self._open) > self._most or self._size > LONGEST_TAIL):
            self._size -= len(self._lines.popleft()) + 1
            self.cut = True
        if len(self._open) > LONGEST_TAIL:
            self._open = self._open[-LONGEST_TAIL:]
            self.cut = True

    @property
    def text(self) -> str:
        """The kept lines."""
        if self._most is None:
            return "".join(self._all).replace("\r\n", "\n")
        if self._most == 0:
            return ""
        return "".join(f"{line}\n" for line in self._lines) + self._open


_CONTROL: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours and the cursor
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # strings, such as a title
    r"|\x1b[ -/]*[0-~]"
)


_REST: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def readable(text: str) -> str:
    """A log without terminal control sequences: no colours, no overwritten lines, no other direction of writing."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in _CONTROL.sub("", text).split("\n"))
    return "\n".join(printable(_REST.sub("", line), lines=True) for line in lines)
