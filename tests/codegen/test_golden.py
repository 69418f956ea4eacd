"""Small specs, one per feature, and the code generated from them.

After an intended change, `CODEGEN_GOLDEN=write python -m pytest tests/codegen/test_golden.py` writes the new code;
review its diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codegen.build import build
from codegen.tree import differences, write
from tests.codegen.support import GOLDEN, SPECS, built

RESOURCE = ("resources/things.py",)
MODELS = ("models/_things.py",)
CASES: dict[str, tuple[str, ...] | None] = {
    "parameters": RESOURCE,
    "bodies": (*RESOURCE, *MODELS, "models/_dicts.py", "models/__init__.py"),
    "paging": RESOURCE,
    "responses": RESOURCE,
    "envelopes": (*RESOURCE, *MODELS),
    "lifecycle": RESOURCE,
    "models": (*MODELS, "models/_shared.py"),
    "deliveries": (*MODELS, "models/_deliveries.py", "models/_shared.py", "openapi.json"),
    "whole": None,
}
"""The files compared in each case; None means all."""


@pytest.mark.parametrize("case", CASES)
def test_generated_code_equals_the_golden_files(case: str, tmp_path: Path) -> None:
    files = built(case, tmp_path)
    about = CASES[case]
    wanted = {path: text for path, text in files.items() if about is None or path in about}
    if os.environ.get("CODEGEN_GOLDEN") == "write":
        write(GOLDEN / case, wanted)
    assert differences(GOLDEN / case, wanted) == ""


def test_spec_without_models(tmp_path: Path) -> None:
    spec = (SPECS / "openapi.yaml").read_text(encoding="utf-8")
    path = (
        "{tags: [Thing], operationId: ping, x-python-name: ping, summary: Ping, responses: {'200': {description: Ok}}}"
    )
    (tmp_path / "openapi.yaml").write_text(f"{spec}\npaths: {{/ping: {{get: {path}}}}}\n", encoding="utf-8")
    files = build(tmp_path, "things_sdk.v9", "v9")
    assert [name for name in files if name.startswith("models/")] == ["models/__init__.py"]
    assert "TYPE_CHECKING" not in files["resources/things.py"]


def test_no_golden_file_without_a_case() -> None:
    assert {path.name for path in GOLDEN.iterdir() if path.is_dir()} == set(CASES)
