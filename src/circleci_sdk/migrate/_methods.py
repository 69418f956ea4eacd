"""The method of a request in other languages than Python, by what stands near its address."""

from __future__ import annotations

import re
from typing import Final

from ._shell import COMMAND, method_of

_VERB_BEFORE: Final = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD)[\"']?[\s,]+(?:[\w.]+\()?[\"'`]?$")
_SIGNALS: Final = re.compile(
    r"(?:method|verb|type|request)[\"']?\s*(?:[:=]|=>)+\s*(?:[\w.]+[.:])?[\"':]?(?P<a>GET|POST|PUT|PATCH|DELETE|HEAD)\b"
    r"|(?:\.|->|\b)(?P<b>get|post|put|delete|patch|head)"
    r"(?:_?(?:json|form|async|forobject|forentity|raw|data))?!?\s*(?:<[\w<>., \[\]]{0,80}>)?[\s(]"
    r"|(?:HTTP::|HttpMethod\.|Method[.:]{0,2}|Http|http\.|WebRequestMethods\.Http\.|reqwest::)(?P<c>GET|POST|PUT|PATCH|DELETE|HEAD)"
    r"|[\"'](?P<d>GET|POST|PUT|PATCH|DELETE|HEAD)[\"']"
    r"|CURLOPT_(?P<e>POST)"
    r"|\b(?:\w{1,20}_)?(?:api|circle(?:ci)?|client|curl|do|http|make|remote|request|rest|send)_(?P<f>GET|POST|PUT|PATCH|DELETE|HEAD)"
    r"(?:_\w{1,20})?!?\s*\(|\b(?:send|do|make|http)?_?(?P<g>GET|POST|PUT|PATCH|DELETE|HEAD)_?(?:request|data|api)\s*\(",
    re.IGNORECASE,
)
_LATER: Final = re.compile(
    r"(?:method|verb)\w*[\"']?\s*(?:[:=(]|=>)+\s*(?:[\w.]+[.:])?[\"':]?(GET|POST|PUT|PATCH|DELETE|HEAD)\b",
    re.IGNORECASE,
)
_END_OF_LATER: Final = re.compile(r"https?://|\n\S|\n[ \t]*(?:\}|- |(?:func|fun|def|function|public|private|async)\b)")
_OF_LIBCURL: Final = re.compile(r"curl_init\([^\n]*$|CURLOPT_URL[^\n]*$")
_SENDS_BODY: Final = re.compile(r"CURLOPT_POST(?:FIELDS)?\b|CURLOPT_CUSTOMREQUEST\s*,\s*[\"']POST|(curl_init)")
_STATEMENT: Final = re.compile(r";[ \t]*\n|\n[ \t]*\n|\n[ \t]*(?:\}|end\b)[ \t)]*;?[ \t]*\n|\n(?=[ \t]*- [\w.]+:)")
_ENDING: Final = frozenset(")}];")
_CONTINUING: Final = frozenset(".)],+?:&|-")
_URL_KEY: Final = re.compile(
    r"\b(?:ur[il]|endpoint|href|path|raw|address|host)\w*[\"']?\s*(?::|=>|=)\s*[\w.(]*[\"'`]?$", re.IGNORECASE
)
_COMMAND_START: Final = re.compile(r"\s*(?:\w+=\S+\s+)*(?:-\s+run:\s*)?(?:curl|wget|http)\b")
_CURL: Final = re.compile(r"\bcurl\b")
_QUOTED: Final = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|\\\n", re.DOTALL)
_NEXT_ITEM: Final = re.compile(r"\s*- (?:\w+:|name|run)")
_WINDOW: Final = 400
_REACH: Final = 1_500
_LONGEST: Final = 2_000


class Methods:
    """The methods of the requests of one text. `normal` is the text with its placeholders blanked."""

    def __init__(self, code: str, normal: str) -> None:
        self._code = code
        self._normal = normal

    def of_request(self, start: int, end: int) -> str | None:
        """The method of the request around an address, in upper case; None if nothing says it."""
        before = self._code[max(0, start - _WINDOW) : start]
        verb = _VERB_BEFORE.search(before)
        if verb:
            return verb[1]
        found = method_of(self.command(start, end))
        return found or self._near(start, end) or self._later(end)

    def command(self, start: int, end: int) -> str:
        """The lines of a command: those that end with a backslash or a backtick, and what a folded block has."""
        code = self._code
        before = code[max(0, start - _LONGEST) : start]
        lines_before = before.split("\n")
        first = len(lines_before) - 1
        for begin in reversed(list(_CURL.finditer(before))[-3:]):
            if "\n" not in _QUOTED.sub("", before[begin.start() :].rstrip("\"'")):
                first -= before.count("\n", begin.start())
                break
        while first > 0 and (lines_before[first - 1].rstrip().endswith(("\\", "`", "|", "&&"))):
            first -= 1
        if not COMMAND.search("\n".join([*lines_before[first:], code[start:end]])):
            indent = len(lines_before[-1]) - len(lines_before[-1].lstrip())
            for back in range(1, min(7, len(lines_before))):
                line = lines_before[-1 - back]
                if not line.strip() or len(line) - len(line.lstrip()) > indent:
                    break
                if _COMMAND_START.match(line) and "://" not in line:
                    first = len(lines_before) - 1 - back
                    break
        rest = code[start : start + _LONGEST].split("\n")
        last = 0
        while last < len(rest) - 1 and rest[last].rstrip().endswith(("\\", "`")):
            last += 1
        if first < len(lines_before) - 1 or COMMAND.search(lines_before[-1]):
            while (
                last < min(6, len(rest) - 1)
                and rest[last + 1].lstrip().startswith(("-", "'", '"'))
                and "run:" not in rest[last + 1]
                and not _NEXT_ITEM.match(rest[last + 1])
            ):
                last += 1
        return "\n".join([*lines_before[first:-1], lines_before[-1] + "\n".join(rest[: last + 1])])

    def _near(self, start: int, end: int) -> str | None:
        """The method of the statement around an address: the last one before it, else the first one after it."""
        before, after = self._before(start), self._after(end)
        if _OF_LIBCURL.search(before):
            body = _SENDS_BODY.search(self._code, end, end + _WINDOW)
            if body and not body[1]:
                return "POST"
        is_key = bool(_URL_KEY.search(before))
        left, right = list(_SIGNALS.finditer(before)), _SIGNALS.search(after)
        if left and (not is_key or not right or len(before) - left[-1].end() <= right.start()):
            last = _verb(left[-1])
            is_on_line = "\n" not in before[left[-1].end() :]
            return last if is_on_line or right is None else _verb(right)
        return _verb(right) if right else None

    def _later(self, end: int) -> str | None:
        """The method that a statement after the address sets, before the next address or function."""
        stop = _END_OF_LATER.search(self._code, end, end + _REACH)
        found = _LATER.search(self._code, end, stop.start() if stop else end + _REACH)
        return found[1].upper() if found else None

    def _before(self, start: int) -> str:
        """What stands before an address in its statement."""
        text = self._normal[max(0, start - _WINDOW) : start]
        depth, at = 0, len(text)
        while at > 0:
            at -= 1
            character = text[at]
            if character in ")]}":
                depth += 1
            elif character in "([{":
                depth = max(0, depth - 1)
            elif character == "\n" and not depth and _is_end(text, at):
                at += 1
                break
        before = self._code[start - len(text) + at : start]
        cuts = list(_STATEMENT.finditer(before))
        return before[cuts[-1].end() :] if cuts else before

    def _after(self, end: int) -> str:
        """What stands after an address in its statement."""
        text = self._normal[end : end + _WINDOW]
        depth, at = 0, 0
        for at, character in enumerate(text):
            if character in "([{":
                depth += 1
            elif character in ")]}":
                depth = max(0, depth - 1)
            elif character == "\n" and not depth and _is_end(text, at):
                break
        after = self._code[end : end + at + 1]
        cut = _STATEMENT.search(after)
        return after[: cut.start()] if cut else after


def _is_end(text: str, at: int) -> bool:
    """Whether the line feed at an offset ends a statement."""
    return text[:at].rstrip(" \t\"'`")[-1:] in _ENDING and text[at + 1 :].lstrip()[:1] not in _CONTINUING


def _verb(match: re.Match[str]) -> str:
    return next(text for text in match.groups() if text).upper()
