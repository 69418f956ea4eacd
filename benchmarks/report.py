"""Tables and budgets as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .tables import Budget, Table

INTRODUCTION: Final = (
    "Written by `nox -s bench`; ../README.md describes the methods. Every figure is the median of the rounds, with the "
    "quartiles in parentheses."
)


def markdown(budgets: Sequence[Budget], tables: Iterable[Table], notes: Sequence[str]) -> str:
    """The whole report."""
    parts = [
        "# Results",
        INTRODUCTION,
        *notes,
        "## Budget",
        _grid(("measurement", "budget", "measured", "met"), [_budget(budget) for budget in budgets]),
        "![Calls, as multiples of raw httpx](calls.svg)",
        *(_table(table) for table in tables),
    ]
    return "\n\n".join(parts) + "\n"


def _budget(budget: Budget) -> tuple[str, ...]:
    met = {True: "yes", False: "**no**", None: "not measured"}[budget.is_met]
    return budget.name, budget.bound, str(budget.measured or "-"), met


def _table(table: Table) -> str:
    rows = [
        (row.label + (f" ({row.note})" if row.note else ""), *(str(figure or "-") for figure in row.figures))
        for row in table.rows
    ]
    parts = [f"## {table.title}", table.description, _grid(("", *table.columns), rows)]
    if table.failures:
        parts.append("\n".join(("Not measured:", "", *(f"* {failure}" for failure in table.failures))))
    return "\n\n".join(parts)


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
