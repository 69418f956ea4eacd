"""Tables and budgets as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .stats import Figure
    from .tables import Budget, Table

INTRODUCTION: Final = (
    "Written by `nox -s bench`; ../README.md describes the methods. Every figure is the median of the rounds, with the "
    "quartiles in parentheses. A budget is met if the median is within it, and by the quartile if the worse quartile "
    "is too. The column before has the figures of the last whole run before this one."
)


def markdown(
    budgets: Sequence[Budget], before: Mapping[str, Figure], tables: Iterable[Table], notes: Sequence[str]
) -> str:
    """The whole report."""
    parts = [
        "# Results",
        INTRODUCTION,
        *notes,
        "## Budget",
        budget_grid(budgets, before),
        *_obstacles(budgets),
        "![Calls, as multiples of raw httpx](calls.svg)",
        *(_table(table) for table in tables),
    ]
    return "\n\n".join(parts) + "\n"


def budget_grid(budgets: Iterable[Budget], before: Mapping[str, Figure]) -> str:
    """The budgets with what is measured now and what was measured before."""
    rows = [
        (each.name, each.bound, str(before.get(each.name, "-")), str(each.measured or "-"), _met(each))
        for each in budgets
    ]
    return _grid(("measurement", "budget", "before", "measured", "met"), rows)


def _obstacles(budgets: Iterable[Budget]) -> list[str]:
    """A section with what stands in the way of the budgets that are not met."""
    lines = [f"* {each.name}: {each.obstacle or 'not known'}." for each in budgets if not each.is_met_by_quartile]
    return ["### Not met, and what stands in the way", "\n".join(lines)] if lines else []


def _met(budget: Budget) -> str:
    if budget.measured is None:
        return "not measured"
    if not budget.is_met:
        return "**no**"
    return "yes" if budget.is_met_by_quartile else "by the median, **not by the quartile**"


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
