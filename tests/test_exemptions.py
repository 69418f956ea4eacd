"""Every exemption from a checker has its reason: `# noqa: X  # reason`, or a comment in the line above.

So has every `except` of the package that catches all exceptions.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.places import ROOT

_EXEMPTION: Final = re.compile(
    r"#\s*(?:noqa\b(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?|(?:type|pyright|pyrefly):\s*ignore\b(?:\[[^\]]*\])?|pragma\b[^#]*)"
)
_BROAD: Final = re.compile(r"\b(?:except|suppress\() *(?:Base)?Exception\b")
_WORD: Final = re.compile(r"[a-z]{2}")
GENERATED: Final = ("src/circleci_sdk/v1", "src/circleci_sdk/v2", "src/circleci_sdk/v3", "tests/codegen/golden")


def comments_of(path: Path) -> tuple[list[tokenize.TokenInfo], set[int]]:
    """The comments of a file, and the lines that have nothing else."""
    with path.open("rb") as file:
        comments = [token for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    return comments, {token.start[0] for token in comments if not token.line[: token.start[1]].strip()}


def exemptions_without_reason(path: Path) -> Iterator[str]:
    comments, alone = comments_of(path)
    for token in comments:
        rest, count = _EXEMPTION.subn("", token.string)
        if count and not _WORD.search(rest) and token.start[0] - 1 not in alone:
            yield f"{path}:{token.start[0]}: {token.line.strip()}"


def broad_excepts_without_reason(path: Path) -> Iterator[str]:
    comments, alone = comments_of(path)
    explained = {token.start[0] for token in comments} | {line + 1 for line in alone}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if _BROAD.search(line.partition("#")[0]) and number not in explained:
            yield f"{path}:{number}: {line.strip()}"


def written(*folders: str) -> list[Path]:
    files = [*ROOT.glob("*.py"), *(path for folder in folders for path in (ROOT / folder).rglob("*.py"))]
    return [path for path in sorted(files) if not any(path.is_relative_to(ROOT / one) for one in GENERATED)]


def test_every_exemption_has_its_reason() -> None:
    files = written("src", "tests", "codegen", "examples", "benchmarks")
    assert len(files) > 300
    assert [one for path in files for one in exemptions_without_reason(path)] == []


def test_every_broad_except_has_its_reason() -> None:
    files = written("src", "codegen", "examples")
    assert [one for path in files for one in broad_excepts_without_reason(path)] == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("x = 1  # noqa: E731", 1),
        ("x = 1  # noqa", 1),
        ("x = 1  # noqa: E731, B009  # type: ignore[arg-type]", 1),
        ("x = 1  # pyright: ignore[reportPrivateUsage]", 1),
        ("x = 1  # pragma: no cover", 1),
        ("y = 2  # something else\nx = 1  # type: ignore", 1),
        ("x = 1  # noqa: E731  # the reason", 0),
        ("x = 1  # noqa: E731 - the reason", 0),
        ("# The reason.\nx = 1  # type: ignore[misc]", 0),
        ("x = '# noqa'  # a comment", 0),
    ],
)
def test_reasons_are_found(tmp_path: Path, source: str, count: int) -> None:
    file = tmp_path / "x.py"
    file.write_text(source, encoding="utf-8")
    assert len(list(exemptions_without_reason(file))) == count


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("except Exception:", 1),
        ("except BaseException as error:", 1),
        ("with suppress(Exception):", 1),
        ("except Exception:  # of the store", 0),
        ("# The reason.\nwith suppress(Exception):", 0),
        ("except ExceptionGroup:", 0),
        ("# except Exception:", 0),
    ],
)
def test_reasons_of_excepts_are_found(tmp_path: Path, line: str, count: int) -> None:
    file = tmp_path / "x.py"
    file.write_text(line, encoding="utf-8")
    assert len(list(broad_excepts_without_reason(file))) == count
