"""What a measurement hands on: rows of labels and figures, and what is to be said about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stats import Figure


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant or one of our own figures. `figures` are in the order of the table's columns; None is a gap."""

    label: str
    figures: tuple[Figure | None, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what was measured, and its rows."""

    title: str
    said: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    failures: tuple[str, ...] = ()


@dataclass(slots=True)
class Budget:
    """One promise of speed. `least` and `most` bound the median; `checks` holds what was measured."""

    what: str
    least: float | None
    most: float | None
    measured: Figure | None = field(default=None)

    @property
    def promise(self) -> str:
        """The bound in words."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    @property
    def is_kept(self) -> bool | None:
        """None: it was not measured."""
        if self.measured is None:
            return None
        middle = self.measured.middle
        return (self.least is None or middle >= self.least) and (self.most is None or middle <= self.most)
