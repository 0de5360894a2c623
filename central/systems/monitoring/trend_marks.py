"""What happened to points while a trend runs: alarms that stood, commands that were sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import or_, select

from central.city.registry import PointRecord
from central.link.command_rows import CommandRow
from central.live.alarms import AlarmRow
from central.security.sight import Sight
from central.store.base import Database
from central.store.reach import among, at_sites
from central.systems.monitoring.schemas_past import AlarmMark, CommandMark, Marks
from protocols.model.clock import to_datetime

MOST: Final = 300


async def marks(
    database: Database, points: Sequence[PointRecord], span: tuple[int, int], sight: Sight
) -> Marks:
    """Return the marks of points in `[from, to)`, µs; the caller has checked that the points are in sight.

    An alarm is where its device stood then: one of another site is not told to who does not see that.
    """
    from_us, to_us = span
    ids = [point.id for point in points]
    devices = sorted({point.device for point in points})
    start, end = to_datetime(from_us), to_datetime(to_us)
    alarms = (
        select(AlarmRow)
        .where(among(AlarmRow.device, devices), among(AlarmRow.point, ids), AlarmRow.raised_at < end)
        .where(*at_sites(AlarmRow.site, sight.sites))
        .where(or_(AlarmRow.cleared_at.is_(None), AlarmRow.cleared_at >= start))
        .where(or_(AlarmRow.closed_at.is_(None), AlarmRow.closed_at >= start))
        .order_by(AlarmRow.raised_at.desc(), AlarmRow.id.desc())
        .limit(MOST + 1)
    )
    commands = (
        select(CommandRow)
        .where(among(CommandRow.point, ids), CommandRow.issued_at >= start, CommandRow.issued_at < end)
        .order_by(CommandRow.issued_at.desc(), CommandRow.id.desc())
        .limit(MOST + 1)
    )
    async with database.session() as session:
        stood = (await session.scalars(alarms)).all()
        sent = (await session.scalars(commands)).all()
    return Marks(
        alarms=[
            AlarmMark.model_validate(
                {
                    "id": row.id,
                    "point": row.point,
                    "name": {"zh": row.name_zh, "en": row.name_en},
                    "priority": row.priority,
                    "raised_at": row.raised_at,
                    "cleared_at": row.cleared_at,
                }
            )
            for row in stood[:MOST]
        ],
        commands=[CommandMark.model_validate(row) for row in sent[:MOST]],
        truncated=len(stood) > MOST or len(sent) > MOST,
    )
