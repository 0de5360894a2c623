"""Who commands: it decides which rules of precedence a command has to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a command comes from. Local manual mode > a person within `hold_us` > an action.

    hold_us: an action gives way to a person's command that is no older. force: it does not. outranked
    returns the key of an action that stands above this one on the point, or None.
    """

    kind: Literal["centre", "local", "action"]
    hold_us: int = 0
    force: bool = False
    outranked: Callable[[str], str | None] = lambda point: None


CENTRE = Origin("centre")
LOCAL = Origin("local")
