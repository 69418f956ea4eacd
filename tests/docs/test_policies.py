"""Tables of the policies that say what the code says. `DOCS=write` writes the generated one."""

from __future__ import annotations

import os
import re
import tomllib
from typing import Final

from circleci_sdk import v1, v2, v3
from tests.public_names import PACKAGES
from tests.support.places import ROOT

POLICIES: Final = ROOT / "docs" / "policies"
_SUNSETS: Final = re.compile(r"(?<=<!-- sunsets -->\n).*?(?=<!-- /sunsets -->)", re.DOTALL)


def sunsets() -> str:
    """Each operation with an end, the next one first."""
    ending = [one for api in (v1, v2, v3) for one in api.OPERATIONS.values() if one.deprecated]
    rows = sorted((str(one.sunset or "not announced"), one.label, str(one.replacement)) for one in ending)
    lines = [f"| {day} | `{label}` | `{replacement}` |\n" for day, label, replacement in rows]
    return f"| from | operation | use |\n|---|---|---|\n{''.join(lines)}"


def test_sunsets() -> None:
    page = POLICIES / "deprecations.md"
    text = page.read_text(encoding="utf-8")
    if os.environ.get("DOCS") == "write":
        page.write_text(_SUNSETS.sub(lambda _: sunsets(), text), encoding="utf-8")
    else:
        assert _SUNSETS.findall(text) == [sunsets()], "Run the test with DOCS=write."


def test_supported_pythons_are_the_classifiers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [name.rpartition(" :: ")[2] for name in project["classifiers"] if re.search(r":: 3\.\d+$", name)]
    page = (POLICIES / "python-versions.md").read_text(encoding="utf-8")
    assert f"| {', '.join(versions)} | yes |" in page
    assert project["requires-python"] == f">={versions[0]}"


def test_every_public_module_is_named() -> None:
    page = (POLICIES / "stability.md").read_text(encoding="utf-8")
    modules = [package for package in PACKAGES if package.partition(".")[0] not in ("", "v1", "v2", "v3")]
    assert [module for module in modules if f"`circleci_sdk.{module}`" not in page] == []
