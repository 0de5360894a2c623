"""The quiet digest: what was too much to send one by one goes as one message, once the flood lets it.

A receiver who got all that his channel allows within a minute has the rest held for him. A minute after the
first was held, if his channel allows a message again, everything held goes as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import AsyncConnection

from central.notices.bodies import Lang, Target
from central.notices.deliveries import Deliveries
from central.notices.facts import local, priority
from central.notices.templates import Templates, filled
from central.notices.writing import Writer
from central.store.base import Database
from protocols.model.clock import Clock, to_datetime

GATHER: Final = timedelta(minutes=1)
LISTED: Final = 20
"""Messages whose subjects a digest shows, the worst first."""

HELD = """
SELECT item, recipient, lang, count(*) FROM deliveries WHERE state = 'held'
GROUP BY item, recipient, lang HAVING min(made_at) <= %s
"""
MEMBERS = """
SELECT h.id, h.priority, coalesce(s.name_zh, h.site, ''), coalesce(s.name_en, h.site, ''), h.subject,
    h.made_at
FROM deliveries h LEFT JOIN sites s ON s.id = h.site
WHERE h.state = 'held' AND h.item = %s AND h.recipient = %s AND h.lang = %s
ORDER BY h.priority NULLS LAST, h.made_at
"""
FOLD = "UPDATE deliveries SET state = 'digested', digest = %s, ended_at = %s WHERE id = ANY(%s)"
ITEMS = "SELECT id FROM notice_items WHERE kind = 'channel'"
GIVE_UP = "UPDATE deliveries SET state = 'given_up', ended_at = %s WHERE state = 'held' AND item = ANY(%s)"


class Digests:
    """Makes digests of what is held; run inside a turn, so that one centre does it."""

    def __init__(
        self, database: Database, clock: Clock, templates: Templates, deliveries: Deliveries
    ) -> None:
        self._database = database
        self._clock = clock
        self._templates = templates
        self._deliveries = deliveries

    async def turn(
        self, connection: AsyncConnection[Any], writer: Writer, zone: str = "Asia/Shanghai"
    ) -> int:
        """Send what has been held long enough; returns how many digests."""
        now = to_datetime(self._clock())
        made = 0
        for item, recipient, lang, _ in await (await connection.execute(HELD, (now - GATHER,))).fetchall():
            members = await (await connection.execute(MEMBERS, (item, recipient, lang))).fetchall()
            text = filled(writer.texts["digest", lang], summary(members, lang, zone))
            target = Target(channel=item, to=[recipient] if recipient else [], lang=lang)
            source = f"digest:{members[0][0]}"
            sent = list(writer.plain(target, "digest", text, source))
            if not sent:  # the channel is gone or switched off
                await connection.execute(GIVE_UP, (now, [item]))
                continue
            ids = [member[0] for member in members]
            await connection.execute(FOLD, (sent[0].id, now, ids))
            made += len(await self._deliveries.put(connection, sent))
        return made


def summary(members: Sequence[tuple[Any, ...]], lang: Lang, zone: str) -> dict[str, str]:
    """Return what the template of a digest may use, from (id, priority, site zh, en, subject, time)."""
    counts = Counter(member[1] for member in members if member[1])
    places = Counter(str(member[2 if lang == "zh" else 3]) for member in members)
    times: list[datetime] = [member[5] for member in members]
    comma = "，" if lang == "zh" else ", "
    named = [f"{place} {number}" for place, number in places.most_common(5) if place]
    more = len(places) - 5
    if more > 0:
        named.append(f"等 {more} 处" if lang == "zh" else f"{more} more")
    return {
        "count": str(len(members)),
        "by_priority": comma.join(f"{priority(code, lang)}: {counts[code]}" for code in sorted(counts)),
        "first_at": local(min(times), zone),
        "last_at": local(max(times), zone),
        "sites": comma.join(named),
        "worst": "\n".join(str(member[4]) for member in members[:LISTED]),
    }
