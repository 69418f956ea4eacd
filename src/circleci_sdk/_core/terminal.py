"""Text of a server on a terminal, for users."""

from __future__ import annotations

from .checks import BOOL, STR, check
from .printable import printable as escaped


def printable(text: str, *, lines: bool = False) -> str:
    r"""Text on one line, with control characters as visible escapes such as `\x1b`.

    For text of a server, such as names of jobs and branches, before it goes to a terminal or a log. Covered are all
    control characters, those that change the direction of writing, and lone surrogates. `lines` keeps line ends and
    tabs. Other characters, backslashes too, stay as they are.
    """
    check("printable", text=(text, STR), lines=(lines, BOOL))
    return escaped(text, lines=lines)
