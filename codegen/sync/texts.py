"""Docstrings of async code as those of sync code."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Final

from .refusals import NoSyncFormError

_WIDTH: Final = 120
_REPLACED: Final[Mapping[str, str]] = {
    r"\basync (with|for)\b": r"\1",
    r"`await pager`": "`pager.page()`",
    r"\bawait ": "",
    r"`aclose`": "`close`",
    r"\baclose\(\)": "close()",
    r"\bAsyncCircleCI\b": "CircleCI",
    r"\bAsyncPager\b": "Pager",
    # The client.
    r", for asyncio and trio\.": r", without `await`: for scripts, notebooks and threads.",
    r"Or an async callable that returns a token; it is awaited": "Or a callable that returns a token; it is called",
    r"an async callable, awaited with": "a callable that is called with",
    r"requests in flight at once in each event loop": "requests in flight at once",
    r"It is never closed, and serves one event loop\.": "It is never closed, and cannot be used after a fork.",
    r"One client serves any number of tasks\. Close it with `with` or `close\(\)`\.": (
        "One client serves any number of threads. Close it with `with` or `close()`. All calls are made in one event "
        "loop, in a thread that starts with the first call and ends with the last client. Plain functions, such as "
        "hooks, are called in the thread of the caller, which waits; async ones in that loop."
    ),
}
_LEFT: Final = re.compile(r"\bawait(?!`)|\basync\b(?! ones)|(?<!httpx\.)\bAsync")


def sync_text(text: str, indent: int) -> str:
    """The docstring of the sync form, wrapped again where a paragraph has changed and has become too wide.

    Raises:
        NoSyncFormError: words are left that are true of async code alone.
    """
    paragraphs = [_sync_paragraph(one, indent) for one in _paragraphs(text)]
    found = "\n".join(paragraphs)
    if left := _LEFT.search(found):
        raise NoSyncFormError(f"The word {left[0]} of a docstring has no sync form: {found}")
    return found


def _paragraphs(text: str) -> list[str]:
    """Blocks of lines that are wrapped together: a first line, and those below it that continue it."""
    blocks: list[list[str]] = []
    previous = -1
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        starts = not blocks or not line.strip() or not blocks[-1][-1].strip() or re.match(r"\s*(\w+|`.*`): ", line)
        if starts or (depth < previous):
            blocks.append([line])
        else:
            blocks[-1].append(line)
        previous = depth
    return ["\n".join(block) for block in blocks]


def _sync_paragraph(text: str, indent: int) -> str:
    lines = text.splitlines()
    if not lines:
        return text
    joined = " ".join(line.strip() for line in lines)
    changed = joined
    for pattern, replacement in _REPLACED.items():
        changed = re.sub(pattern, replacement, changed)
    if changed == joined:
        return text
    if len(lines) > 1 and lines[0].startswith("    ") and not re.match(r"\s*\w+: ", lines[0]):  # an example
        for pattern, replacement in _REPLACED.items():
            text = re.sub(pattern, replacement, text)
        return text
    first = re.match(" *", lines[0])
    following = re.match(" *", lines[1]) if len(lines) > 1 else first
    if first is None or following is None:
        return text
    wider = following if following[0] or not re.match(r" +\w+: ", lines[0]) else first
    deeper = wider[0] if len(lines) > 1 else first[0] + ("    " if re.match(r" +\w+: ", lines[0]) else "")
    return textwrap.fill(
        changed,
        _WIDTH - indent,
        initial_indent=first[0],
        subsequent_indent=deeper,
        break_long_words=False,
        break_on_hyphens=False,
    )
