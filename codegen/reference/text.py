"""Markdown: tables, links and descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from codegen.docstrings import EXCEPTIONS

if TYPE_CHECKING:
    from .api import Api

_CODE: Final = re.compile(r"(`[^`]+`)")
_CELL_PIPE: Final = re.compile(r"(?<!\\)\|")


def link(text: str, anchor: str) -> str:
    """A link to a section of any page, by its anchor; the build fails if there is none."""
    return f"[`{text}`][{anchor}]"


def exception(name: str) -> str:
    """A link to the page of exceptions."""
    return link(name, f"circleci_sdk.{name}")


def prose(text: str, api: Api) -> str:
    """A description of the spec, with links from the operations and models that it names."""
    pieces = (_code(piece[1:-1], api) if piece[:1] == "`" else _plain(piece) for piece in _CODE.split(text))
    return "".join(pieces)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, empty without rows. Cells are one line each."""
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    return "\n".join(("| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines))


def _code(code: str, api: Api) -> str:
    if code in api.labels:
        return link(code, code)
    if code in api.placement.modules:
        return link(code, api.anchor(code))
    if code in EXCEPTIONS.values():
        return exception(code)
    return f"`{code}`"


def _plain(text: str) -> str:
    """Text outside of code. What looks like a tag is one for Markdown."""
    return text.replace("<", "&lt;").replace("[", "&#91;").replace("\n* ", "\n\n* ")


def _cell(text: str) -> str:
    pieces = _CODE.split(" ".join(text.split()))
    return "".join(piece if piece[:1] == "`" else _CELL_PIPE.sub("&#124;", piece) for piece in pieces)
