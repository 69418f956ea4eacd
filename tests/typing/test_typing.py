"""The type checkers infer what the programs assert, and report what the texts mark, and nothing else.

`right.py` and `wrong.txt` are about the async client, `right_sync.py` and `wrong_sync.txt` about the sync one.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).parent
PROJECT: Final = HERE.parent.parent


def by_mypy(file: Path) -> tuple[set[int], str]:
    """The lines that mypy reports, and all that it said."""
    done = _run("mypy", "--config-file", str(PROJECT / "pyproject.toml"), "--no-error-summary", str(file))
    assert not done.stderr, done.stderr
    # By name only: out of its cache mypy may give the path of an earlier run.
    pattern = re.compile(rf"{file.name}:(\d+)(?::\d+)?: error: ")
    return {int(line) for line in pattern.findall(done.stdout)}, done.stdout


def by_pyright(file: Path) -> tuple[set[int], str]:
    """The lines that pyright reports, and all that it said."""
    config = {
        "include": [str(file)],
        "typeCheckingMode": "strict",
        "reportDeprecated": "error",
        "pythonVersion": "3.11",
        "extraPaths": [str(PROJECT / "src")],
    }
    project = file.with_name("pyrightconfig.json")
    project.write_text(json.dumps(config))
    done = _run("pyright", "--project", str(project), "--pythonpath", sys.executable, "--outputjson")
    report = json.loads(done.stdout)
    problems = [item for item in report["generalDiagnostics"] if item["severity"] == "error"]
    return {item["range"]["start"]["line"] + 1 for item in problems}, done.stdout


def by_pyrefly(file: Path) -> tuple[set[int], str]:
    """The lines that pyrefly reports, and all its output."""
    config = file.with_name("pyrefly.toml")
    config.write_text('preset = "strict"\npython-version = "3.11"\n[errors]\ndeprecated = "error"\n')
    source = ("--search-path", str(PROJECT / "src"), "--python-interpreter-path", sys.executable)
    done = _run("pyrefly", "check", "--config", str(config), *source, "--output-format", "json", str(file))
    problems = [item for item in json.loads(done.stdout)["errors"] if item["severity"] == "error"]
    return {item["line"] for item in problems}, done.stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, timeout=300, cwd=PROJECT
    )


Checker = Callable[[Path], tuple[set[int], str]]
all_checkers = pytest.mark.parametrize("checker", [by_mypy, by_pyright, by_pyrefly], ids=["mypy", "pyright", "pyrefly"])


both_clients = pytest.mark.parametrize("suffix", ["", "_sync"], ids=["async", "sync"])


@both_clients
@all_checkers
def test_what_is_right_passes(checker: Checker, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / "right_copy.py"
    file.write_text((HERE / f"right{suffix}.py").read_text())
    lines, said = checker(file)
    assert lines == set(), said


@both_clients
@all_checkers
def test_what_is_wrong_is_reported(checker: Checker, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / "wrong_copy.py"
    text = (HERE / f"wrong{suffix}.txt").read_text()
    file.write_text(text)
    lines = text.splitlines()
    reported, said = checker(file)
    name = checker.__name__.removeprefix("by_")
    marks = ((number, re.search(r"  # wrong(?:: ([a-z, ]+))?$", line)) for number, line in enumerate(lines, 1))
    marked = {number for number, mark in marks if mark and name in (mark[1] or name)}
    # Of a `match` with a hole one checker points at the function, the other at the statement or at both.
    holes = {
        number for number, line in enumerate(lines, 1) if line.startswith(("def ", "    match ")) and number in marked
    }
    assert reported - marked == set(), said
    assert marked - holes - reported == set(), said
    for number in holes:
        pair = {number, number + 1} if number + 1 in holes else {number - 1, number}
        assert pair & reported, said
