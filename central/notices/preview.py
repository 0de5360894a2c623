"""What a template would say of a real alarm."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Final

from central.kernel.problem import not_found
from central.notices.bodies import Lang
from central.notices.facts import ALARM_COLUMNS, ALARM_JOINS, Alarm, local, values
from central.notices.templates import filled
from central.notices.texts import ALARM, FIELDS
from central.notices.words import Text
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

NEWEST = f"""
SELECT {ALARM_COLUMNS} FROM alarms a {ALARM_JOINS}
WHERE (%(alarm)s::text IS NULL OR a.id = %(alarm)s) AND (%(sites)s::text[] IS NULL OR a.site = ANY(%(sites)s))
ORDER BY a.raised_at DESC LIMIT 1
"""  # noqa: S608 - made of constants
SAMPLES: Final[Mapping[str, Mapping[str, str]]] = {
    "digest": {"count": "120", "by_priority": "P1: 2, P3: 118", "sites": "…", "worst": "…"},
    "webhook_disabled": {"webhook": "…", "url": "https://city.example/hook", "error": "503"},
    "test": {"channel": "…", "by": "…"},
}
"""For templates that are not about one alarm."""


async def preview(
    database: Database, text: Text, name: str, lang: Lang, *, clock: Clock, alarm: str | None,
    sites: Set[str] | None, zone: str = "Asia/Shanghai",
) -> tuple[Text, str | None]:  # fmt: skip
    """Return the message, and the occurrence that filled it: the one asked for, else the newest of `sites`.

    Problem 404 for an occurrence that is not there. Where there is none at all, places stay empty.
    """
    now = to_datetime(clock())
    if FIELDS[name] is not ALARM:
        return filled(text, {**_times(now, zone), **SAMPLES[name]}), None
    asked = {"alarm": alarm, "sites": None if sites is None else sorted(sites)}
    async with database.pool.connection() as connection:
        row = await (await connection.execute(NEWEST.encode(), asked)).fetchone()
    if row is None:
        if alarm is not None:
            raise not_found("alarm", alarm)
        return filled(text, {}), None
    found = Alarm(*row)  # type: ignore[arg-type]  # as the query has them
    return filled(text, values(found, lang, zone, now, 0)), found.id


def _times(now: datetime, zone: str) -> dict[str, str]:
    return dict.fromkeys(("at", "first_at", "last_at", "since"), local(now, zone))
