"""Alarm-system health (EEMUA 191, ISA-18.2 section 16): figures of a period, from the journal in SQL.

What counts, by alarms.md section 8: a call is an entry into UNACK by ACT that somebody could hear (nothing
lay over the alarm, it did not come out of a backlog, it was not acknowledged by itself); repeated calls
(REALARM) are left out. Rates are per operator position. Slots are ten minutes, aligned to the clock; a flood
is found by a rolling window in steps of one minute: it begins above 10 calls in 10 minutes and ends below 5.
Chattering: more than 5 changes of state of one alarm within 5 minutes. Fleeting: active for less than 10 s
and not raised again within 60 s. Stale: active for more than 24 h at the period's end. Where there is nothing
to divide by, a share is None and never 0 or 100 %.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

CALLS: Final = """
calls AS (
    SELECT j.at, a.gateway, a.rule_id, a.priority, a.name_zh, a.name_en
    FROM alarm_journal j JOIN alarms a ON a.id = j.alarm
    WHERE j.at >= :since AND j.at < :until AND j.event = 'ACT' AND j.to_state = 'UNACK'
        AND NOT j.hidden AND NOT j.late AND (:everywhere OR a.site = ANY(:sites))
)
"""
"""The calls of the period: what every rate is made of."""

RATES: Final = """WITH CALLS,
slots AS (
    SELECT s AS begins, count(c.at) AS n
    FROM generate_series(date_bin('10 min', CAST(:since AS timestamptz), 'epoch'),
        CAST(:until AS timestamptz) - interval '1 us', interval '10 min') s
    LEFT JOIN calls c ON c.at >= s AND c.at < s + interval '10 min'
    GROUP BY s
)
SELECT (SELECT count(*) FROM calls), count(*), max(n), count(*) FILTER (WHERE n > 10 * :positions) FROM slots
""".replace("CALLS", CALLS)
"""Calls; ten-minute slots, the largest of them, and how many were above ten per position."""

FLOODS: Final = """WITH CALLS,
minutes AS (
    SELECT m, count(c.at) AS n
    FROM generate_series(date_trunc('minute', CAST(:since AS timestamptz)), CAST(:until AS timestamptz),
        interval '1 min') m
    LEFT JOIN calls c ON c.at >= m - interval '1 min' AND c.at < m
    GROUP BY m
),
rolling AS (
    SELECT m, sum(n) OVER (ORDER BY m ROWS 9 PRECEDING) AS n FROM minutes
),
decided AS (
    SELECT m, CASE WHEN n > 10 * :positions THEN 1 WHEN n < 5 * :positions THEN 0 END AS verdict FROM rolling
),
carried AS (
    SELECT m, verdict, count(verdict) OVER (ORDER BY m) AS part FROM decided
),
states AS (
    SELECT m, coalesce(max(verdict) OVER (PARTITION BY part), 0) AS flood FROM carried
),
edges AS (
    SELECT m, flood, lag(flood, 1, 0) OVER (ORDER BY m) AS was FROM states
)
SELECT count(*) FILTER (WHERE flood = 1), count(*) FILTER (WHERE flood = 1 AND was = 0), count(*) FROM edges
""".replace("CALLS", CALLS)
"""Minutes in flood, floods, and minutes looked at."""

RESTLESS: Final = """
WITH changes AS (
    SELECT j.at, j.event, a.gateway, a.rule_id,
        lag(j.at, 5) OVER rule AS fifth, lead(j.at) OVER rule AS next_at, lead(j.event) OVER rule AS next,
        lead(j.at, 2) OVER rule AS again_at, lead(j.event, 2) OVER rule AS again
    FROM alarm_journal j JOIN alarms a ON a.id = j.alarm
    WHERE j.at >= :since AND j.at < :until AND j.event IN ('ACT', 'CLR') AND j.actor <> 'system'
        AND (:everywhere OR a.site = ANY(:sites))
    WINDOW rule AS (PARTITION BY a.gateway, a.rule_id ORDER BY j.at, j.id)
)
SELECT count(DISTINCT (gateway, rule_id)) FILTER (WHERE at - fifth <= interval '5 min'),
    count(*) FILTER (WHERE event = 'ACT' AND next = 'CLR' AND next_at - at < interval '10 s'
        AND NOT (again IS NOT DISTINCT FROM 'ACT' AND again_at - at <= interval '60 s'))
FROM changes
"""
"""Alarms that chattered; fleeting occurrences."""

STANDING: Final = """
WITH spans AS (
    SELECT greatest(raised_at, :since) AS begins,
        least(coalesce(cleared_at, closed_at, :until), :until) AS ends,
        coalesce(cleared_at, closed_at, :until) >= :until AND raised_at <= :until - interval '24 h' AS stale
    FROM alarms
    WHERE raised_at < :until AND coalesce(cleared_at, closed_at, 'infinity') > :since
        AND (:everywhere OR site = ANY(:sites))
),
edges AS (
    SELECT begins AS at, 1 AS step FROM spans UNION ALL SELECT ends, -1 FROM spans WHERE ends < :until
),
counted AS (
    SELECT sum(step) OVER (ORDER BY at, step) AS standing FROM edges
)
SELECT coalesce(sum(extract(epoch FROM ends - begins)), 0), coalesce((SELECT max(standing) FROM counted), 0),
    count(*) FILTER (WHERE stale)
FROM spans
"""
"""Seconds that alarms stood active, the most at one time, and those that had stood for a day at the end."""

OFFENDERS: Final = """WITH CALLS
SELECT gateway, rule_id, min(name_zh), min(name_en), min(priority), count(*) FROM calls
GROUP BY gateway, rule_id ORDER BY count(*) DESC, gateway, rule_id LIMIT 10
""".replace("CALLS", CALLS)
"""The ten alarms that called most."""

PRIORITIES: Final = """WITH CALLS
SELECT priority, count(*) FROM calls GROUP BY priority
""".replace("CALLS", CALLS)
"""Calls by priority."""

ANSWERS: Final = """
SELECT priority,
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM acked_at - raised_at))
        FILTER (WHERE acked_by NOT IN ('auto', 'auto-clear', 'auto-unhidden', 'superseded')),
    percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY extract(epoch FROM cleared_at - raised_at))
FROM alarms
WHERE raised_at >= :since AND raised_at < :until AND (:everywhere OR site = ANY(:sites))
GROUP BY priority ORDER BY priority
"""
"""Median and 90th percentile (s) until somebody acknowledged, and until it was over, by priority."""


@dataclass(frozen=True, slots=True)
class Offender:
    """One of the alarms that called most."""

    gateway: str
    rule: str
    name_zh: str
    name_en: str
    priority: str
    calls: int


@dataclass(frozen=True, slots=True)
class Answered:
    """How long an answer and the return to normal took, seconds; None where there was none."""

    priority: str
    ack_median_s: float | None
    ack_p90_s: float | None
    return_median_s: float | None
    return_p90_s: float | None


@dataclass(frozen=True, slots=True)
class Health:
    """The raw figures of a period."""

    calls: int
    slots: int
    peak: int
    slots_above: int
    flood_minutes: int
    floods: int
    minutes: int
    chattering: int
    fleeting: int
    standing_mean: float
    standing_max: int
    stale: int
    offenders: list[Offender]
    by_priority: dict[str, int]
    answered: list[Answered]


async def health(
    session: AsyncSession, since: datetime, until: datetime, positions: int, sites: Set[str] | None
) -> Health:
    """Compute the figures of `[since, until)` for these sites (None: all), per operator positions."""
    asked = {"since": since, "until": until, "everywhere": sites is None, "sites": sorted(sites or ())}
    shared = {**asked, "positions": positions}
    rates = (await session.execute(text(RATES), shared)).one()
    floods = (await session.execute(text(FLOODS), shared)).one()
    restless = (await session.execute(text(RESTLESS), asked)).one()
    standing = (await session.execute(text(STANDING), asked)).one()
    offenders = (await session.execute(text(OFFENDERS), asked)).all()
    priorities = (await session.execute(text(PRIORITIES), asked)).all()
    answers = (await session.execute(text(ANSWERS), asked)).all()
    return Health(
        calls=rates[0],
        slots=rates[1],
        peak=rates[2] or 0,
        slots_above=rates[3],
        flood_minutes=floods[0],
        floods=floods[1],
        minutes=floods[2],
        chattering=restless[0],
        fleeting=restless[1],
        standing_mean=float(standing[0]) / (until - since).total_seconds(),
        standing_max=int(standing[1]),
        stale=standing[2],
        offenders=[Offender(*row) for row in offenders],
        by_priority={row[0]: row[1] for row in priorities},
        answered=[Answered(row[0], *_pair(row[1]), *_pair(row[2])) for row in answers],
    )


def _pair(found: list[float | None] | None) -> tuple[float | None, float | None]:
    return (found[0], found[1]) if found else (None, None)
