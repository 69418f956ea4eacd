"""Results of measurements: tables of labels and figures, with a description."""

from __future__ import annotations

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


@dataclass(slots=True)
class Budget:
    """One performance budget. `least` and `most` are bounds of the median."""

    name: str
    least: float | None
    most: float | None
    measured: Figure | None = field(default=None)

    @property
    def bound(self) -> str:
        """The bound as text."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    @property
    def is_met(self) -> bool | None:
        """Whether the median is within the bounds; None if not measured."""
        if self.measured is None:
            return None
        middle = self.measured.middle
        return (self.least is None or middle >= self.least) and (self.most is None or middle <= self.most)
