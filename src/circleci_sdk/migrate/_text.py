"""Reads files in other languages than Python: addresses, and the method near them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ._comments import without_comments
from ._routes import Context, ending_route
from ._shell import COMMAND, method_of

if TYPE_CHECKING:
    from ._entries import Route

_HOLE: Final = "\0"
_JOINT: Final = "\1"
_ANY: Final = r"[^\s\"'`<>|;,()\[\]]"
_RUN: Final = re.compile(rf"{_ANY}+")
_ANCHOR: Final = re.compile(
    r"(?<![\w-])projects?(?![\w-])|insights/|runner\.circleci\.com|^\0[^\n]*?/(?:tree/|(?:retry|ssh|build)(?![\w-]))"
)
_EXPRESSION: Final = r"(?:[\w.$@>:-]|\([^()\n]{0,200}\)|\[[^\[\]\n]{0,200}\]|(?<=\w)\?\.){1,120}"
_PLACEHOLDERS: Final = re.compile(
    r"(?P<joint>[\"'`]\s*(?:\+|\.(?=\s*[\"']))\s*[\"'`])"
    rf"|[\"'`]\s*(?:\+|\.\.?(?=\s*\$|\s))\s*{_EXPRESSION}\s*(?:\+|\.\.?)\s*[\"'`]"
    rf"|[\"'`]\s*\+\s*{_EXPRESSION}"
    r"|[\"'`]\s*\.\s*\$[\w>\-]{1,120}"
    r"|(?<![\w.$@])(?:[\w.$@]{1,80}\s*\+\s*){1,9}[\"'`]"
    r"|[\"']{1,2}\$\{?\w{1,80}\}?[\"']{1,2}(?=/|\s|$)"
    r"|\$\{\{[^}\n]{0,200}\}\}|\{\{[^}\n]{0,200}\}\}|<<[^>\n]{0,200}>>"
    r"|[$#]\{[^{}\n]{0,200}(?:\{[^{}\n]{0,200}\}[^{}\n]{0,200}){0,3}\}"
    r"|\{\$[^{}\n]{0,80}\}|\$\((?:(?!://)[^()\n]){0,200}(?:\([^()\n]{0,200}\)[^()\n]{0,200}){0,3}\)|\\\([^()\n]{0,200}\)"
    r"|\$env:\w{1,80}|\$[A-Za-z_]\w{0,80}|%[sdvq+](?![0-9A-Fa-f])|%[A-Za-z_]\w{0,80}%|\{[\w.:]{0,80}\}"
    r"|<[A-Za-z][\w -]{0,60}>"
)
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_DEFINED: Final = re.compile(
    r"""(?<!\w)([A-Za-z_]\w{0,80})["']?\s*(?::\s*\w+\s*)?(?::=|\?=|=>|=|:)\s*(?:[\w.]+\()?["'`]?(https?://[^\s"'`;,)]+|/api/v[\d.]+[^\s"'`;,)]*)"""
)
_ASSIGNED: Final = re.compile(
    r"([A-Za-z_]\w*)[\"']?\s*(?::\s*[\w<>.]+\s*)?(:=|\?=|=>|=|:)\s*(?:new\s+)?(?:[\w.:]+!?\s*\(\s*)*[\"'`]?[^\s\"'`]*$"
)
_CONTINUED: Final = re.compile(r"[)}]*[\"'`]?\s*(?:[+.]\s*[\"'`])?/")
_OF_STRINGS: Final = re.compile(
    r"(?:ur[il]|printf|format|parse|join|concat|string|quote|path|create)\w*!?\s*\(", re.IGNORECASE
)
"""Calls that make an address, and send nothing."""
_KEYS: Final = frozenset({"url", "uri", "endpoint", "href", "path", "raw", "address"})
_VERB_BEFORE: Final = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD)[\"']?[\s,]+(?:[\w.]+\()?[\"'`]?$")
_SIGNALS: Final = re.compile(
    r"(?:method|verb|type|request)[\"']?\s*(?:[:=]|=>)+\s*(?:[\w.]+[.:])?[\"']?(?P<a>GET|POST|PUT|PATCH|DELETE|HEAD)\b"
    r"|(?:\.|->|\b)(?P<b>get|post|put|delete|patch|head)"
    r"(?:_?(?:json|form|async|forobject|forentity|raw|data))?!?\s*(?:<[\w<>., ]*>)?[\s(]"
    r"|(?:HTTP::|HttpMethod\.|Method[.:]{0,2}|Http|http\.|WebRequestMethods\.Http\.|reqwest::)(?P<c>GET|POST|PUT|PATCH|DELETE|HEAD)"
    r"|[\"'](?P<d>GET|POST|PUT|PATCH|DELETE|HEAD)[\"']"
    r"|CURLOPT_(?P<e>POST)",
    re.IGNORECASE,
)
_SILENT: Final = re.compile(
    r"(?:\becho|\bprintf|\bputs|\bprint(?:ln)?!?|console\.\w+|\blog(?:ger)?\.\w+|fmt\.Print\w*|log\.\w+|Write-(?:Host|Output)"
    r"|\braise\b.*|\bthrow\b.*|\bpanic|\bdescription|\bsummary|\bhelp|\bcomment|\bassert\w*|\bexpect)\s*[(:=!]*\s*[fF]?[\"'`]?[^\n|&;]*$"
)
_OF_LIBCURL: Final = re.compile(r"curl_init\([^\n]*$|CURLOPT_URL[^\n]*$")
_SENDS_BODY: Final = re.compile(r"CURLOPT_POST(?:FIELDS)?\b|CURLOPT_CUSTOMREQUEST\s*,\s*[\"']POST")
_OF_MOCKS: Final = re.compile(
    r"\b(?:nock|stub_request|fetch[mM]ock|app|router|wiremock|mock\w*|\w*[mM]ock|responses|rsps|respx)\b[^\n]*$"
)
_KEY_BEFORE: Final = re.compile(r"(?:^|[{,\n])[ \t]*[\"']?$")
_KEY_AFTER: Final = re.compile(r"[\"']\s*:\s*(?:[{\[\n]|$)")
_STATEMENT: Final = re.compile(r";[ \t]*\n|\n[ \t]*\n|\n[ \t]*(?:\}|end\b)[ \t)]*;?[ \t]*\n")
_STARTS: Final = re.compile(r"trigger|post|start|launch|kick", re.IGNORECASE)
_WINDOW: Final = 400
_LONGEST: Final = 2_000
_METHODS: Final = (None, "GET", "POST", "DELETE")
_MOST_USES: Final = 6
_REACH: Final = 50_000


class Address(NamedTuple):
    """An address whose route ends, at an offset of the text."""

    offset: int
    route: Route


def addresses(text: str, suffix: str, context: Context) -> Iterator[Address]:
    """The requests of a file that end."""
    code = without_comments(text, suffix)
    normal = _PLACEHOLDERS.sub(_filler, code)
    bases = {match[1]: match[2] for match in _DEFINED.finditer(code)}
    for match in _RUN.finditer(normal):
        start, end = match.span()
        if end - start > _LONGEST or not _ANCHOR.search(match[0]):
            continue
        start += len(match[0]) - len(match[0].lstrip("=:{&*!~"))
        written = _written(code, normal, start, end, bases)
        route = _route(code, normal, start, end, written, context)
        if route is not None:
            yield Address(start, route)


def _filler(match: re.Match[str]) -> str:
    return (_JOINT if match["joint"] else _HOLE) * len(match[0])


def _written(code: str, normal: str, start: int, end: int, bases: Mapping[str, str]) -> str:
    """The address with its unknown parts as `{name}`, and with the value of a base that the file defines."""
    parts: list[str] = []
    at = start
    for match in _PLACEHOLDERS.finditer(code, start, end):
        parts.append(code[at : match.start()])
        if not match["joint"]:
            for words in [_WORD.findall(part) for part in match[0].split("+") if part.strip("\"'` \n")]:
                known = next((bases[word] for word in reversed(words) if word in bases), None)
                first = not "".join(parts).strip("/\"'`")
                parts.append(known if known and first else f"{{{words[-1] if words else ''}}}")
        at = match.end()
    text = "".join([*parts, code[at:end]])
    return text.rstrip(".\\")


def _route(code: str, normal: str, start: int, end: int, written: str, context: Context) -> Route | None:
    if not any(ending_route(written, method, context) for method in _METHODS):
        return None
    line = max(code.rfind("\n", 0, start) + 1, start - _WINDOW)
    before = code[line:start]
    if _SILENT.search(before) or _OF_MOCKS.search(before):
        return None
    is_key = written.endswith(":") or _KEY_AFTER.match(code, end)
    if is_key and "://" not in written and _KEY_BEFORE.search(before):  # of a document that describes the API
        return None
    method = _method(code, start, end)
    command = _command(code, start, end)
    if method is None and _is_named_as_trigger(code, start):
        method = "POST"
    return ending_route(written, method, context, command)


def _method(code: str, start: int, end: int) -> str | None:
    before = code[max(0, start - _WINDOW) : start]
    verb = _VERB_BEFORE.search(before)
    if verb:
        return verb[1]
    found = method_of(_command(code, start, end))
    if found is not None:
        return found
    assigned = _ASSIGNED.search(before[before.rfind("\n") + 1 :])
    is_key = assigned is not None and assigned[1].lower() in _KEYS
    if assigned is None or assigned[2] == ":" or ("(" in assigned[0] and not _OF_STRINGS.search(assigned[0])):
        return _method_near(code, start, end, is_key=is_key)
    used = _method_of_uses(code, assigned[1], end)
    return _method_near(code, start, end, is_key=True) if used == "unused" and is_key else used


def _command(code: str, start: int, end: int) -> str:
    """The lines of a command: those that end with a backslash or a backtick, and what a folded block has."""
    lines_before = code[max(0, start - _LONGEST) : start].split("\n")
    first = len(lines_before) - 1
    while first > 0 and (lines_before[first - 1].rstrip().endswith(("\\", "`", "|", "&&"))):
        first -= 1
    if not COMMAND.search("\n".join([*lines_before[first:], code[start:end]])):
        indent = len(lines_before[-1]) - len(lines_before[-1].lstrip())
        for back in range(1, min(7, len(lines_before))):
            line = lines_before[-1 - back]
            if not line.strip() or len(line) - len(line.lstrip()) > indent:
                break
            if re.match(r"\s*(?:\w+=\S+\s+)*(?:-\s+run:\s*)?(?:curl|wget|http)\b", line) and "://" not in line:
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
        ):
            if re.match(r"\s*- (?:\w+:|name|run)", rest[last + 1]):
                break
            last += 1
    return "\n".join([*lines_before[first:-1], lines_before[-1] + "\n".join(rest[: last + 1])])


def _method_of_uses(code: str, name: str, end: int) -> str | None:
    """The method of the requests that use a variable; `unused` if there are none."""
    found: str | None = "unused"
    pattern = re.compile(rf"(?<![\w.-])[$@]?\{{?{re.escape(name)}\b(\s*(?::=|=[^=>]))?")
    for count, use in enumerate(pattern.finditer(code, end, end + _REACH)):
        if use[1] or count >= _MOST_USES:  # it has another value from there on
            break
        start, stop = use.span()
        found = None if found == "unused" else found
        if _CONTINUED.match(code, stop):  # a base, not a whole address
            continue
        method = method_of(_command(code, start, stop)) or _method_near(code, start, stop, is_key=True)
        if method == "POST":
            return method
        found = found or method
    return found


def _method_near(code: str, start: int, end: int, *, is_key: bool) -> str | None:
    """The method of the statement around an address: the last one before it, else the first one after it."""
    before = code[max(0, start - _WINDOW) : start]
    cuts = list(_STATEMENT.finditer(before))
    before = before[cuts[-1].end() :] if cuts else before
    after = code[end : end + _WINDOW]
    cut = _STATEMENT.search(after)
    after = after[: cut.start()] if cut else after
    if _OF_LIBCURL.search(before) and _SENDS_BODY.search(code, end, end + _WINDOW):
        return "POST"
    left, right = list(_SIGNALS.finditer(before)), list(_SIGNALS.finditer(after))
    if left and (not is_key or not right or len(before) - left[-1].end() <= right[0].start()):
        last = _verb(left[-1])
        later = _verb(right[0]) if right else None
        is_on_line = "\n" not in before[left[-1].end() :]
        return last if is_on_line or later is None else later
    return _verb(right[0]) if right else None


def _verb(match: re.Match[str]) -> str:
    return next(text for text in match.groups() if text).upper()


def _is_named_as_trigger(code: str, start: int) -> bool:
    line = code[max(code.rfind("\n", 0, start) + 1, start - _WINDOW) : start]
    assigned = _ASSIGNED.search(line)
    return bool(assigned and _STARTS.search(assigned[1]))
