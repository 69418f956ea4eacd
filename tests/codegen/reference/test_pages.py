"""The pages of small specs; `CODEGEN_GOLDEN=write` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codegen.reference.__main__ import main
from codegen.reference.api import read_api
from codegen.reference.site import pages
from codegen.tree import differences, write
from tests.codegen.support import SPECS, spec_folder

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "bodies": ("things.md", "models/things.md"),
    "envelopes": ("things.md", "models/things.md"),
    "lifecycle": ("things.md", "index.md", "SUMMARY.md"),
    "models": ("models/things.md",),
    "deliveries": ("models/deliveries.md",),
}
"""The pages compared in each case."""


@pytest.mark.parametrize("case", CASES)
def test_pages_equal_the_golden_files(case: str, tmp_path: Path) -> None:
    found = pages(read_api(spec_folder(case, tmp_path), "v9"))
    wanted = {path: found[path] for path in CASES[case]}
    if os.environ.get("CODEGEN_GOLDEN") == "write":
        write(GOLDEN / case, wanted)
    assert differences(GOLDEN / case, wanted) == ""


def test_the_command_writes_all_versions(tmp_path: Path) -> None:
    assert main(["--out", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"v1", "v2", "v3"}
    assert (tmp_path / "v2" / "pipelines.md").read_text().startswith("# circleci.v2.pipelines ")


def test_an_invalid_spec_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--specs", str(SPECS / "nowhere"), "--out", str(tmp_path)]) == 2
    assert "openapi.yaml" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
