"""The examples in docstrings are in a module that the type checkers check."""

from __future__ import annotations

import os
from typing import Final

from tests.docs.docstrings import docstrings, examples, rendered
from tests.support.places import ROOT

MODULE: Final = ROOT / "tests" / "typing" / "docstrings.py"


def test_the_examples_are_type_checked() -> None:
    text = rendered()
    if os.environ.get("DOCS") == "write":
        MODULE.write_text(text, encoding="utf-8")
    assert MODULE.read_text(encoding="utf-8") == text, "Run the test with DOCS=write."


def test_no_example_has_another_form() -> None:
    assert len(list(examples())) >= 15
    assert [module for module, _, text in docstrings() if ">>> " in text or "```" in text] == []
