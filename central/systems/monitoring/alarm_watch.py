"""What the desk does by itself: windows begin and end, an offline gateway mutes its own, a flood folds.

Called by a timer. Each step is one transaction; what calls again, or anew, opens events as any alarm does.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.casebook.models import RaisedAlarm
from central.casebook.service import alarms_raised
from central.city.registry import City, Registry
from central.kernel.bus import Bus
from central.link.gateways import ONLINE_US, Gateways
from central.live import alarm_covers, alarm_folds, alarm_own
from central.live.alarm_covers import MUTED_KINDS, SYSTEM
from central.live.alarm_rows import AlarmRow
from central.live.alarms import AlarmBoard
from central.live.desk_rows import CoverRow
from central.store.base import Database
from central.systems.monitoring.alarm_desk import Desk
from central.systems.monitoring.schemas_desk import News
from protocols.model.alarm import Priority
from protocols.model.clock import SECOND_US, Clock, from_datetime, to_datetime

log = structlog.get_logger(__name__)

TURN_S = 1.0
MISSED_S = ONLINE_US / SECOND_US
GRACE_S = 60.0
"""After the centre's own start gateways have so long (s) to be heard again before they count as offline."""
OVER = "its time is over"
HEARD = "the gateway is heard again"


class DeskWatch:
    """One turn a second: covers by the clock, inhibition by the gateways' presence, the flood by its rate."""

    def __init__(
        self,
        desk: Desk,
        *,
        board: AlarmBoard,
        gateways: Gateways,
        registry: Registry,
        database: Database,
        bus: Bus,
        clock: Clock,
    ) -> None:
        self._desk = desk
        self._board = board
        self._gateways = gateways
        self._registry = registry
        self._database = database
        self._bus = bus
        self._clock = clock
        self._started = time.monotonic()

    async def turn(self) -> None:
        """Do what is due."""
        await self.by_clock()
        if time.monotonic() - self._started >= GRACE_S:
            await self.by_presence()
        await self.by_rate()

    async def by_clock(self) -> None:
        """Begin windows whose time has come, end those whose time is over."""
        now = to_datetime(self._clock())
        changed, acts, events = [], [], []
        async with self._database.session() as session:
            begins, ends = await alarm_covers.due(session, now)
            for cover in begins:
                changed += (await alarm_covers.begin(session, cover, now)).changed
            for cover in ends:
                laid = await alarm_covers.end(session, cover, now, SYSTEM, OVER)
                changed += laid.changed
                acts += laid.acts
                events += await self._call(session, laid.raised)
        if begins or ends:
            await self._tell(changed, events, "covers")
            await self._board.forward(acts)

    async def by_presence(self) -> None:
        """Mute what an offline gateway explains, and say that it is offline; end it when it is heard."""
        states = {view.id: view.state for view in await self._gateways.list()}
        async with self._database.session() as session:
            known = {
                cover.gateway: cover.id
                for cover in await alarm_covers.in_force(session)
                if cover.kind == "inhibition"
            }
        down = {gateway for gateway, state in states.items() if state == "offline"}
        for gateway in sorted(down - set(known)):
            await self._gone(gateway)
        for gateway, cover in sorted((name or "", cover) for name, cover in known.items()):
            if gateway not in down:
                await self._back(gateway, cover)

    async def _gone(self, gateway: str) -> None:
        now, city = to_datetime(self._clock()), await self._registry.city()
        async with self._database.session() as session:
            cover = CoverRow(
                kind="inhibition", gateway=gateway, kinds=list(MUTED_KINDS), from_at=now, until_at=None,
                reason=f"{gateway} is offline", made_by=SYSTEM, made_at=now,
            )  # fmt: skip
            session.add(cover)
            await session.flush()
            changed = (await alarm_covers.begin(session, cover, now)).changed
            made = await alarm_own.raise_offline(session, gateway, site_of(city, gateway), MISSED_S, now)
            events = []
            if made is not None:
                row, ids = made
                for other in await alarm_covers.in_force(session):
                    if alarm_covers.matches(other, row):
                        alarm_covers.put(row, other)
                changed += ids
                events = await self._call(session, [] if row.hidden else [row])
        log.info("gateway.inhibits", gateway=gateway, alarms=len(changed))
        await self._tell(changed, events, "covers")

    async def _back(self, gateway: str, cover_id: int) -> None:
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            cover = await session.get(CoverRow, cover_id, with_for_update=True)
            if cover is None or cover.ended_at is not None:
                return
            laid = await alarm_covers.end(session, cover, now, SYSTEM, HEARD)
            changed = laid.changed + await alarm_own.clear_offline(session, gateway, now)
            events = await self._call(session, laid.raised)
        await self._tell(changed, events, "covers")
        await self._board.forward(laid.acts)

    async def by_rate(self) -> None:
        """Begin, feed or end the flood's fold."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            folded, moved = await alarm_folds.turn(session, now, self._desk.positions)
        if moved:
            await self._desk.tell(folded, "folds")

    async def _call(self, session: AsyncSession, raised: Sequence[AlarmRow]) -> list[object]:
        """Open or join events for what calls now."""
        called = [
            RaisedAlarm(
                id=row.id,
                rule=row.rule_id,
                name_zh=row.name_zh,
                name_en=row.name_en,
                point=row.point,
                device=row.device,
                site=row.site,
                priority=_priority(row),
                category=row.category,
                raised_us=from_datetime(row.raised_at),
            )
            for row in raised
        ]
        return list(await alarms_raised(session, called, now=to_datetime(self._clock())))

    async def _tell(self, changed: Sequence[str], events: Sequence[object], what: News) -> None:
        await self._desk.tell(list(dict.fromkeys(changed)), what)
        for event in events:
            self._bus.publish("event", event)


def _priority(row: AlarmRow) -> Priority:
    match row.priority:
        case "P1" | "P2" | "P3" | "P4" as known:
            return known
        case other:
            raise ValueError(f"alarm {row.id} has priority {other!r}")


def site_of(city: City, gateway: str) -> str:
    """Return where a gateway stands: the site of its own device, else of most of its devices, else empty."""
    its = [device for device in city.devices.values() if device.gateway == gateway and not device.retired]
    own = [device.site for device in its if device.key == "_gateway"]
    most = Counter(own or (device.site for device in its)).most_common(1)
    return most[0][0] if most else ""
