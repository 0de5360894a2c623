"""Figures as people say them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def ago(now_us: int, then_us: int | None) -> str:
    """Return an age, such as `3 s ago`; `never` for None."""
    return "never" if then_us is None else f"{span(max(0, now_us - then_us) / 1e6)} ago"


def span(seconds: float) -> str:
    """Return a duration in its two largest units: `9 d 4 h`, `3 min 20 s`, `0.4 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def size(count: float) -> str:
    """Return bytes with a decimal prefix: `12.5 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def value(point: dict[str, Any], unit: str = "") -> str:
    """Return a point's value as the local API tells it, with its word and unit."""
    if point.get("text") is not None:
        return plain(str(point["text"]))
    if point.get("value") is None:
        return "-"
    shown = f"{point['value']:.10g}" + (f" {unit}" if unit and unit != "1" else "")
    label = point.get("label")
    return f"{shown} ({label['zh']} / {label['en']})" if label else shown


def plain(text: str, keep: str = "") -> str:
    """Return a stranger's text without what a terminal would obey, but for the characters in `keep`.

    Devices, the centre and whoever signs in to the page write texts that a technician reads on a terminal.
    """
    return "".join(c if c.isprintable() or c in keep else "?" for c in text)


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    rows = [tuple(plain(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
