"""What must hold before a point is written: a comparison, or an expression over points."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final, Protocol

from edge.config.acting import Comparison, Operator
from edge.expression.now import Look, Stated
from edge.expression.parse import parse

_JUDGED: Final[dict[Operator, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


class Condition(Protocol):
    """Something that holds, does not, or cannot be said. `str` of it is what a person reads."""

    def holds(self, look: Look, /) -> bool | None:
        """Return whether it holds now; None where a value that it needs is unknown."""
        ...


class Compared:
    """A point against a value."""

    def __init__(self, entry: Comparison) -> None:
        self._point, self._op, self._value = entry.point, entry.op, entry.value

    def holds(self, look: Look) -> bool | None:
        """Compare the present value."""
        value = look(self._point)
        return None if value is None else _JUDGED[self._op](value, self._value)

    def __str__(self) -> str:
        return f"{self._point} {self._op} {self._value:g}"


def condition(entry: Comparison | str) -> Condition:
    """Return what a checked entry of `permit` says."""
    return Compared(entry) if isinstance(entry, Comparison) else Stated(entry, parse(entry))
