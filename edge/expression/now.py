"""A condition about this moment only: what guards a write. Windows need a memory and are not for it."""

from __future__ import annotations

from collections.abc import Callable

from edge.expression.live import build
from edge.expression.nodes import Node, QualityFunction, Windowed, names

Look = Callable[[str], float | None]
"""Gives the present value of `device.point`; None where it is not known or cannot be trusted."""


class Stated:
    """An expression that is judged with the values of the moment. `str` of it is its text."""

    def __init__(self, text: str, node: Node) -> None:
        self.points = names(node)
        self._text = text
        self._look: Look = _nothing
        self._get = build(node, self)

    def holds(self, look: Look) -> bool | None:
        """Return whether it holds now; None where what it needs is unknown."""
        self._look = look
        found = self._get()
        return None if found is None else bool(found)

    def __str__(self) -> str:
        return self._text

    def number(self, point: str) -> float | None:
        """Return the present value."""
        return self._look(point)

    def rated(self, function: QualityFunction, point: str) -> float | None:
        """Return whether a value can be trusted; of one that can, whether it is uncertain is not known."""
        known = self._look(point) is not None
        if function == "uncertain":
            return None if known else 0.0
        return float(known is (function == "good"))

    def figure(self, windowed: Windowed) -> float | None:
        """Return that nothing is remembered."""
        return None


def _nothing(point: str) -> float | None:
    return None
