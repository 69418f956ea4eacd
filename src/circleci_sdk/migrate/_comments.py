"""Blanks what is not code: comments, and the prose around code blocks."""

from __future__ import annotations

import re
from typing import Final

PROSE: Final = frozenset({".md", ".mdx", ".markdown", ".rst", ".txt", ".adoc"})

_SLASHES: Final = frozenset(
    {".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts", ".go", ".java", ".kt", ".kts", ".groovy", ".gradle"}
    | {".scala", ".cs", ".swift", ".rs", ".c", ".h", ".cc", ".cpp", ".hpp", ".m", ".dart", ".vue", ".svelte", ".jsonc"}
    | {".json5", ".proto"}
)
_BOTH: Final = frozenset({".php", ".tf", ".hcl", ".jenkinsfile"})
_MARKUP: Final = frozenset({".html", ".htm", ".xml", ".svg"})
_NONE: Final = frozenset({".json", ".ipynb", ".csv", ".http", ".rest"})

_STRINGS: Final = r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
_SHELL_STRINGS: Final = r"\"(?:\\.|[^\"\\])*\"|'[^'\n]*'"
_HASH: Final = r"(?:(?<=\s)|^)#[^\n]*"
_SLASH: Final = r"(?<!:)//[^\n]*|/\*.*?(?:\*/|\Z)"
_SHOWN: Final = r"\bcat[ \t]+<<-?[ \t]*[\"']?(?P<mark>\w+)[\"']?[ \t]*(?:1?>&2)?\n.*?(?:^[ \t]*(?P=mark)|\Z)"
"""A string that `cat` shows."""
_FENCE: Final = re.compile(r"^ {0,3}(?:```|~~~|-----*$)[^\n]*$", re.MULTILINE)
_COMMAND: Final = re.compile(
    r"^[ \t]*(?:(?:[*+-]|\d+\.)[ \t]+)?[`$>]?[ \t]*(?:curl|wget)[ \t]+(?:[^\n]*\\[ \t]*\n)*[^\n]*$", re.MULTILINE
)
"""A command in prose on a line of its own, such as an indented block or an item of a list."""
_OF_BATCH: Final = re.compile(r"^[ \t]*@?(?:rem\b|::)[^\n]*", re.MULTILINE | re.IGNORECASE)
_DASHES: Final = re.compile(r"(?:(?<=\s)|^)--[^\n]*")

_OF_SLASHES: Final = re.compile(f"{_STRINGS}|{_SLASH}", re.DOTALL | re.MULTILINE)
_OF_BOTH: Final = re.compile(f"{_STRINGS}|{_SLASH}|{_HASH}", re.DOTALL | re.MULTILINE)
_OF_HASH: Final = re.compile(
    rf"{_SHELL_STRINGS}|{_HASH}|{_SHOWN}|<#.*?(?:#>|\Z)|^=begin.*?(?:^=end|\Z)", re.DOTALL | re.MULTILINE
)
_OF_MARKUP: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SEPARATOR: Final = "\x1f"
"""White space in place of a comment: a line with one is not empty, and ends no statement."""
_NOT_BLANK: Final = re.compile(r"[^\n]+")


def without_comments(text: str, suffix: str) -> str:
    """The text with blanks in place of comments; every other character keeps its place."""
    if suffix in PROSE:
        text = _code_blocks(text)
    if suffix in _NONE:
        return text
    if suffix in _MARKUP:
        return _OF_MARKUP.sub(_blank, text)
    if suffix in _SLASHES:
        return _OF_SLASHES.sub(_blank, text)
    if suffix in _BOTH:
        return _OF_BOTH.sub(_blank, text)
    if suffix in (".bat", ".cmd"):
        return _OF_BATCH.sub(_blank, text)
    if suffix in (".lua", ".sql", ".hs"):
        return _DASHES.sub(_blank, text)
    return _OF_HASH.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    if found[0] in "\"'`":
        return found
    return _SEPARATOR + _blanks(found)[1:]


def _blanks(text: str) -> str:
    return _NOT_BLANK.sub(lambda match: " " * len(match[0]), text)


def _code_blocks(text: str) -> str:
    """Only what stands between fences, and commands."""
    parts: list[str] = []
    inside, at = False, 0
    for fence in _FENCE.finditer(text):
        part = text[at : fence.start()]
        parts += [part if inside else _commands(part), _blanks(fence[0])]
        inside, at = not inside, fence.end()
    return "".join([*parts, _commands(text[at:])])


def _commands(text: str) -> str:
    parts: list[str] = []
    at = 0
    for command in _COMMAND.finditer(text):
        parts += [_blanks(text[at : command.start()]), command[0]]
        at = command.end()
    return "".join([*parts, _blanks(text[at:])])
