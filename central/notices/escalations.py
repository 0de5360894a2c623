"""Escalations under way: one row per rule and alarm, from when it calls until somebody has answered.

An `unacknowledged` subscription is an escalation of one step. The row and what it sends change together, so
neither a second centre nor a restart sends a step again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from central.notices.bodies import Escalation, EscalationStep, Subscription, Until
from central.notices.book import Item
from central.notices.deliveries import Delivery
from central.notices.facts import ALARM_COLUMNS, ALARM_JOINS, Alarm
from central.notices.plan import Plan, ended
from central.notices.writing import Writer
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

BATCH: Final = 500

BEGIN = """
INSERT INTO alarm_escalations (rule, rule_name, alarm, started_at, next_at)
VALUES (%(rule)s, %(name)s, %(alarm)s, %(now)s, %(next)s)
ON CONFLICT (rule, alarm) WHERE ended_at IS NULL DO NOTHING
"""
TOUCHED = """
UPDATE alarm_escalations SET next_at = %s WHERE ended_at IS NULL AND alarm = ANY(%s)
"""
"""After a step of its alarm an escalation is looked at in this turn, whether or not it is due."""
DUE = f"""
SELECT e.id, e.rule, e.started_at, e.fired, e.last_step, e.last_at, {ALARM_COLUMNS}
FROM alarm_escalations e JOIN alarms a ON a.id = e.alarm {ALARM_JOINS}
WHERE e.ended_at IS NULL AND e.next_at <= %s ORDER BY e.next_at, e.id LIMIT {BATCH}
"""  # noqa: S608 - made of constants
END = "UPDATE alarm_escalations SET ended_at = %s, ended_why = %s, next_at = NULL WHERE id = %s"
GO_ON = """
UPDATE alarm_escalations SET fired = %s, last_step = %s, last_at = %s, next_at = %s WHERE id = %s
"""
OF = """
SELECT rule, rule_name, started_at, fired, last_step, last_at, next_at, ended_at, ended_why
FROM alarm_escalations WHERE alarm = %s ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class Escalating:
    """An escalation of an alarm, as people see it. last_step counts from 0; fired: messages that are over."""

    rule: int
    rule_name: str
    started_at: datetime
    fired: int
    last_step: int | None
    last_at: datetime | None
    next_at: datetime | None
    ended_at: datetime | None
    ended_why: str


def steps_of(item: Item) -> tuple[Sequence[EscalationStep], Plan, Until]:
    """Return the steps of a rule, when they come, and until when."""
    body = item.body
    if isinstance(body, Escalation):
        repeat = timedelta(minutes=body.repeat_minutes) if body.repeat_minutes else None
        return (
            body.steps,
            Plan([timedelta(minutes=step.after_minutes) for step in body.steps], repeat),
            body.until,
        )
    assert isinstance(body, Subscription)  # noqa: S101 - nothing else escalates
    step = EscalationStep(after_minutes=body.after_minutes, targets=body.targets)
    return [step], Plan([timedelta(minutes=body.after_minutes)], None), "acknowledged_or_cleared"


def upcoming(one: Escalating, rule: Item | None) -> tuple[int, EscalationStep] | None:
    """Return the step, from 0, that comes at `next_at`; None where nothing comes any more."""
    if rule is None or one.next_at is None or not isinstance(rule.body, Escalation | Subscription):
        return None
    steps = steps_of(rule)[0]
    step = min(one.fired, len(steps) - 1)
    return step, steps[step]


class Escalations:
    """Begins, advances and ends them, always inside the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def begin(self, connection: AsyncConnection[Any], rule: Item, alarm: Alarm) -> None:
        """Begin an escalation of this alarm, unless it is under way."""
        now = to_datetime(self._clock())
        first = steps_of(rule)[1].at(0, now)
        await connection.execute(
            BEGIN, {"rule": rule.id, "name": rule.name, "alarm": alarm.id, "now": now, "next": first}
        )

    async def touched(self, connection: AsyncConnection[Any], alarms: Sequence[str]) -> None:
        """Have the escalations of these alarms looked at in this turn."""
        if alarms:
            await connection.execute(TOUCHED, (to_datetime(self._clock()), list(alarms)))

    async def advance(
        self, connection: AsyncConnection[Any], rules: Mapping[int, Item], writer: Writer | None
    ) -> list[Delivery]:
        """Do what is due now: end what has been answered, and return what the others send."""
        now = to_datetime(self._clock())
        found: list[Delivery] = []
        for row in await (await connection.execute(DUE.encode(), (now,))).fetchall():
            number, rule_id, started, fired, last_step, last_at = row[:6]
            alarm, rule = Alarm(*row[6:]), rules.get(rule_id)
            if rule is None or writer is None or not isinstance(rule.body, Escalation | Subscription):
                await connection.execute(END, (now, "rule-gone", number))
                continue
            steps, plan, until = steps_of(rule)
            why = ended(until, alarm.state, closed=alarm.closed_at is not None, covered=bool(alarm.covers))
            if why is not None:
                await connection.execute(END, (now, why, number))
                continue
            for fire in plan.due(started, fired, now):
                event = "escalated" if isinstance(rule.body, Escalation) else "unacknowledged"
                source = f"{event}:{number}:{fire.upto}"
                step = steps[fire.step]
                found += writer.alarm(step.targets, event, alarm, rule, source, rule.body.zone, fire.step)
                fired, last_step, last_at = fire.upto, fire.step, now
            await connection.execute(GO_ON, (fired, last_step, last_at, plan.at(fired, started), number))
        return found


async def of_alarm(database: Database, alarm: str) -> list[Escalating]:
    """Return every escalation that there was of an alarm."""
    async with database.pool.connection() as connection:
        rows = await (await connection.execute(OF, (alarm,))).fetchall()
    return [Escalating(*row) for row in rows]  # type: ignore[arg-type]  # as the query has them
