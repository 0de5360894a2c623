"""Evidence across gateways: of an alarm without a picture of its own gateway, a neighbour's camera takes one.

Whose cameras witness what is not decided here: each gateway's status tells down to which priority and how far
its file wants evidence (`pictures: alarms, near_m`), and a gateway that tells nothing is asked for nothing.

    raised, within WINDOW ──► the own gateway takes none, or took none within GRACE
        ──► the nearest living camera of another gateway ──► its rest is over, the minute has room
        ──► remembered (once per occurrence) ──► ordered

Alarms that wait for one camera share its next picture. In a flood only P1 and P2 are asked for. What does not
come to its turn within WINDOW goes without: a picture of later says nothing about the alarm.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

import structlog
from prometheus_client import Counter
from sqlalchemy import exists, func, select
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.ext.asyncio import AsyncSession

from central.city.records import City
from central.city.registry import Registry
from central.link.gateways import Gateways
from central.link.statuses import StatusView
from central.link.wishes import Wishes
from central.live import alarm_folds
from central.live.alarm_covers import SYSTEM
from central.live.alarm_rows import AlarmRow
from central.live.evidence_rows import EvidenceOrderRow
from central.live.latest import LatestBoard
from central.live.snapshot_rows import SnapshotRow
from central.store.base import Database
from central.systems.monitoring.alarm_around import CAMERA, Place, distance_m, place, stands
from central.systems.monitoring.condition import camera_state, judge_devices
from protocols.errors import Rejected
from protocols.model.alarm import Priority
from protocols.model.clock import Clock, to_datetime

log = structlog.get_logger(__name__)

TURN_S: Final = 1.0
WINDOW: Final = timedelta(seconds=60)
"""After the alarm was raised; one that arrives later came out of a backlog."""
GRACE: Final = timedelta(seconds=15)
"""So long a gateway with cameras of its own has for its own picture to arrive."""
REST: Final = timedelta(seconds=15)
"""Between two orders to one camera."""
A_MINUTE: Final = 30
"""Orders of the whole city in one minute."""
FARTHEST_M: Final = 2_000.0
"""Whatever a gateway's file says: beyond that no camera shows what happened."""
LOOKED_AT: Final = 200
"""Alarms in one turn, the most urgent and newest first."""
CALM_ONLY: Final = frozenset(alarm_folds.FOLDED)
"""What a flood folds is not asked for while it goes on."""

ASKED = Counter("citynerve_evidence_orders", "Pictures ordered of a neighbour's camera for alarms")

_LOCK: Final = 0x636E_0012


@dataclass(frozen=True, slots=True)
class Eye:
    """A camera that may be asked. least, near_m: what its gateway's file wants it to witness."""

    camera: str
    gateway: str
    key: str
    at: Place
    least: Priority
    near_m: float


@dataclass(frozen=True, slots=True)
class Raised:
    """An alarm that wants evidence."""

    id: str
    gateway: str
    device: str
    site: str
    priority: Priority
    raised_at: datetime


def nearest(here: Place, priority: Priority, own: str, eyes: Iterable[Eye]) -> Eye | None:
    """Return the nearest camera, not of gateway `own`, that may witness an alarm at this place, or None."""
    found: list[tuple[float, str, Eye]] = []
    for eye in eyes:
        if eye.gateway == own or priority > eye.least:
            continue
        way = distance_m(here, eye.at)
        if way <= min(eye.near_m, FARTHEST_M):
            found.append((way, eye.camera, eye))
    return min(found)[2] if found else None


class Witness:
    """One turn a second, one centre at a time."""

    def __init__(
        self,
        *,
        registry: Registry,
        latest: LatestBoard,
        gateways: Gateways,
        wishes: Wishes,
        database: Database,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._latest = latest
        self._gateways = gateways
        self._wishes = wishes
        self._database = database
        self._clock = clock

    async def turn(self) -> int:
        """Order what is wanted; return how many pictures."""
        now = to_datetime(self._clock())
        async with self._database.session() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                return 0
            alarms = await _unseen(session, now)
            asked = await self._remember(session, alarms, now) if alarms else {}
        for eye, order_id in asked.items():
            try:
                await self._wishes.picture(eye.gateway, eye.key, SYSTEM, order_id)
            except (KeyError, Rejected) as error:
                log.warning("evidence.not_ordered", camera=eye.camera, reason=str(error))
                continue
            ASKED.inc()
        return len(asked)

    async def _remember(
        self, session: AsyncSession, alarms: Sequence[Raised], now: datetime
    ) -> dict[Eye, str]:
        """Note which camera witnesses which alarm; return the cameras with the ids of their orders."""
        told = await self._gateways.statuses.list()
        city = await self._registry.city()
        left = [
            (alarm, here)
            for alarm in alarms
            if (here := place(city.devices.get(alarm.device), city.sites) or place(alarm.site, city.sites))
            and _left_to_others(alarm, told.get(alarm.gateway), now)
        ]
        # Cameras are judged with the whole city's newest values: not where nobody else is asked.
        eyes = await self._eyes(city, told) if left else []
        if not eyes:
            return {}
        room, resting = await _spent(session, now)
        asked: dict[Eye, str] = {}
        for alarm, here in left:
            eye = nearest(here, alarm.priority, alarm.gateway, eyes)
            if eye is None or eye.camera in resting:
                continue
            if eye not in asked and len(asked) >= room:
                continue
            order_id = asked.setdefault(eye, str(uuid.uuid4()))
            session.add(EvidenceOrderRow(alarm=alarm.id, order_id=order_id, camera=eye.camera, asked_at=now))
        return asked

    async def _eyes(self, city: City, told: dict[str, StatusView]) -> list[Eye]:
        """Return the cameras that give pictures now, of gateways that are heard and want to be witnesses."""
        views = await self._gateways.list()
        wanting = {}
        for gateway in (view.id for view in views if view.state in {"online", "degraded"}):
            pictures = told[gateway].status.pictures if gateway in told else None
            if pictures is not None and pictures.alarms is not None:
                wanting[gateway] = pictures.alarms, pictures.near_m
        cameras = [
            device
            for device in city.devices.values()
            if device.kind == CAMERA and device.gateway in wanting and stands(device)
        ]
        if not cameras:
            return []
        conditions = judge_devices(city, self._latest)
        eyes = []
        for device in cameras:
            at = place(device, city.sites)
            state = camera_state(city, self._latest, device, conditions.get(device.id))
            if at is not None and state in {"live", "unknown"}:
                eyes.append(Eye(device.id, device.gateway, device.key, at, *wanting[device.gateway]))
        return eyes


async def _unseen(session: AsyncSession, now: datetime) -> Sequence[Raised]:
    """Return what was raised within the window, calls somebody, and has no picture nor order for one."""
    row = AlarmRow
    seen = exists().where(
        SnapshotRow.gateway == row.gateway, SnapshotRow.occurrences.contains(array([row.id]))
    )
    chosen = (
        select(row.id, row.gateway, row.device, row.site, row.priority, row.raised_at)
        .where(
            row.raised_at > now - WINDOW,
            row.raised_at <= now + WINDOW,  # a gateway's clock may be ahead
            row.overlays == [],
            row.covers == [],
            row.fold.is_(None),
            ~exists().where(EvidenceOrderRow.alarm == row.id),
            ~seen,
        )
        .order_by(row.priority, row.raised_at.desc(), row.id)
        .limit(LOOKED_AT)
    )
    if await alarm_folds.current(session) is not None:
        chosen = chosen.where(row.priority.not_in(CALM_ONLY))
    return [
        Raised(alarm, gateway, device, site, cast(Priority, priority), raised_at)
        for alarm, gateway, device, site, priority, raised_at in await session.execute(chosen)
    ]


async def _spent(session: AsyncSession, now: datetime) -> tuple[int, set[str]]:
    """Return how many orders this minute has room for, and the cameras that rest."""
    row = EvidenceOrderRow
    minute = select(row.order_id, row.camera, func.max(row.asked_at)).where(
        row.asked_at > now - timedelta(minutes=1)
    )
    orders = (await session.execute(minute.group_by(row.order_id, row.camera))).all()
    return A_MINUTE - len(orders), {camera for _, camera, at in orders if at > now - REST}


def _left_to_others(alarm: Raised, own: StatusView | None, now: datetime) -> bool:
    """Say whether the alarm's own gateway wants evidence of it, or knows of none, and takes none itself."""
    pictures = None if own is None else own.status.pictures
    if pictures is None:
        return True
    wanted = pictures.alarms is not None and alarm.priority <= pictures.alarms
    return wanted and now - alarm.raised_at >= GRACE
