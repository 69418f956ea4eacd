"""Whether the output of a step is JSON or plain text, decided from its beginning. Pure functions."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Final

LONGEST_START: Final = 1 << 16
"""Characters within which the output has to show that it is JSON."""
_NAMES: Final = frozenset({"message", "time", "truncated", "type"})
_DECODER: Final = json.JSONDecoder(strict=False)
_SPACE: Final = " \t\r\n"
_LIST: Final = re.compile(r"\[[ \t\r\n]*(?=[{\]]|\Z)")
_KEY: Final = re.compile(r'[ \t\r\n]*("(?:[^"\\]|\\.)*")[ \t\r\n]*:[ \t\r\n]*+(?=.)', re.DOTALL)
_NEXT: Final = re.compile(r"[ \t\r\n]*([,}\]])[ \t\r\n]*")


class Form(Enum):
    """The form of an output."""

    MESSAGES = "messages"
    """A JSON list of objects with a `message` each."""
    MESSAGE = "message"
    """One such object alone."""
    TEXT = "text"


def form_of(start: str, *, last: bool) -> Form | None:
    """The form of an output that begins with `start`, white space removed; None if more of it is needed.

    A log may begin with `[` or `{` too, or consist of JSON of its own. JSON is what has the documented structure.
    `last`: this is the whole output.
    """
    form: Form | None = Form.TEXT
    if start.startswith("["):
        form = _form_of_list(start, last=last)
    elif start.startswith("{"):
        form = _form_of_object(start, last=last)
    return Form.TEXT if form is None and (last or len(start) > LONGEST_START) else form


def _form_of_list(start: str, *, last: bool) -> Form | None:
    opening = _LIST.match(start)
    if opening is None:
        return Form.TEXT
    at = opening.end()
    if start[at:].startswith("]"):
        rest = start[at + 1 :].strip(_SPACE)
        return Form.TEXT if rest else Form.MESSAGES if last else None
    while start[at : at + 1] == "{":
        members = _members(start, at + 1)
        if members is None:
            return None
        names, at = members
        if "message" in names:
            return Form.MESSAGES
        if not names or not names <= _NAMES:
            return Form.TEXT
        following = _NEXT.match(start, at)
        if following is None:
            return Form.TEXT if start[at:].strip(_SPACE) else None
        if following[1] == "]":
            return Form.MESSAGES
        at = following.end()
    return Form.TEXT if start[at:] else None


def _members(text: str, at: int) -> tuple[set[str], int] | None:
    """The names of the members of an object up to `message`, and the end of the object if it has none.

    None if the text ends before. An object that is no JSON has the name "".
    """
    names: set[str] = set()
    while True:
        key = _KEY.match(text, at)
        if key is None:
            return ({""}, at) if text[at:].strip(_SPACE)[:1] not in ("", '"') else None
        names.add(key[1][1:-1])
        if "message" in names:
            return (names if text[key.end()] in '"n' else {""}), key.end()
        value = _decoded(text, key.end())
        following = value and _NEXT.match(text, value[1])
        if not following:
            return None
        if following[1] == "}":
            return names, following.end()
        at = following.end()


def _decoded(text: str, at: int) -> Any:
    """The JSON value at a place, and its end; None if it is none, or not complete yet."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _form_of_object(start: str, *, last: bool) -> Form | None:
    if not start[1:].lstrip(_SPACE).startswith('"'):
        return Form.TEXT if start[1:].strip(_SPACE) else None
    found = _decoded(start, 0)
    if found is None:
        return None
    value, end = found
    known = isinstance(value.get("message"), str) and value.keys() <= _NAMES
    if not known or start[end:].strip(_SPACE):
        return Form.TEXT
    return Form.MESSAGE if last else None
