"""The page about the fake names a source and an existing test for each of its behaviors."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("document", "recorded", "client", "report", "guess")
NEW_TESTS = ("tests/testing/test_as_strict_as_circleci.py", "tests/testing/test_every_state.py")
NOT_A_BEHAVIOR_OF_THE_API = (
    "test_a_canceled_workflow_leaves_its_serial_group",
    "test_invalid_numbers_of_reruns_are_rejected",
    "test_a_run_with_lag_is_followed_to_its_end",
    "test_a_negative_lag_is_rejected",
)


def rows() -> list[tuple[str, str, str]]:
    _, _, table = (ROOT / "docs" / "guides" / "the-fake.md").read_text().partition("## Behavior\n")
    found = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", table, re.MULTILINE)
    return [row for row in found if row[1] != "source"]


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
    }


@pytest.mark.parametrize(("behavior", "source", "test"), rows())
def test_a_row(behavior: str, source: str, test: str) -> None:
    assert source in SOURCES, behavior
    path, _, name = test.partition("::")
    assert name in names_in(path), test


def test_each_row_appears_once() -> None:
    behaviors = [behavior for behavior, _, _ in rows()]
    assert len(behaviors) > 40
    assert len(set(behaviors)) == len(behaviors)


def test_each_test_of_strictness_is_a_row() -> None:
    named = {test for _, _, test in rows()}
    missing = {f"{path}::{name}" for path in NEW_TESTS for name in names_in(path) - set(NOT_A_BEHAVIOR_OF_THE_API)}
    assert missing <= named
