"""Statistics of several rounds: median and quartiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of several rounds, and the lower and upper quartile."""

    middle: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The statistics of these values."""
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
        return cls(median(values), low, high, len(values))

    def values(self) -> tuple[float, float, float, int]:
        """The fields, in the order of the constructor."""
        return self.middle, self.low, self.high, self.rounds

    def __str__(self) -> str:
        digits = 3 if self.middle < 0.1 else 2 if self.middle < 10 else 1
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def ratios(values: Sequence[float], basis: Sequence[float]) -> Figure:
    """Ratios per round, which cancels out variations between rounds."""
    return Figure.of([value / base for value, base in zip(values, basis, strict=True)])
