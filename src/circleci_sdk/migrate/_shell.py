"""Commands that send requests: their method."""

from __future__ import annotations

import re
from typing import Final

COMMAND: Final = re.compile(
    r"\b(?:curl|wget|Invoke-RestMethod|Invoke-WebRequest|iwr|irm)\b|\$[({]?CURL\b|(?<![\w/.\"'-])(?:https?|xh)\s+(?=[-A-Z:\"'$h])"
)

_WORD: Final = re.compile(r"[^\s\"'<>|;)]+")
_ADDRESS: Final = re.compile(r"api/v\d[\d.]*/|project/|runner\.circleci\.com")
_EXPLICIT: Final = re.compile(
    r"(?:-X\s*|--request[ =]+|--method[ =]+|-Method\s+)[\"']?([A-Za-z]{3,7})\b"
    r"|\b(?:http|https|xh)\s+(?:-\S+\s+)*(GET|POST|PUT|PATCH|DELETE|HEAD)\b"
)
_BODY: Final = re.compile(
    r"(?:^|\s)(?:-[a-zA-Z]*[dF](?=[\s\"'@{=]|$)|--data(?:-[a-z]+)?\b|--json\b|--form\b|--post-(?:data|file)\b|--body-(?:data|file)\b|-Body\b)"
)
_GET: Final = re.compile(r"(?:^|\s)(?:-G|--get|-I|--head)(?=\s|$)")


def method_of(command: str) -> str | None:
    """The method of a command in upper case; None if the text is no command."""
    if not COMMAND.search(command):
        return None
    explicit = _EXPLICIT.search(command)
    if explicit:
        return (explicit[1] or explicit[2]).upper()
    return "POST" if _BODY.search(command) and not _GET.search(command) else "GET"


def addresses_in(command: str) -> list[str]:
    """The words of a command that may be addresses."""
    return [word for word in _WORD.findall(command) if _ADDRESS.search(word)]
