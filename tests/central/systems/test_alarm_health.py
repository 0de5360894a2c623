"""Alarm-system health against a set of alarms that was counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from central.live.alarm_health import health
from central.security.sight import Sight
from central.store.base import Database
from central.systems.monitoring.alarm_health import AlarmHealthDesk
from protocols.model.clock import from_datetime

T = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
UNTIL = T + timedelta(hours=2)

ALARM = """
INSERT INTO alarms (id, gateway, declaration, rule_id, point, device, site, name_zh, name_en, kind, priority,
    category, "limit", deadband, unit, state, number, raised_at, cleared_at, acked_at, acked_by, closed_at,
    late)
VALUES (%(id)s, 'gw', 'd', %(rule)s, 'gw.p', 'gw.d', %(site)s, '甲', 'A', 'hi', %(priority)s, 'equipment', 1,
    0, 'm', 'UNACK', 1, %(at)s, %(cleared)s, %(acked)s, 'li', NULL, false)
"""
STEP = """
INSERT INTO alarm_journal (alarm, at, recorded_at, event, from_state, to_state, actor, comment, late, hidden)
VALUES (%s, %s, %s, %s, 'NORM', %s, 'gw', '', %s, %s)
"""


class _Book:
    """Writes alarms and their journal as they would stand after a day."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last = 0

    async def alarm(
        self, rule: str, minute: float, lasts_s: float | None, priority: str = "P4", site: str = "north",
        *, late: bool = False, hidden: bool = False, acked_s: float = 30,
    ) -> None:  # fmt: skip
        """One occurrence, raised so many minutes after T, active for so many seconds (None: still)."""
        self._last += 1
        at = T + timedelta(minutes=minute)
        name, cleared = f"o{self._last}", None if lasts_s is None else at + timedelta(seconds=lasts_s)
        async with self._database.pool.connection() as connection:
            await connection.execute(
                ALARM,
                {
                    "id": name, "rule": rule, "site": site, "priority": priority, "at": at,
                    "cleared": cleared, "acked": at + timedelta(seconds=acked_s),
                },
            )  # fmt: skip
            await connection.execute(STEP, (name, at, at, "ACT", "UNACK", late, hidden))
            if cleared is not None:
                await connection.execute(STEP, (name, cleared, cleared, "CLR", "RTNUN", late, hidden))


async def test_figures_of_two_hours_counted_by_hand(database: Database) -> None:
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO gateways (id, name_zh, name_en, state, created_at)"
            " VALUES ('gw', '', '', 'active', %s)",
            (T,),
        )
    book = _Book(database)
    # 08:00 to 08:10: four calls. 08:20 to 08:30: twelve, a flood from 08:29 on.
    for minute in (0.5, 3, 6, 9.5):
        await book.alarm("d.slow", minute, 60)
    for place in range(12):
        await book.alarm(f"d.storm{place}", 20 + place * 0.8, 600, "P3")
    # Chatters: three calls and three returns within five minutes, each active for 20 s.
    for place in range(3):
        await book.alarm("d.chatter", 60 + place, 20, "P2")
    # Fleeting: five seconds, and not again; what comes again within the minute is not fleeting.
    await book.alarm("d.fleeting", 80, 5, "P1", acked_s=90)
    await book.alarm("d.again", 90, 5)
    await book.alarm("d.again", 90.5, 300)
    # Stood since the day before; one that nobody could hear, one from a backlog, one of another site.
    await book.alarm("d.old", -1500, None)
    await book.alarm("d.hidden", 100, 60, hidden=True)
    await book.alarm("d.late", 101, 60, late=True)
    await book.alarm("d.south", 102, 60, "P4", "south")

    async with database.session() as session:
        found = await health(session, T, UNTIL, 1, frozenset({"north"}))
    assert (found.calls, found.slots, found.peak, found.slots_above) == (22, 12, 12, 1)
    # More than ten within the last ten minutes first at 08:29, fewer than five first at 08:36.
    assert (found.floods, found.minutes) == (1, 121)
    assert found.flood_minutes == 7
    assert (found.chattering, found.fleeting) == (1, 1)
    assert found.stale == 1
    assert found.standing_max == 13
    stood = 7200 + 4 * 60 + 12 * 600 + 3 * 20 + 5 + 5 + 300 + 60 + 60
    assert abs(found.standing_mean - stood / 7200) < 1e-9
    assert [(one.rule, one.calls) for one in found.offenders][:3] == [
        ("d.slow", 4), ("d.chatter", 3), ("d.again", 2),
    ]  # fmt: skip
    assert found.by_priority == {"P1": 1, "P2": 3, "P3": 12, "P4": 6}
    times = {item.priority: item for item in found.answered}
    assert (times["P1"].ack_median_s, times["P1"].return_median_s) == (90.0, 5.0)
    assert times["P3"].return_p90_s == 600.0

    desk = AlarmHealthDesk(database, lambda: from_datetime(UNTIL), 1)
    told = await desk.health(T, None, Sight(frozenset({"north"})))
    marks: dict[str, tuple[object, object]] = {f.code: (f.value, f.mark) for f in told.figures}
    assert marks["rate"] == (round(22 / 12, 3), "fair")
    assert marks["peak"] == (12, "fair")
    assert marks["slots_above"] == (8.33, "poor")
    assert marks["flood"] == (5.79, "poor")
    assert marks["stale"] == (1, "good")
    assert marks["top10"] == (round(100 * 16 / 22, 2), "poor")
    assert sum(share.calls for share in told.priorities) == told.calls == 22
    two = await AlarmHealthDesk(database, lambda: from_datetime(UNTIL), 2).health(T, None, Sight())
    assert {figure.code: figure.value for figure in two.figures}["rate"] == round(23 / 12 / 2, 3)


async def test_where_nothing_happened_there_is_no_share(database: Database) -> None:
    told = await AlarmHealthDesk(database, lambda: from_datetime(UNTIL), 1).health(T, UNTIL, Sight())
    figures: dict[str, tuple[object, object]] = {f.code: (f.value, f.mark) for f in told.figures}
    assert figures["top10"] == (None, None)
    assert figures["rate"] == (0, "good")
    assert {share.share for share in told.priorities} == {None}
