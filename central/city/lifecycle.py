"""The life of a site, gateway or device: planned 规划, active 在用, maintenance 检修, retired 退役."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from protocols.errors import Rejected


class Lifecycle(StrEnum):
    """Where a thing stands. People say so; a gateway that declares a planned thing makes it active."""

    PLANNED = "planned"
    ACTIVE = "active"
    MAINTENANCE = "maintenance"
    RETIRED = "retired"


MOVES: Final[Mapping[Lifecycle, tuple[Lifecycle, ...]]] = {
    Lifecycle.PLANNED: (Lifecycle.ACTIVE, Lifecycle.RETIRED),
    Lifecycle.ACTIVE: (Lifecycle.MAINTENANCE, Lifecycle.RETIRED),
    Lifecycle.MAINTENANCE: (Lifecycle.ACTIVE, Lifecycle.RETIRED),
    Lifecycle.RETIRED: (Lifecycle.PLANNED, Lifecycle.ACTIVE),
}
"""A retired thing may be planned anew or taken back into use; nothing in use was ever only planned again."""


def check_move(before: Lifecycle, after: Lifecycle) -> None:
    """Raise Rejected(`lifecycle`) where one state does not follow the other."""
    if after not in MOVES[before]:
        possible = ", ".join(MOVES[before])
        raise Rejected("lifecycle", f"{before} cannot become {after}; possible now: {possible}")
