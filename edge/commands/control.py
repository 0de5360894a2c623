"""What the gateway file says about controlling: guards, selections and travel times, by point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.commands.condition import condition
from edge.commands.interlock import Guard, groups, mutual
from edge.config.acting import InterlockEntry
from edge.config.bind import Plan
from protocols.model.clock import SECOND_US

DEFAULT_SELECT_S = 30.0


@dataclass(frozen=True, slots=True)
class Control:
    """How one point is commanded."""

    guard: Guard
    select: bool
    select_us: int
    travel_s: float
    group: str
    """Points of one group are written one after the other, so that both of a pair never start at once."""


class Controls:
    """How every point of a plan is commanded; a point without an interlock as its profile says."""

    def __init__(self, plan: Plan) -> None:
        entries = {entry.point: entry for entry in plan.loaded.entry.interlocks}
        excludes = mutual({point: entry.excludes for point, entry in entries.items()})
        group = groups(excludes)
        self._plan = plan
        self._known: dict[str, Control] = {}
        for point in {*entries, *excludes}:
            profile = plan.points[plan.indexes[point]].profile
            entry = entries.get(point) or InterlockEntry(point=point)
            self._known[point] = Control(
                guard=Guard(
                    permit=tuple(condition(one) for one in entry.permit),
                    permit_for=entry.permit_for,
                    excludes=excludes.get(point, ()),
                    min_on_us=round(entry.min_on_s * SECOND_US),
                    min_off_us=round(entry.min_off_s * SECOND_US),
                    why=f"{entry.why.zh} / {entry.why.en}" if entry.why else "",
                ),
                select=profile.select if entry.select is None else entry.select,
                select_us=round(entry.select_s * SECOND_US),
                travel_s=profile.travel_s if entry.travel_s is None else entry.travel_s,
                group=group.get(point, point),
            )

    def of(self, name: str) -> Control:
        """Return how `device.point` is commanded."""
        known = self._known.get(name)
        if known is not None:
            return known
        profile = self._plan.points[self._plan.indexes[name]].profile
        return Control(Guard(), profile.select, round(DEFAULT_SELECT_S * SECOND_US), profile.travel_s, name)

    def timed(self) -> Mapping[str, Guard]:
        """Return the guards whose points must be watched: since when are they on or off?"""
        return {name: control.guard for name, control in self._known.items() if control.guard.timed}
