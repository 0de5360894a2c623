"""The story of a device on one time line: its alarms, commands, changes in the registry, and its silence.

What happened is read where it is kept. That a device fell silent or answered badly is kept nowhere: it is
seen in the minutes of its readings (rollups), for the last `SEEN_S` seconds, and is exact to a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from central.kernel.shapes import decode_cursor, encode_cursor
from central.live.latest import STALE_PERIODS
from central.security.sight import Sight
from central.store.base import Database
from protocols.model.clock import Clock, from_datetime, to_datetime

Kind = Literal["alarm", "command", "registry", "state"]
SEEN_S: Final = 48 * 3600
ROLLED_S: Final = 150
"""A minute of readings is rolled up by then; what is younger is not judged."""
MINUTE: Final = timedelta(minutes=1)

STORY: Final = """
SELECT at, key, kind, body FROM (
    (SELECT j.at, 'j' || lpad(j.id::text, 19, '0') AS key, 'alarm' AS kind, jsonb_build_object(
        'alarm', a.id, 'zh', a.name_zh, 'en', a.name_en, 'priority', a.priority, 'event', j.event,
        'from', j.from_state, 'to', j.to_state, 'actor', j.actor, 'comment', j.comment) AS body
    FROM alarm_journal j JOIN alarms a ON a.id = j.alarm
    WHERE a.device = %(device)s AND (%(sites)s::text[] IS NULL OR a.site = ANY(%(sites)s::text[]))
        AND (j.at, 'j' || lpad(j.id::text, 19, '0')) < (%(at)s, %(key)s)
    ORDER BY 1 DESC, 2 DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT c.issued_at, 'c' || c.id, 'command', jsonb_build_object(
        'command', c.id, 'point', c.point, 'value', c.value, 'unit', c.unit, 'state', c.state,
        'actor', c.issued_by, 'comment', c.detail)
    FROM commands c WHERE c.device = %(device)s AND (c.issued_at, 'c' || c.id) < (%(at)s, %(key)s)
    ORDER BY 1 DESC, 2 DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT r.at, 'r' || lpad(r.number::text, 19, '0'), 'registry', jsonb_build_object(
        'event', r.action, 'from', r.before ->> 'lifecycle', 'to', r.after ->> 'lifecycle',
        'fields', (SELECT coalesce(jsonb_agg(f ORDER BY f), '[]') FROM jsonb_object_keys(r.after) f),
        'actor', r.actor, 'comment', r.reason)
    FROM registry_changes r
    WHERE r.kind = 'device' AND r.thing = %(device)s
        AND (r.at, 'r' || lpad(r.number::text, 19, '0')) < (%(at)s, %(key)s)
    ORDER BY 1 DESC, 2 DESC LIMIT %(limit)s)
) story ORDER BY at DESC, key DESC LIMIT %(limit)s
"""
MINUTES: Final = """
SELECT bucket, bool_or(n > 0) FROM rollup_1m
WHERE series = ANY(%s) AND bucket >= %s GROUP BY bucket ORDER BY bucket
"""
"""The minutes in which a device said anything, and whether any of it was worth something."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened; `body` by kind, as `STORY` builds it."""

    at: datetime
    key: str
    kind: Kind
    body: dict[str, Any]


async def story(
    database: Database,
    clock: Clock,
    device: str,
    series: dict[int, float],
    *,
    sight: Sight,
    limit: int,
    cursor: str | None,
) -> tuple[list[Moment], str | None]:
    """Return a page of moments, newest first, and the cursor of the next; series: -> period, seconds.

    The caller has checked that the device is in sight; an alarm is told where the site is at which it was
    raised. Problem 400 for a cursor that was not made here.
    """
    now = to_datetime(clock())
    before = (now + timedelta(days=3650), "~") if cursor is None else decoded(cursor)
    asked: dict[str, Any] = {"device": device, "at": before[0], "key": before[1], "limit": limit + 1}
    asked["sites"] = None if sight.sites is None else sorted(sight.sites)
    since = now - timedelta(seconds=SEEN_S)
    async with database.pool.connection() as connection:
        rows: list[Any] = await (await connection.execute(STORY, asked)).fetchall()
        minutes: list[Any] = []
        if series and before[0] > since:
            minutes = await (await connection.execute(MINUTES, (list(series), since))).fetchall()
    quiet = timedelta(seconds=STALE_PERIODS * max(series.values(), default=0.0)) + MINUTE
    states = changes([(at, good) for at, good in minutes], quiet, now - timedelta(seconds=ROLLED_S))
    found = [Moment(*row) for row in rows] + [one for one in states if (one.at, one.key) < before]
    found.sort(key=lambda one: (one.at, one.key), reverse=True)
    page = found[:limit]
    following = encode_cursor(from_datetime(page[-1].at), page[-1].key) if len(found) > limit else None
    return page, following


def decoded(cursor: str) -> tuple[datetime, str]:
    """Return time and key of the last moment of the page before."""
    at_us, key = decode_cursor(cursor, int, str)
    return to_datetime(at_us), key


def changes(minutes: Sequence[tuple[datetime, bool]], quiet: timedelta, until: datetime) -> list[Moment]:
    """Return when a device fell silent (`stale`), gave nothing good (`fault`), and was well again (`active`).

    minutes: those with readings, rising, and whether any reading was good. quiet: the longest pause that is
    normal. What it was before the first minute is not known, so that one begins nothing.
    """
    found: list[Moment] = []
    state = ""

    def enter(new: str, at: datetime) -> None:
        nonlocal state
        if state and new != state:
            body = {"from": state, "to": new}
            found.append(Moment(at, f"s{from_datetime(at):020d}", "state", body))
        state = new

    last: datetime | None = None
    for at, good in minutes:
        if last is not None and at - last > quiet:
            enter("stale", last + MINUTE)
        enter("active" if good else "fault", at)
        last = at
    if last is not None and until - last > quiet:
        enter("stale", last + MINUTE)
    return found
