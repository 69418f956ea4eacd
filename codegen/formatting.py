"""Formats all generated modules with one run of ruff."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

# The settings are set here, not taken from pyproject.toml, so that they apply in any folder. They equal those of the
# project: its own `ruff format --check` would find a difference.
_SETTINGS: Final = ("--isolated", "--no-cache", "--quiet", "--target-version=py311", "--line-length=120")
# F821 is a check, not a fix: an undefined name is an error in a template.
_RULES: Final = "F401,F821,I,UP"


def formatted(files: Mapping[str, str], package: str) -> dict[str, str]:
    """The same files with sorted imports and the usual layout; only Python is touched."""
    first_party = f'lint.isort.known-first-party=["{package.partition(".")[0]}"]'
    with TemporaryDirectory() as folder:
        for path, text in files.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text.encode())
        _ruff("check", "--fix", f"--select={_RULES}", "--config", first_party, folder)
        _ruff("format", folder)
        return {path: Path(folder, path).read_bytes().decode() for path in files}


def _ruff(command: str, *arguments: str) -> None:
    line = [sys.executable, "-m", "ruff", command, *_SETTINGS, *arguments]
    result = subprocess.run(line, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"ruff {command} rejected generated code:\n{result.stdout}{result.stderr}")
