"""Alarm-system health as people read it: every figure beside its target, marked good, fair or poor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from central.kernel.problem import Problem
from central.kernel.shapes import Name, PriorityCode, Shape
from central.live.alarm_health import Health, health
from central.security.sight import Sight
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

Mark = Literal["good", "fair", "poor"]
LONGEST: Final = timedelta(days=366)
SHARES: Final[Mapping[PriorityCode, float]] = {"P1": 1.0, "P2": 5.0, "P3": 15.0, "P4": 80.0}
"""Target share of calls by priority, percent (alarms.md section 7; highest below 1 %)."""


class Figure(Shape):
    """One figure with what it should be."""

    code: str = Field(
        description="rate, peak, slots_above, flood, chattering, fleeting, stale, standing, top10"
    )
    value: float | None = Field(description="null where there is nothing to divide by")
    unit: str = Field(description="UCUM, 1 for a count")
    good: float = Field(description="up to here it is good")
    fair: float = Field(description="up to here it is bearable; above it is poor")
    mark: Mark | None


class Share(Shape):
    """The share of one priority."""

    priority: PriorityCode
    calls: int
    share: float | None = Field(description="percent of all calls")
    target: float = Field(description="percent")
    mark: Mark | None = Field(description="within 5 points good, within 15 fair")
    ack_median_s: float | None
    ack_p90_s: float | None
    return_median_s: float | None
    return_p90_s: float | None


class OffenderOut(Shape):
    """An alarm that called often."""

    gateway: str
    rule: str
    name: Name
    priority: PriorityCode
    calls: int
    share: float = Field(description="percent of all calls")


class AlarmHealth(Shape):
    """Alarm-system health of a period (EEMUA 191, ISA-18.2)."""

    from_at: datetime
    to_at: datetime
    positions: int = Field(description="operators who share the list; rates are for each of them")
    calls: int
    floods: int
    figures: list[Figure]
    priorities: list[Share]
    offenders: list[OffenderOut]


class AlarmHealthDesk:
    """Computes the figures of a period, within somebody's sight."""

    def __init__(self, database: Database, clock: Clock, positions: int) -> None:
        self._database = database
        self._clock = clock
        self._positions = positions

    async def health(self, from_at: datetime | None, to_at: datetime | None, sight: Sight) -> AlarmHealth:
        """Return the figures of a period, by default the last 30 days. Problem 422 `bad-span`."""
        until = to_at or to_datetime(self._clock())
        since = from_at or until - timedelta(days=30)
        if not timedelta(minutes=10) <= until - since <= LONGEST:
            detail = "Ask for a period of ten minutes to 366 days, `from` before `to`."
            raise Problem(422, "bad-span", "No such period", detail)
        async with self._database.session() as session:
            found = await health(session, since, until, self._positions, sight.sites)
        return AlarmHealth(
            from_at=since,
            to_at=until,
            positions=self._positions,
            calls=found.calls,
            floods=found.floods,
            figures=figures(found, self._positions),
            priorities=shares(found),
            offenders=[
                OffenderOut.model_validate(
                    {
                        "gateway": one.gateway,
                        "rule": one.rule,
                        "name": Name(zh=one.name_zh, en=one.name_en),
                        "priority": one.priority,
                        "calls": one.calls,
                        "share": _percent(one.calls, found.calls),
                    }
                )
                for one in found.offenders
            ],
        )


def figures(found: Health, positions: int) -> list[Figure]:
    """Return each figure beside its targets (alarms.md section 8)."""
    top = sum(one.calls for one in found.offenders)
    told: list[tuple[str, float | None, str, float, float]] = [
        ("rate", found.calls / found.slots / positions if found.slots else None, "/(10.min)", 1, 2),
        ("peak", found.peak / positions, "1", 10, 20),
        ("slots_above", _percent(found.slots_above, found.slots), "%", 1, 5),
        ("flood", _percent(found.flood_minutes, found.minutes), "%", 1, 5),
        ("chattering", found.chattering, "1", 0, 2),
        ("fleeting", found.fleeting, "1", 0, 5),
        ("stale", found.stale, "1", 4, 9),
        ("standing", found.standing_mean / positions, "1", 9, 20),
        ("top10", _percent(top, found.calls), "%", 5, 20),
    ]
    return [
        Figure(
            code=code,
            value=None if value is None else round(value, 3),
            unit=unit,
            good=good,
            fair=fair,
            mark=None if value is None else "good" if value <= good else "fair" if value <= fair else "poor",
        )
        for code, value, unit, good, fair in told
    ]


def shares(found: Health) -> list[Share]:
    """Return the shares of the priorities; their calls add up to all of them."""
    answered = {item.priority: item for item in found.answered}
    told = []
    for priority, target in SHARES.items():
        calls = found.by_priority.get(priority, 0)
        share = _percent(calls, found.calls)
        off = None if share is None else abs(share - target)
        times = answered.get(priority)
        told.append(
            Share(
                priority=priority,
                calls=calls,
                share=share,
                target=target,
                mark=None if off is None else "good" if off <= 5 else "fair" if off <= 15 else "poor",
                ack_median_s=times.ack_median_s if times else None,
                ack_p90_s=times.ack_p90_s if times else None,
                return_median_s=times.return_median_s if times else None,
                return_p90_s=times.return_p90_s if times else None,
            )
        )
    return told


def _percent(part: float, whole: float) -> float | None:
    return round(100 * part / whole, 2) if whole else None
