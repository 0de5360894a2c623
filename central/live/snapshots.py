"""The cameras' pictures at the centre: kept in the database, so that a backup has them and every replica.

The wall's pictures go after an hour, but for the newest of each camera; evidence and what somebody asked
for after ninety days; and above a total in bytes the oldest go, the wall's first (`CITYNERVE_PICTURES`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import Select, select, text
from sqlalchemy.dialects.postgresql import distinct_on, insert

from central.live.evidence_rows import AskedView, alarms_of, asked_for
from central.live.snapshot_rows import PictureRow, SnapshotRow
from central.store.base import Database
from central.store.reach import among, at_sites
from central.store.registry import Device
from protocols.errors import WireError
from protocols.model.clock import Clock, to_datetime
from protocols.model.snapshot import picture_type
from protocols.wire.media import Media

log = structlog.get_logger(__name__)

STORED = Counter("citynerve_pictures", "Pictures stored", ["cause"])
SWEPT = Counter("citynerve_pictures_swept", "Pictures deleted because their time or their room was over")

_OLD = """
DELETE FROM snapshots s WHERE
    (s.cause <> 'wall' AND s.taken_at < :kept)
    OR (s.cause = 'wall' AND s.taken_at < :wall AND (s.taken_at < :kept OR EXISTS (
        SELECT 1 FROM snapshots n WHERE n.camera = s.camera AND (n.taken_at, n.id) > (s.taken_at, s.id))))
"""
_TOO_MUCH = """
DELETE FROM snapshots USING (
    SELECT id, sum(size) OVER (ORDER BY cause = 'wall', cause = 'order', taken_at DESC, id DESC) AS total
    FROM snapshots) AS counted
WHERE snapshots.id = counted.id AND counted.total > :bytes
"""
_UNUSED = "DELETE FROM pictures p WHERE NOT EXISTS (SELECT 1 FROM snapshots s WHERE s.sha256 = p.sha256)"


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A picture without its bytes."""

    id: int
    camera: str
    site: str
    taken_at: datetime
    received_at: datetime
    cause: str
    moment: str
    occurrences: tuple[str, ...]
    order_id: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class PictureContent:
    """What is served."""

    media_type: str
    sha256: str
    body: bytes


class Snapshots:
    """Keeps pictures. limits: `hours` of the wall's, `days` of all others, `mb` of all together."""

    def __init__(self, database: Database, clock: Clock, limits: Mapping[str, int]) -> None:
        self._database = database
        self._clock = clock
        self._limits = limits

    async def keep(self, gateway: str, media: Media) -> bool:
        """Store a picture in one transaction; False where it had been stored before.

        One that the centre ordered for alarms is their evidence, by the centre's own memory of the order.

        Raises WireError(`shape`) for a camera that this gateway never declared.
        """
        shot = media.snapshot
        camera = f"{gateway}.{shot.camera}"
        digest = hashlib.sha256(shot.data).hexdigest()
        kind = picture_type(shot.data) or ""
        async with self._database.session() as session:
            site = await session.scalar(select(Device.site).where(Device.id == camera))
            if site is None:
                raise WireError("shape", f"the gateway has declared no device {shot.camera!r}")
            witnessed = await alarms_of(session, shot.order, camera)
            cause = "alarm" if witnessed else shot.cause
            content = {"sha256": digest, "media_type": kind, "size": len(shot.data), "content": shot.data}
            await session.execute(insert(PictureRow).values(content).on_conflict_do_nothing())
            stored = await session.scalar(
                insert(SnapshotRow)
                .values(
                    gateway=gateway,
                    boot=media.boot,
                    seq=media.seq,
                    camera=camera,
                    site=site,
                    taken_at=to_datetime(shot.taken_us),
                    received_at=to_datetime(self._clock()),
                    cause=cause,
                    moment="at" if witnessed else shot.moment,
                    occurrences=witnessed or list(shot.occurrences),
                    order_id=shot.order,
                    sha256=digest,
                    size=len(shot.data),
                )
                .on_conflict_do_nothing()
                .returning(SnapshotRow.id)
            )
        if stored is not None:
            STORED.labels(cause).inc()
        return stored is not None

    async def newest(self, cameras: Collection[str]) -> dict[str, SnapshotView]:
        """Return the newest picture of each camera that has one."""
        statement = (
            select(SnapshotRow)
            .ext(distinct_on(SnapshotRow.camera))
            .where(among(SnapshotRow.camera, cameras))
            .order_by(SnapshotRow.camera, SnapshotRow.taken_at.desc(), SnapshotRow.id.desc())
        )
        return {row.camera: row for row in await self._views(statement)}

    async def of_camera(self, camera: str, sites: Set[str] | None, limit: int) -> list[SnapshotView]:
        """Return a camera's pictures that were taken at these sites, the newest first."""
        # It may have looked at another place then.
        here = at_sites(SnapshotRow.site, sites)
        statement = select(SnapshotRow).where(SnapshotRow.camera == camera, *here)
        newest = statement.order_by(SnapshotRow.taken_at.desc(), SnapshotRow.id.desc())
        return await self._views(newest.limit(limit))

    async def of_alarm(self, occurrence: str, sites: Set[str] | None) -> list[SnapshotView]:
        """Return the evidence of an alarm that was taken at these sites, in the order it was taken."""
        here = at_sites(SnapshotRow.site, sites)
        statement = select(SnapshotRow).where(SnapshotRow.occurrences.contains([occurrence]), *here)
        return await self._views(statement.order_by(SnapshotRow.taken_at, SnapshotRow.id))

    async def asked_for(self, occurrence: str) -> AskedView | None:
        """Return which camera of another gateway was asked to witness an alarm, or None."""
        async with self._database.session() as session:
            return await asked_for(session, occurrence)

    async def get(self, snapshot: int) -> SnapshotView | None:
        """Return one, or None."""
        found = await self._views(select(SnapshotRow).where(SnapshotRow.id == snapshot))
        return found[0] if found else None

    async def content(self, sha256: str) -> PictureContent | None:
        """Return a picture's bytes, or None where its time was over meanwhile."""
        columns = (PictureRow.media_type, PictureRow.sha256, PictureRow.content)
        async with self._database.session() as session:
            row = (await session.execute(select(*columns).where(PictureRow.sha256 == sha256))).one_or_none()
        return None if row is None else PictureContent(*row)

    async def sweep(self) -> int:
        """Delete what is over its time or its room; return how many pictures of cameras went."""
        now = to_datetime(self._clock())
        limits = self._limits
        old = {"wall": now - timedelta(hours=limits["hours"]), "kept": now - timedelta(days=limits["days"])}
        async with self._database.session() as session:
            gone = (await session.execute(text(_OLD), old)).rowcount  # type: ignore[attr-defined]
            much = {"bytes": limits["mb"] * 1_000_000}
            gone += (await session.execute(text(_TOO_MUCH), much)).rowcount  # type: ignore[attr-defined]
            if gone:
                await session.execute(text(_UNUSED))
        if gone:
            SWEPT.inc(gone)
            log.info("pictures.swept", pictures=gone)
        return int(gone)

    async def _views(self, statement: Select[SnapshotRow]) -> list[SnapshotView]:
        async with self._database.session() as session:
            rows = (await session.scalars(statement)).all()
        return [_view(row) for row in rows]


def _view(row: SnapshotRow) -> SnapshotView:
    return SnapshotView(
        id=row.id,
        camera=row.camera,
        site=row.site,
        taken_at=row.taken_at,
        received_at=row.received_at,
        cause=row.cause,
        moment=row.moment,
        occurrences=tuple(row.occurrences),
        order_id=row.order_id,
        sha256=row.sha256,
        size=row.size,
    )
