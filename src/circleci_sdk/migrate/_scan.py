"""One file: read, passed over unless it may hold a call, then read as its language."""

from __future__ import annotations

import ast
import codecs
import json
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterable
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

from ._findings import V1_PAGE, Finding, Note
from ._python.calls import requests
from ._python.clients import uses
from ._python.module import Module
from ._routes import Context
from ._table import ROUTES
from ._text import MOST_ADDRESSES, addresses
from ._walk import MAX_BYTES, files

if TYPE_CHECKING:
    from ._entries import Route

_SUFFIXES: Final = {
    **dict.fromkeys(("rakefile", "gemfile", "capfile", "dangerfile", "fastfile", "podfile", "vagrantfile"), ".rb"),
    **dict.fromkeys(("makefile", "gnumakefile"), ".mk"),
}
"""The languages of files that are known by their names."""
_PYTHON: Final = frozenset({".py", ".pyi", ".pyw"})
_MARK: Final = b"circle"
_RELEVANT: Final = re.compile(
    rb"project|insights|runner\.circleci\.com|api/v1|v1\.1"
    rb"|\b(?:from|import)\s+(?:circleci|pycircleci|circleci_api_python)\b|[\"'](?:circleci|pycircleci|circleci_api_python)\b"
)
_WITHOUT_BRANCHES: Final = ("shallow", "skip_branches")


class Scan:
    """What was found in the files so far, and how many were only read, or read as a language."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.notes: list[Note] = []
        self.read = 0
        self.parsed = 0

    def add(self, roots: Iterable[Path]) -> None:
        """Read the files of these folders, each file once."""
        seen: set[str] = set()
        for root in roots:
            failed: list[tuple[str, str]] = []
            for path in files(root, failed):
                if path not in seen:
                    seen.add(path)
                    self.add_file(path)
            self.notes += [Note(path, f"cannot be read: {reason}") for path, reason in failed]

    def add_file(self, path: str) -> None:
        """Read a file. What cannot be read is noted."""
        try:
            with open(path, "rb") as file:  # noqa: PTH123  # a Path per file is slow
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            self.notes.append(Note(path, f"cannot be read: {error.strerror or type(error).__name__}"))
            return
        self.read += 1
        self.add_bytes(path, data)

    def add_bytes(self, path: str, data: bytes) -> None:
        """Read the content of a file."""
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            data = data.decode("utf-16", errors="replace").encode()
        lower = data.lower()
        if _MARK not in lower or not _RELEVANT.search(lower):
            return
        if len(data) > MAX_BYTES:
            self.notes.append(Note(path, f"is larger than {MAX_BYTES // 1_000_000} MB and was not read"))
            return
        if b"\0" in data:
            return
        self.parsed += 1
        name = PurePath(path)
        suffix = ".groovy" if name.name.startswith("Jenkinsfile") else name.suffix.lower()
        suffix = _SUFFIXES.get(name.name.lower(), suffix)
        text = data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        if suffix == ".ipynb":
            text = _notebook(text) or text
        if suffix in (*_PYTHON, ".ipynb") or (not suffix and re.match(r"#!.*python", text)):
            tree = _parsed(text)
            if tree is None:
                self.notes.append(Note(path, "is no valid Python; only its addresses were looked at"))
                self._text(path, text, ".py")
            else:
                self._python(path, text, tree)
        else:
            self._text(path, text, suffix)

    def _python(self, path: str, text: str, tree: ast.Module) -> None:
        module, context = Module(tree), Context.of(text)
        sent = islice(requests(module, context, text), MOST_ADDRESSES)
        found = [_of_route(path, each.line, each.column, each.route) for each in sent]
        for use in uses(module):
            route = None if use.variant.ends is None else ROUTES[use.variant.ends]
            if route is not None and route.kind == "branches":
                given = [keyword.arg for keyword in use.call.keywords] if use.call else []
                is_read = context.reads_branches and not any(name in given for name in _WITHOUT_BRANCHES)
                route = route if is_read else None
            found.append(
                Finding(
                    path=path,
                    line=use.line,
                    column=use.column + 1,
                    title=use.title,
                    client=use.client.package,
                    is_ending=route is not None,
                    ends=None if route is None else route.day,
                    use=use.variant.use,
                    remark=use.variant.remark,
                    page=f"docs/migration/{use.client.page}",
                )
            )
        self._keep(found)

    def _text(self, path: str, text: str, suffix: str) -> None:
        starts = [0, *(match.end() for match in re.finditer("\n", text))]
        found: list[Finding] = []
        for offset, route in addresses(text, suffix, Context.of(text)):
            line = bisect_right(starts, offset)
            found.append(_of_route(path, line, offset - starts[line - 1], route))
        self._keep(found)

    def _keep(self, found: list[Finding]) -> None:
        """One finding for each call: the one of a client before the one of its address."""
        kept = {(each.line, each.column, each.title): each for each in found}
        self.findings += sorted(kept.values(), key=lambda each: (each.line, each.column))


def _parsed(text: str) -> ast.Module | None:
    """The syntax tree; None for what is no Python of this version, or nested too deeply to be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in the read code
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _of_route(path: str, line: int, column: int, route: Route) -> Finding:
    return Finding(
        path=path,
        line=line,
        column=column + 1,
        title=route.title,
        client=None,
        is_ending=True,
        ends=route.day,
        use=route.use,
        remark=route.remark,
        page=V1_PAGE,
    )


def _notebook(text: str) -> str | None:
    """The code cells of a notebook, each line at the number that it has in the file."""
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
        wanted = [line.rstrip("\n") for source in sources for line in source]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    lines: list[str] = []
    rest = iter([*wanted, None])
    current = next(rest)
    for line in text.split("\n"):
        stripped = line.strip().rstrip(",")
        is_line = current is not None and stripped in (json.dumps(current), json.dumps(current + "\n"))
        if is_line and current is not None:
            indent, mark = current[: len(current) - len(current.lstrip())], current.lstrip()[:1]
            command = f"{indent}system({json.dumps(current.lstrip()[1:])})"
            lines.append(command if mark == "!" else f"{indent}pass" if mark == "%" else current)
            current = next(rest)
        else:
            lines.append("")
    return "\n".join(lines)
