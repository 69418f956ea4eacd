"""What the pages name is there: methods, modules, tests, files, options of commands."""

from __future__ import annotations

import importlib
import re
from typing import Final

import pytest

from circleci_sdk import AsyncCircleCI, v1, v2, v3
from tests.docs.blocks import ROOT, pages

PAGES: Final = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages()}
_CODE: Final = re.compile(r"`([^`\n]+)`")
_METHOD: Final = re.compile(
    r"(?<![\w.])(?:circleci\.)?((?:v[123]|runs|logs|artifacts|secrets|usage|history)(?:\.\w+)+)"
)
_MODULE: Final = re.compile(r"(?<![\w./-])circleci_sdk((?:\.\w+)+)")
_FILE: Final = re.compile(r"(?<![\w/.-])((?:tests|examples|docs|benchmarks|openapi)/[\w/.-]*\w)(?:::(\w+))?")
COMMANDS: Final = (
    r"python3 -m venv \.venv",
    r'\.venv/bin/python -m pip install (--editable )?("?\.(\[\w+\]")?|nox)',
    r"\.venv/bin/nox -s (tests|docs)",
    r"([A-Z_]+=\S+ )*(\.venv/bin/)?python examples/[\w/]+\.py( .*)?",
    r"(\.venv/bin/)?python -m circleci_sdk\.testing --port 8080 --speed 60",
    r"export( CIRCLECI_(BASE_URL|TOKEN)=\S+)+",
)
"""The lines of blocks of commands. Sessions of nox, the tests of the fake and those of the examples run them."""
FILES: Final = ("csv", "env", "jsonl")
"""Suffixes of files that are named like a helper."""
LOGGER: Final = ".drift"


def words(page: str) -> set[str]:
    """The inline code of a page."""
    return set(_CODE.findall(PAGES[page]))


@pytest.mark.parametrize("page", PAGES)
def test_methods(page: str) -> None:
    circleci = AsyncCircleCI("a-token")
    missing: list[str] = []
    for name in {found for word in words(page) for found in _METHOD.findall(word)}:
        *owners, last = name.split(".")
        if last not in ("models", "OPERATIONS", *FILES):
            value: object = circleci
            for part in (*owners, last):
                value = getattr(value, part, None)
            if value is None:
                missing.append(name)
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_modules(page: str) -> None:
    for path in {found for word in words(page) for found in _MODULE.findall(word)} - {LOGGER}:
        *parents, name = f"circleci_sdk{path}".split(".")
        parent = importlib.import_module(".".join(parents))
        assert hasattr(parent, name) or importlib.import_module(f"{'.'.join(parents)}.{name}"), path


@pytest.mark.parametrize("page", PAGES)
def test_files(page: str) -> None:
    for path, test in {found for word in words(page) for found in _FILE.findall(word)}:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8")


def test_commands() -> None:
    blocks = [block for page in pages().values() for block in page if block.language == "sh"]
    lines = [line for block in blocks for line in block.source.replace("\\\n", "").splitlines()]
    assert [line for line in lines if not any(re.fullmatch(command, line) for command in COMMANDS)] == []
    assert [name for line in lines for name in re.findall(r"examples/\S+", line) if not (ROOT / name).exists()] == []


def test_numbers_of_operations() -> None:
    row = " | ".join(str(len(version.OPERATIONS)) for version in (v1, v2, v3))
    assert f"| operations here | {row} |" in PAGES["docs/guides/which-api.md"]
    assert f"and {len(v3.OPERATIONS)} of v3." in PAGES["README.md"]
