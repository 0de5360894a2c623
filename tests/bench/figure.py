"""A figure, the limit it is held against, and the table they are printed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `limit` is measured in the same run, or the number that the issue asks for."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    limit_name: str = ""
    want: str = ""

    @property
    def ratio(self) -> float | None:
        """value / limit, or None where there is no limit."""
        return self.value / self.limit if self.limit else None


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text."""
    head = ("figure", "value", "limit", "ratio", "wanted")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:4], widths[1:4]))]  # noqa: B905
        lines.append("  ".join([*cells, row[4]]).rstrip())
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, str, str, str, str]:
    limit = "" if figure.limit is None else f"{_number(figure.limit)} {figure.limit_name}"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    return figure.name, f"{_number(figure.value)} {figure.unit}", limit, ratio, figure.want


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
