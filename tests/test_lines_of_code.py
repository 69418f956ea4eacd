"""What counts as a line of code."""

from __future__ import annotations

import pytest

from tests.lines_of_code import formatted, lines_of_code, table


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("", 0),
        ("x = 1\n", 1),
        ("x = 1  # why\n", 1),
        ("# why\n\nx = 1\n\n\ny = 2\n", 2),
        ('"""A module."""\n\nx = 1\n', 1),
        ('def f():\n    """Say\n\n    more.\n    """\n    return 1\n', 2),
        ('x = 1\n"""What x is."""\n', 1),
        ('x = """a\n\nb"""\n', 3),
        ("f(\n    1,\n    # why\n    2,\n)\n", 4),
        ("x = 1; y = 2\n", 1),
    ],
    ids=[
        "nothing",
        "a statement",
        "a trailing comment",
        "comments and blank lines",
        "a module's docstring",
        "a function's docstring",
        "an attribute's docstring",
        "a string of several lines",
        "a comment in a call",
        "two statements on a line",
    ],
)
def test_lines_of_code(source: str, count: int) -> None:
    assert lines_of_code(source) == count


def test_dense_lines_do_not_count_less() -> None:
    assert lines_of_code(formatted("x = 1; y = 2\nif x: y = 3\n")) == 4


def test_the_table_without_a_revision() -> None:
    assert table({"b.py": 2, "a.py": 10}) == "    10 a.py\n     2 b.py\n    12 total"


def test_the_table_with_a_revision() -> None:
    assert table({"a.py": 10, "new.py": 1}, {"a.py": 12, "old.py": 3}).splitlines() == [
        " before   after  change",
        "     12      10      -2 a.py",
        "      0       1      +1 new.py",
        "      3       0      -3 old.py",
        "     15      11      -4 total",
    ]
