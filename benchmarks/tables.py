"""Results of measurements: tables of labels and figures, and budgets with what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stats import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One client or variant. `figures` are in the order of the columns; None means not measured."""

    label: str
    figures: tuple[Figure | None, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a description of the measurement, and rows."""

    title: str
    description: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    failures: tuple[str, ...] = ()

    def figure(self, label: str, column: int = 0) -> Figure | None:
        """A figure of the first row whose label starts with `label`; None if it was not measured."""
        return next((row.figures[column] for row in self.rows if row.label.startswith(label)), None)


@dataclass(frozen=True, slots=True)
class Budget:
    """One performance budget: the least or the most that is allowed."""

    name: str
    measured: Figure | None
    least: float | None = None
    most: float | None = None
    obstacle: str = ""
    """What stands in the way, printed if the budget is not met."""

    @property
    def bound(self) -> str:
        """The bound as text."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    @property
    def is_met(self) -> bool:
        """Whether the median is within the bound; False if not measured."""
        return self.measured is not None and self._allows(self.measured.middle)

    @property
    def is_met_by_quartile(self) -> bool:
        """Whether the worse quartile is within the bound too; False if not measured."""
        if self.measured is None:
            return False
        return self._allows(self.measured.low if self.least is not None else self.measured.high)

    def _allows(self, value: float) -> bool:
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True, slots=True)
class Report:
    """What one measurement contributes to the results."""

    budgets: Sequence[Budget] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """How a run measures."""

    url: str
    """Of the benchmark server."""
    quick: bool
    notes: list[str] = field(default_factory=list[str])

    def rounds(self, whole: int, quick: int) -> int:
        """The number of rounds in a whole and in a quick run."""
        return quick if self.quick else whole
