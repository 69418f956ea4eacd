"""The code blocks of the README and of the pages in `docs/`.

The Python blocks of a page run one after the other, as in one notebook, with the demo of the fake as the API. They may
`await` at top level. Blocks in a tab "sync" have names of their own, among them a `CircleCI` as `circleci`.

A block with a title is a file: ```` ```python title="test_release.py" ````. pytest runs those whose names begin with
`test_`; their tests may import the others of the page.

A block that includes a file, by `--8<--`, is none of the page: the file has tests of its own.

`python -m tests.docs.blocks` prints how many there are of each kind.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
OTHERS: Final = ("docs/migration", "docs/reference")
"""Pages that are written by programs. Their blocks have tests of their own."""
_FENCE: Final = re.compile(r"^( *)```(\w*)([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_TAB: Final = re.compile(r'^( *)=== "(.*)"$', re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: where it begins, its language, its title, the tab that it stands in, and its lines."""

    page: str
    line: int
    language: str
    title: str
    tab: str
    source: str


def pages() -> dict[str, list[Block]]:
    """The blocks of each page, by its path in the repository."""
    paths = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    return {name: list(blocks_of(name, path)) for name, path in names.items() if not name.startswith(OTHERS)}


def blocks_of(page: str, path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        if match[4].lstrip().startswith("--8<--"):
            continue
        tabs = [tab for tab in _TAB.finditer(text, 0, match.start()) if len(tab[1]) < len(match[1])]
        title = re.search(r'title="(.+?)"', match[3])
        yield Block(
            page,
            text.count("\n", 0, match.start()) + 2,
            match[2],
            title[1] if title else "",
            tabs[-1][2] if tabs else "",
            textwrap.dedent(match[4]),
        )


def main() -> None:
    """Print the number of pages, and of their blocks by kind."""
    found = pages()
    kinds = Counter(
        f"{block.language or 'text'}, {'a file' if block.title else block.tab or 'no tab'}"
        for blocks in found.values()
        for block in blocks
    )
    print(f"{len(found)} pages, {sum(kinds.values())} blocks")
    for kind, number in sorted(kinds.items()):
        print(f"{number:5} {kind}")


if __name__ == "__main__":
    main()
