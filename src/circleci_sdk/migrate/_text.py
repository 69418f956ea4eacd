"""Reads files in other languages than Python: addresses, also through the names that they are assigned to."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from ._comments import without_comments
from ._functions import Function, Functions, filled, known
from ._methods import Methods
from ._routes import Context, ending_route
from ._shell import COMMAND

if TYPE_CHECKING:
    from ._entries import Route

_HOLE: Final = "\0"
_JOINT: Final = "\1"
_RUN: Final = re.compile(r"[^\s\"'`<>|;,()\[\]]+")
_ANCHOR: Final = re.compile(r"(?<![\w-])projects?(?![\w-])|insights/|runner\.circleci\.com")
_EXPRESSION: Final = r"(?:[\w.$@>:-]|\([^()\n]{0,200}\)|\[[^\[\]\n]{0,200}\]|(?<=\w)\?\.){1,120}"
_PLACEHOLDERS: Final = re.compile(
    r"(?P<joint>[\"'`]\s*(?:\+|\.(?=\s*[\"']))\s*[\"'`])"
    rf"|[\"'`]\s*(?:\+|\.\.?(?=\s*\$|\s))\s*{_EXPRESSION}\s*(?:\+|\.\.?)\s*[\"'`]"
    rf"|[\"'`]\s*\+\s*{_EXPRESSION}"
    rf"|[\"']\s*\.(?=\s*\$|\s)\s*{_EXPRESSION}"
    r"|(?<![\w.$@])(?:[\w.$@]{1,80}\s*\+\s*){1,9}[\"'`]"
    r"|(?:\$[\w>-]{1,80}|(?:self|static)::\w{1,80})(?:\([^()\n]{0,80}\))?\s*\.\s*[\"']"
    r"|[\"']{1,2}\$\{?\w{1,80}\}?[\"']{1,2}(?=/|\s|$)"
    r"|\$\{\{[^}\n]{0,200}\}\}|\{\{[^}\n]{0,200}\}\}|<<[^<>\n]{0,200}>>"
    r"|[$#]\{[^{}\n]{0,200}(?:\{[^{}\n]{0,200}\}[^{}\n]{0,200}){0,3}\}"
    r"|\{\$[^{}\n]{0,80}\}|\$\((?:(?!://)[^()\n]){0,200}(?:\([^()\n]{0,200}\)[^()\n]{0,200}){0,3}\)|\\\([^()\n]{0,200}\)"
    r"|\$env:\w{1,80}|\$[A-Za-z_]\w{0,80}\b(?!\s{0,9}=[^=>])|%[sdvq+](?![0-9A-Fa-f])|%[A-Za-z_]\w{0,80}%|%?\{[\w.:]{0,80}\}"
    r"|<[A-Za-z][\w -]{0,60}>|(?<=/)\[[A-Za-z][\w -]{0,60}\](?=[/?\s\"'`]|$)"
)
_LISP: Final = re.compile(r"(?<=\()(str|def\w*)(\s+[\w*-]+)\s(?=\s*\")")
"""Of a name and its value, or of a name and the rest of a string."""
_CONTINUATION: Final = re.compile(r"[\"'][ \t]*\\\n\s*[\"']")
"""Of two parts of a string in Ruby; in a shell these are two arguments."""
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_DEFAULT: Final = re.compile(r"https?://[^\s\"'`{}]*")
_NAMED: Final = re.compile(
    r"(?<!\w)(?P<name>[A-Za-z_]\w{0,80})[\"']?\s{0,4}(?::\s{0,4}[\w<>.]{1,40}\s{0,4}(?==))?"
    r"(?P<sign>:=|\?=|\+=|=>|=|:)(?:[ \t]{0,4}\n)?[ \t]{0,40}"
    r"(?P<calls>(?:new\s+)?(?:[\w.:]{1,60}!?\s?\(\s{0,40}){0,3})[\"'`]?(?=[^\s\"'`<>|;,()\[\]]*[/\0]|(?<=\()\w{1,80}\))"
)
_LOCAL: Final = re.compile(r"^[ \t]+(?:val|var|let|const|my|local|auto)[ \t]+$")
_RETURNED: Final = re.compile(
    r"(?:\breturn\s+|[=-]>\s*|\bdef\s+(?:self\.)?\w+[?!]?[ \t]*(?:\([^()\n]{0,200}\)|[\w, ]{0,200})\n\s*)"
    r"(?:[\w.]{0,40}(?:printf|format)\()?[\"'`]?$",
    re.IGNORECASE,
)
_FUNCTION: Final = re.compile(
    r"(?:\b(?:function|def|func|fn)\s+(?:self\.|\([^()\n]{0,60}\)\s*)?(\w+)"
    r"|\b(\w+)\s*[=:]\s*(?:async\s+)?(?:function\b|\([^()\n]{0,200}\)[^=\n]{0,40}[=-]>|\w+\s*[=-]>)"
    r"|\n[ \t]*(?:[a-z]+[ \t]+){0,3}(?!if\b|for\b|while\b|switch\b|catch\b)(\w+)\([^()\n]{0,200}\)[^\n;={}()]{0,60}\{)"
)
_OF_STRINGS: Final = re.compile(
    r"(?:(?<!c)ur[il]|printf|format|parse|join|concat|string|quote|path|create)\w*!?\s*\(", re.IGNORECASE
)
"""Calls that make an address, and send nothing."""
_REFERENCE: Final = re.compile(
    r"[&*]?(?:[\w$@]+(?:\.|->|::))*?[@$]?([A-Za-z_]\w*)(?:\.(?:request_uri|path|to_s|to_string|toString|String|href))?"
)
_ARGUMENT: Final = re.compile(r"[\"'`]\s*[,%]\s*[\[{(]?\s*([\w.:$@]+)")
_KEYS: Final = frozenset({"url", "uri", "endpoint", "href", "path", "raw", "address", "host", "proxy"})
_WITH_SIGILS: Final = frozenset(
    {".sh", ".bash", ".zsh", ".ksh", ".yml", ".yaml", ".mk", ".ps1", ".psm1", ".php", ".pl", ".bat", ".cmd", ".env"}
    | {".json", ".md", ".rst", ".txt", ".html", ".xml", ".toml", ".ini", ".cfg", ""}
)
"""Languages in which a name without a sign before it is no variable."""
_SILENT: Final = re.compile(
    r"(?:\becho|\bprintf|\bputs|\bprint(?:ln)?!?|\b(?:console|core|log|logger|logging)(?:\.|->|::)\w+"
    r"|fmt\.(?:F?Print|Error)\w*|errors\.New|Write-(?:Host|Output|Verbose|Debug|Warning|Information|Error)|\bdesc"
    r"|\becho[ \t]+(?:-\w+[ \t]+)*\"[^\"\n]*;[^\"\n]*"
    r"|(?:^|[;&|{]|\bthen|\bdo)[ \t]*"
    r"(?:abort|debug|die|err|error|fail|info|log|message|msg|notice|say|warn)(?:[-_]\w+)?(?=[ \t])"
    r"|\braise\b.*|\bthrow\b.*|\bpanic|\bdescription|\bsummary|\bhelp|\bcomment|\bassert\w*|\bexpect)\s*[(:=!]*\s*[fF]?[\"'`]?[^\n|&;]*$"
)
_OF_MOCKS: Final = re.compile(
    r"\b(?:nock|stub_request|fetch[mM]ock|app|router|wiremock|mock\w*|\w*[mM]ock|responses|rsps|respx|httpretty|register_uri)\b[^\n]*$"
)
_KEY_BEFORE: Final = re.compile(r"(?:^|[{,\n])[ \t]*[\"']?$")
_KEY_AFTER: Final = re.compile(r"[\"']\s{0,9}:\s{0,9}(?:[{\[\n]|$)")
_STARTS: Final = re.compile(r"trigger|post|start|launch|kick", re.IGNORECASE)
_PARAMETERS: Final = "build_parameters"
"""Of a trigger: where no request uses an address, they say what it is for."""
_PREFIX: Final = re.compile(r"[=:{&*!~@-]*(?:[A-Za-z_]\w*[?:+]?=(?=[\"'\0]|https?:|/))?")
MOST_ADDRESSES: Final = 500
"""Of one file that are looked at; a file with more is written by a program."""
_WINDOW: Final = 400
_LONGEST: Final = 2_000
_DEPTH: Final = 5
_METHODS: Final = (None, "GET", "POST", "DELETE")


class Address(NamedTuple):
    """An address whose route ends, at an offset of the text."""

    offset: int
    route: Route


class _Name(NamedTuple):
    """A name, and where in the text the address that it stands for is."""

    name: str
    start: int
    end: int
    sign: str
    is_local: bool = False
    """Whether only what follows can use it."""


def addresses(text: str, suffix: str, context: Context) -> Iterator[Address]:
    """The requests of a file that end: at the request, or where a name gets its address if no request uses the name."""
    yield from _Reader(text, suffix, context).run()


class _Reader:
    def __init__(self, text: str, suffix: str, context: Context) -> None:
        self._context = context
        code = without_comments(text, suffix)
        if suffix in (".clj", ".cljs", ".cljc", ".el"):
            code = _LISP.sub(lambda match: match[1] + match[2] + ("+" if match[1] == "str" else "="), code)
        self._code = code
        normal = _PLACEHOLDERS.sub(_filler, code)
        if suffix in (".rb", ".rake", ".gemspec") or code.startswith("#!/usr/bin/env ruby"):
            normal = _CONTINUATION.sub(lambda match: _JOINT * len(match[0]), normal)
        self._normal = normal
        self._methods = Methods(code, normal)
        self._has_sigils = suffix in _WITH_SIGILS
        self._names: dict[str, list[_Name]] = {}
        self._by_start: dict[int, _Name] = {}
        self._functions = Functions(code, suffix)
        self._used: set[int] = set()
        """The starts of the addresses of names that a request uses."""
        self._targets: set[int] = set()
        """Where names get their addresses: no use of them."""

    def run(self) -> Iterator[Address]:
        runs = [match.span() for match in _RUN.finditer(self._normal)]
        self._define(runs)
        waiting: list[tuple[_Name, str]] = []
        count = 0
        for start, end in runs:
            if end - start > _LONGEST or not self._may_be_address(start, end):
                continue
            at = start + len(_PREFIX.match(self._normal, start, end)[0])  # type: ignore[index]  # it matches nothing, too
            written = self._written(at, end, {at})
            if "/" not in written and self._code[at - 1 : at] not in ("'", '"', "`"):
                continue
            function = self._functions.around(at)
            positional = function and function.positional(written)
            if not positional and not any(ending_route(written, each, self._context) for each in _METHODS):
                continue
            count += 1
            if count > MOST_ADDRESSES:
                break
            named = self._by_start.get(at)
            if named is not None and not (named.sign == ":" and named.name in _KEYS):
                waiting.append((named, written))
            elif not self._is_silent(at, end, written):
                method = self._methods.of_request(at, end)
                around = self._methods.command(at, end)
                route = ending_route(known(positional) if positional else written, method, self._context, around)
                if route is not None:
                    yield Address(at, route)
                elif function and positional:
                    yield from self._through(function, positional, method, function.method_argument(around))
        for named, written in waiting:
            if named.start in self._used or self._is_silent(named.start, named.end, written):
                continue
            method = self._methods.of_request(named.start, named.end)
            is_used = any(each.start in self._used for each in self._names.get(named.name, ()))
            if method is None and (_STARTS.search(named.name) or (_PARAMETERS in self._code and not is_used)):
                method = "POST"
            around = self._methods.command(named.start, named.end)
            route = ending_route(written, method, self._context, around)
            if route is not None:
                yield Address(named.start, route)

    def _through(self, function: Function, address: str, method: str | None, at: int | None) -> Iterator[Address]:
        """What the calls of a function in a shell send. `at` is the argument that is the method."""
        for spans in self._functions.calls(function):
            texts = [self._written(start, end, {start}) for start, end in spans]
            verb = texts[at].upper() if at is not None and at < len(texts) else method
            route = ending_route(filled(address, texts), verb, self._context)
            if route is not None:
                paths = [span[0] for span, text in zip(spans, texts, strict=True) if "/" in text]
                yield Address((paths or [spans[0][0]])[0], route)

    def _define(self, runs: list[tuple[int, int]]) -> None:
        ends = dict(runs)
        starts = {start + len(_PREFIX.match(self._normal, start, end)[0]): start for start, end in runs}  # type: ignore[index]  # it matches nothing, too
        for match in _NAMED.finditer(self._normal):
            at = match.end()
            at += 0 if at in starts else len(_PREFIX.match(self._normal, at)[0])  # type: ignore[index]  # it matches nothing, too
            self._targets.add(match.start("name"))
            if at not in starts or (match["calls"] and not _OF_STRINGS.search(match["calls"])):
                continue
            if self._code.startswith("$(", at) and COMMAND.search(self._code, at, ends[starts[at]]):
                continue  # the response to a request, and not its address
            line = self._code[
                self._code.rfind("\n", max(0, match.start() - _WINDOW), match.start()) + 1 : match.start()
            ]
            is_local = match["sign"] == ":=" or bool(_LOCAL.search(line))
            self._add(_Name(match["name"], at, ends[starts[at]], match["sign"], is_local))
        for at, start in starts.items():
            if at not in self._by_start and _ANCHOR.search(self._normal, at, ends[start]):
                before = self._code[max(0, at - _WINDOW) : at]
                functions = list(_FUNCTION.finditer(before)) if _RETURNED.search(before) else []
                if functions:
                    group = functions[-1].lastindex or 0
                    self._targets.add(max(0, at - _WINDOW) + functions[-1].start(group))
                    self._add(_Name(functions[-1][group], at, ends[start], "return"))

    def _add(self, named: _Name) -> None:
        self._by_start[named.start] = named
        if not (named.sign == ":" and named.name in _KEYS):
            self._names.setdefault(named.name, []).append(named)

    def _may_be_address(self, start: int, end: int) -> bool:
        run = self._normal[start:end]
        if _ANCHOR.search(run):
            return True
        if _HOLE in run:
            return any(word in self._names for word in _WORD.findall(self._code[start:end])) or "/" in run
        reference = None if self._has_sigils else _REFERENCE.fullmatch(run)
        is_key = self._code[start - 1 : start] in ("'", '"') and self._code[end : end + 1] in ("'", '"')
        return reference is not None and reference[1] in self._names and start not in self._targets and not is_key

    def _written(self, start: int, end: int, seen: set[int], depth: int = 0) -> str:
        """The address with its unknown parts as `{name}`, and with the values of names that the file defines."""
        reference = None if self._has_sigils else _REFERENCE.fullmatch(self._normal, start, end)
        if reference is not None and reference[1] in self._names:
            return self._value(reference[1], start, seen, depth) or ""
        parts: list[str] = []
        at, size = start, 0
        for match in _PLACEHOLDERS.finditer(self._code, start, end):
            parts.append(self._code[at : match.start()])
            at = match.end()
            size += len(parts[-1])
            if not match["joint"] and size < _LONGEST:
                first = not "".join(parts).strip("/\"'`")
                parts += self._hole(match[0], start, end, seen, depth, first=first)
                size += len(parts[-1])
        text = "".join([*parts, self._code[at:end]])
        if _JOINT in self._normal[start:end]:
            text = _CONTINUATION.sub("", text)
        return text.rstrip(".\\")

    def _hole(self, hole: str, start: int, end: int, seen: set[int], depth: int, *, first: bool) -> list[str]:
        default = _DEFAULT.search(hole)
        if default:
            return [default[0]]
        found: list[str] = []
        for words in [_WORD.findall(part) for part in hole.split("+") if part.strip("\"'` \n")]:
            if first and not found and hole[:1] in "%{":
                words = self._argument(words, end) or words
            known = next((value for word in reversed(words) if (value := self._value(word, start, seen, depth))), None)
            found.append(known or f"{{{words[-1] if words else ''}}}")
        return found or ["{}"]

    def _argument(self, words: list[str], end: int) -> list[str]:
        """The words of what a format puts in the place of its first hole."""
        after = self._code[end : end + _WINDOW]
        if words and words[-1] not in ("s", "d", "v", "q"):
            named = re.search(rf"\b{words[-1]}[\"']?\s*(?::|=>|=)\s*([\w.:$@]+)", after)
            return _WORD.findall(named[1]) if named else []
        argument = _ARGUMENT.match(after)
        return _WORD.findall(argument[1]) if argument else []

    def _value(self, name: str, at: int, seen: set[int], depth: int) -> str | None:
        """The address that a name stands for at an offset: the last one before it, or the next one."""
        same = self._names.get(name, [])
        last = bisect_right(same, at, key=lambda each: each.end)
        later = (each for each in same[last : last + 3] if not each.is_local)
        near = (*reversed(same[max(0, last - 3) : last]), *later)
        named = next((each for each in near if each.start not in seen), None)
        if named is None or depth > _DEPTH:
            return None
        self._used.add(named.start)
        return self._written(named.start, named.end, seen | {named.start}, depth + 1)

    def _is_silent(self, start: int, end: int, written: str) -> bool:
        """Whether an address is only shown, or describes a server or a document."""
        line = max(self._code.rfind("\n", max(0, start - _WINDOW), start) + 1, start - _WINDOW, 0)
        before = self._code[line:start]
        if _SILENT.search(before) or _OF_MOCKS.search(before):
            return True
        is_key = written.endswith(":") or _KEY_AFTER.match(self._code, end)
        return bool(is_key and "://" not in written and _KEY_BEFORE.search(before))


def _filler(match: re.Match[str]) -> str:
    return (_JOINT if match["joint"] else _HOLE) * len(match[0])
