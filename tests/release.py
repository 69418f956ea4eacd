"""What must agree before a release: `python -m tests.release v1.2.3`. `nox -s release -- v1.2.3` runs it.

The tag names the version. It equals that of the package, the changelog has a section for it and nothing under
"Unreleased", and the addresses of the project are filled in.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
PLACEHOLDER: Final = "OWNER"
"""In the addresses of pyproject.toml, until the project has some."""


def problems(tag: str, version: str, changelog: str, project: Mapping[str, Any]) -> list[str]:
    """What does not agree, as sentences."""
    found: list[str] = []
    if tag != f"v{version}":
        found.append(f"The tag is {tag}, but src/circleci_sdk/_version.py has {version}: the tag must be v{version}.")
    sections = dict(re.findall(r"^## \[([^\]]+)\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL))
    if version not in sections:
        found.append(f"CHANGELOG.md has no section [{version}].")
    if sections.get("Unreleased", "").strip():
        found.append(f"CHANGELOG.md has lines under [Unreleased]: move them to [{version}].")
    found += [
        f"The address {name} in pyproject.toml is not filled in: {address}."
        for name, address in project["urls"].items()
        if PLACEHOLDER in address
    ]
    return found


def main(arguments: list[str]) -> None:
    """Exit with the problems of a tag."""
    if len(arguments) != 1:
        sys.exit("Usage: python -m tests.release TAG")
    version = re.search(r'"(.+)"', (ROOT / "src/circleci_sdk/_version.py").read_text().partition("__version__")[2])
    assert version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = problems(arguments[0], version[1], (ROOT / "CHANGELOG.md").read_text(), project)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main(sys.argv[1:])
