"""A bar chart as SVG, without a plotting library, which would be the largest dependency of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .tables import Table

WIDTH: Final = 860
LEFT: Final = 250
BAR: Final = 9
GAP: Final = 14
COLOURS: Final = ("#1d6fb8", "#e08a1e", "#8a5fbf", "#3a9d5d")
OURS: Final = "circleci_sdk"


def chart(tables: Sequence[Table]) -> str:
    """One group of bars per row of each table, one bar per column, and a line at 1."""
    shown = [row for table in tables for row in table.rows]
    longest = max(figure.middle for row in shown for figure in row.figures if figure)
    scale = (WIDTH - LEFT - 70) / longest
    parts: list[str] = []
    y = 34
    for index, column in enumerate(tables[0].columns):
        x = LEFT + index * 140
        parts.append(f'<rect x="{x}" y="10" width="10" height="10" fill="{COLOURS[index]}"/>')
        parts.append(f'<text x="{x + 15}" y="19">{escape(column)}</text>')
    for table in tables:
        y += 18
        parts.append(f'<text x="10" y="{y}" font-weight="bold">{escape(table.title)}</text>')
        y += 8
        for row in table.rows:
            weight = ' font-weight="bold"' if row.label.startswith(OURS) else ""
            middle = y + len(row.figures) * BAR / 2 + 4
            parts.append(f'<text x="20" y="{middle:.0f}"{weight}>{escape(row.label.replace("`", ""))}</text>')
            for index, figure in enumerate(row.figures):
                if figure is not None:
                    parts.append(_bar(y + index * BAR, figure.middle, scale, COLOURS[index]))
            y += len(row.figures) * BAR + GAP
    line = LEFT + scale
    parts.append(f'<line x1="{line:.1f}" y1="30" x2="{line:.1f}" y2="{y}" stroke="#555" stroke-dasharray="4 3"/>')
    height = y + 10
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'
    )
    return "\n".join((head, f'<rect width="{WIDTH}" height="{height}" fill="white"/>', *parts, "</svg>", ""))


def _bar(y: float, value: float, scale: float, colour: str) -> str:
    width = max(1.0, value * scale)
    return (
        f'<rect x="{LEFT}" y="{y:.1f}" width="{width:.1f}" height="{BAR - 1}" fill="{colour}"/>'
        f'<text x="{LEFT + width + 4:.1f}" y="{y + BAR - 1:.1f}" font-size="9">{value:.2f}</text>'
    )
