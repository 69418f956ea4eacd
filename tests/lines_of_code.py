"""Lines of code per file: without blank lines, comments and docstrings, counted after `ruff format`.

    python -m tests.lines_of_code                            everything below src, codegen
    python -m tests.lines_of_code src/circleci_sdk/_core     these files and directories
    python -m tests.lines_of_code --compare main             before and after: a git revision beside the working tree

Files that moved since the revision have a line each for their old and their new path.
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PATHS: Final = ("src/circleci_sdk", "codegen")
NO_CODE: Final = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


def lines_of_code(source: str) -> int:
    """The lines of a module that hold code. A string that stands alone as a statement is a docstring."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


def formatted(source: str) -> str:
    """The source as `ruff format` writes it."""
    command = [sys.executable, "-m", "ruff", "format", "--quiet", "--stdin-filename", "module.py", "-"]
    return subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=True).stdout


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def in_tree(paths: list[str]) -> dict[str, int]:
    """The count of each file in the working tree."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard", "--", *paths).splitlines()
    files = [name for name in names if name.endswith(".py") and (ROOT / name).is_file()]
    return {name: lines_of_code(formatted((ROOT / name).read_text(encoding="utf-8"))) for name in files}


def in_revision(revision: str, paths: list[str]) -> dict[str, int]:
    """The count of each file in a revision."""
    files = [
        name for name in git("ls-tree", "-r", "--name-only", revision, "--", *paths).splitlines() if name[-3:] == ".py"
    ]
    return {name: lines_of_code(formatted(git("show", f"{revision}:{name}"))) for name in files}


def table(now: dict[str, int], before: dict[str, int] | None = None) -> str:
    """A line for each file, and the total."""
    if before is None:
        return "\n".join(f"{count:6} {name}" for name, count in [*sorted(now.items()), ("total", sum(now.values()))])
    rows = [(name, before.get(name, 0), now.get(name, 0)) for name in sorted(before | now)]
    rows.append(("total", sum(before.values()), sum(now.values())))
    lines = [f"{old:7} {new:7} {new - old:+7} {name}" for name, old, new in rows]
    return "\n".join([f"{'before':>7} {'after':>7} {'change':>7}", *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=PATHS, help="files and directories, relative to the repository")
    parser.add_argument("--compare", metavar="REVISION", help="a git revision to count as well")
    options = parser.parse_args()
    paths = list(options.paths)
    print(table(in_tree(paths), in_revision(options.compare, paths) if options.compare else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
