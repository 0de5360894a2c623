"""Declarations become the registry: sites, devices, points, rules; and batches find their series by them.

A declaration that is known changes nothing when it comes again. Which one is current is told by the
batches: after an outage a gateway also sends what it recorded under an earlier configuration, and that
must not bring retired points back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import structlog
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from central.kernel.problem import Problem
from central.link.manifest import read_manifest
from central.live.latest import LatestBoard
from central.store.base import Database
from central.store.registry import lock_registry
from protocols.model.clock import Clock, to_datetime
from protocols.model.manifest import Manifest

log = structlog.get_logger(__name__)

SITES = """
INSERT INTO sites (id, name_zh, name_en, kind, district, lon, lat, declared)
SELECT key, name_zh, name_en, kind, district, lon, lat, jsonb_build_object('name_zh', name_zh,
    'name_en', name_en, 'kind', kind, 'district', district, 'lon', lon, 'lat', lat)
FROM jsonb_to_recordset(%(rows)s) AS d (key text, name_zh text, name_en text, kind text, district text,
    lon float8, lat float8)
ON CONFLICT (id) DO UPDATE SET declared = excluded.declared,
    name_zh = coalesce(sites.written->>'name_zh', excluded.name_zh),
    name_en = coalesce(sites.written->>'name_en', excluded.name_en),
    kind = coalesce(sites.written->>'kind', excluded.kind),
    district = coalesce(sites.written->>'district', excluded.district),
    lon = coalesce((sites.written->>'lon')::float8, excluded.lon),
    lat = coalesce((sites.written->>'lat')::float8, excluded.lat)
"""

DEVICES = """
INSERT INTO devices (id, gateway, key, site, name_zh, name_en, kind, profile, profile_version, protocol,
    vendor, model, declared)
SELECT %(gateway)s::text || '.' || key, %(gateway)s::text, key, site, name_zh, name_en, kind, profile,
    profile_version, protocol, vendor, model, jsonb_build_object('name_zh', name_zh, 'name_en', name_en,
    'kind', kind, 'vendor', vendor, 'model', model)
FROM jsonb_to_recordset(%(rows)s) AS d (key text, site text, name_zh text, name_en text, kind text,
    profile text, profile_version int, protocol text, vendor text, model text)
ON CONFLICT (id) DO UPDATE SET site = excluded.site, profile = excluded.profile,
    profile_version = excluded.profile_version, protocol = excluded.protocol, retired_at = NULL,
    declared = excluded.declared,
    name_zh = coalesce(devices.written->>'name_zh', excluded.name_zh),
    name_en = coalesce(devices.written->>'name_en', excluded.name_en),
    kind = coalesce(devices.written->>'kind', excluded.kind),
    vendor = coalesce(devices.written->>'vendor', excluded.vendor),
    model = coalesce(devices.written->>'model', excluded.model)
"""

_POINT_COLUMNS = """
    device text, key text, name_zh text, name_en text, unit text, value_type text, period_s float8,
    decimals int, min float8, max float8, writable boolean, write_min float8, write_max float8, labels jsonb
"""

UPDATE_POINTS = f"""
UPDATE points p SET name_zh = coalesce(p.written->>'name_zh', d.name_zh),
    name_en = coalesce(p.written->>'name_en', d.name_en),
    declared = jsonb_build_object('name_zh', d.name_zh, 'name_en', d.name_en),
    unit = d.unit, value_type = d.value_type,
    period_s = d.period_s, decimals = d.decimals, min = d.min, max = d.max, writable = d.writable,
    write_min = d.write_min, write_max = d.write_max, labels = d.labels, retired_at = NULL
FROM jsonb_to_recordset(%(rows)s) AS d ({_POINT_COLUMNS})
WHERE p.id = %(gateway)s::text || '.' || d.device || '.' || d.key
"""  # noqa: S608 - made of constants

INSERT_POINTS = f"""
INSERT INTO points (id, gateway, device, key, name_zh, name_en, unit, value_type, period_s, decimals, min,
    max, writable, write_min, write_max, labels, declared)
SELECT %(gateway)s::text || '.' || device || '.' || key, %(gateway)s::text,
    %(gateway)s::text || '.' || device, key, name_zh, name_en, unit, value_type, period_s, decimals, min,
    max, writable, write_min, write_max, labels, jsonb_build_object('name_zh', name_zh, 'name_en', name_en)
FROM ROWS FROM (jsonb_to_recordset(%(rows)s) AS ({_POINT_COLUMNS})) WITH ORDINALITY AS d
WHERE NOT EXISTS (SELECT 1 FROM points p WHERE p.id = %(gateway)s::text || '.' || d.device || '.' || d.key)
ORDER BY ordinality
"""  # noqa: S608 - made of constants

RULES = """
INSERT INTO rules (gateway, declaration, id, point, body)
SELECT %(gateway)s::text, %(hash)s::text, r->>'id', %(gateway)s::text || '.' || (r->>'point'), r
FROM jsonb_array_elements(%(rows)s) r
ON CONFLICT DO NOTHING
"""

SERIES = """
SELECT p.series FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS d (id, n) JOIN points p ON p.id = d.id
ORDER BY d.n
"""

RETIRE_POINTS = """
UPDATE points SET retired_at = %(now)s WHERE gateway = %(gateway)s AND retired_at IS NULL
    AND NOT series = ANY(%(series)s) RETURNING series
"""

RETIRE_DEVICES = """
UPDATE devices SET retired_at = %(now)s WHERE gateway = %(gateway)s AND retired_at IS NULL
    AND NOT key = ANY(%(keys)s)
"""

CURRENT = """
UPDATE gateways SET declaration = %(hash)s, software = %(software)s,
    declared = jsonb_build_object('name_zh', %(name_zh)s::text, 'name_en', %(name_en)s::text),
    name_zh = coalesce(written->>'name_zh', %(name_zh)s), name_en = coalesce(written->>'name_en', %(name_en)s)
WHERE id = %(gateway)s
"""

# What was planned stands now, says its gateway; the registry's own lock keeps its numbers in order.
INTO_USE = """
WITH s AS (
    UPDATE sites SET lifecycle = 'active', lifecycle_at = %(now)s
    WHERE lifecycle = 'planned' AND id = ANY(%(sites)s) RETURNING id
), d AS (
    UPDATE devices SET lifecycle = 'active', lifecycle_at = %(now)s
    WHERE lifecycle = 'planned' AND id = ANY(%(devices)s) RETURNING id
), g AS (
    UPDATE gateways SET lifecycle = 'active', lifecycle_at = %(now)s
    WHERE lifecycle = 'planned' AND id = %(gateway)s RETURNING id
)
INSERT INTO registry_changes (at, actor, kind, thing, action, before, after, reason)
SELECT %(now)s, 'gateway:' || %(gateway)s, kind, id, 'lifecycle', '{"lifecycle": "planned"}',
    '{"lifecycle": "active"}', 'declared'
FROM (SELECT 'site' AS kind, id FROM s UNION ALL SELECT 'device', id FROM d
    UNION ALL SELECT 'gateway', id FROM g) AS moved
"""
PLANNED = """
SELECT EXISTS (SELECT 1 FROM sites WHERE lifecycle = 'planned' AND id = ANY(%(sites)s))
    OR EXISTS (SELECT 1 FROM devices WHERE lifecycle = 'planned' AND id = ANY(%(devices)s))
    OR EXISTS (SELECT 1 FROM gateways WHERE lifecycle = 'planned' AND id = %(gateway)s)
"""


@dataclass(frozen=True, slots=True)
class _Current:
    hash: str
    made_us: int


class Declarations:
    """Stores declarations, and answers which series the points of a batch are."""

    def __init__(self, database: Database, clock: Clock, latest: LatestBoard) -> None:
        self._database = database
        self._clock = clock
        self._latest = latest
        self._series: dict[tuple[str, str], NDArray[np.int32]] = {}
        self._current: dict[str, _Current] = {}

    async def declare(self, gateway: str, name: str, body: bytes) -> None:
        """Store a declaration and make it current; one that is known changes nothing.

        Raises WireError `corrupt` or `shape`, and Problem 400 `shape` with every mistake in it.
        """
        manifest = read_manifest(body, gateway, name)
        async with self._database.pool.connection() as connection, connection.transaction():
            await _lock(connection, gateway)
            known = await connection.execute(
                "SELECT 1 FROM declarations WHERE gateway = %s AND hash = %s", (gateway, name)
            )
            if await known.fetchone() is not None:
                return
            series = await self._register(connection, manifest, name)
            await connection.execute(
                "INSERT INTO declarations (gateway, hash, body, series, received_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                (gateway, name, body, series, to_datetime(self._clock())),
            )
            retired = await self._retire(connection, manifest, name, series)
        self._show(manifest, series, retired)
        log.info("gateway.declared", gateway=gateway, declaration=name, points=len(series))

    async def series(self, gateway: str, name: str) -> NDArray[np.int32]:
        """Return the series of the points of a declaration. Raises Problem 409 `declare-first`."""
        known = self._series.get((gateway, name))
        if known is not None:
            return known
        async with self._database.pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT series FROM declarations WHERE gateway = %s AND hash = %s", (gateway, name)
            )
            row: Any = await cursor.fetchone()
        if row is None:
            raise Problem(
                409,
                "declare-first",
                "Unknown declaration",
                f"Send declaration {name!r} with PUT /gateway/v1/declarations/{name}, then the batch again.",
            )
        found = np.array(row[0], np.int32)
        self._series[gateway, name] = found
        return found

    async def used(self, gateway: str, name: str, made_us: int) -> None:
        """Note that a batch made at `made_us` names this declaration; the newest batch names the current."""
        current = self._current.get(gateway)
        if current is None:
            async with self._database.pool.connection() as connection:
                statement = "SELECT declaration FROM gateways WHERE id = %s"
                row: Any = await (await connection.execute(statement, (gateway,))).fetchone()
            # What was made before this centre's start cannot tell what is current now.
            current = _Current(row[0] or "", self._clock())
            self._current[gateway] = current
        if made_us <= current.made_us:
            return
        self._current[gateway] = _Current(name, made_us)
        if name != current.hash:
            await self._activate(gateway, name)

    async def _activate(self, gateway: str, name: str) -> None:
        """Make a stored declaration the current one: its points live, the others retired."""
        async with self._database.pool.connection() as connection, connection.transaction():
            await _lock(connection, gateway)
            cursor = await connection.execute(
                "SELECT d.body, g.declaration FROM declarations d JOIN gateways g ON g.id = d.gateway"
                " WHERE d.gateway = %s AND d.hash = %s",
                (gateway, name),
            )
            row: Any = await cursor.fetchone()
            if row is None or row[1] == name:
                return
            manifest = msgspec.json.decode(row[0], type=Manifest)
            series = await self._register(connection, manifest, name)
            retired = await self._retire(connection, manifest, name, series)
        self._show(manifest, series, retired)
        log.info("gateway.configuration_changed", gateway=gateway, declaration=name)

    async def _register(self, connection: AsyncConnection[Any], manifest: Manifest, name: str) -> list[int]:
        gateway = manifest.gateway
        await connection.execute(SITES, {"rows": Jsonb(msgspec.to_builtins(manifest.sites))})
        devices = Jsonb(msgspec.to_builtins(manifest.devices))
        await connection.execute(DEVICES, {"gateway": gateway, "rows": devices})
        points = {"gateway": gateway, "rows": Jsonb(msgspec.to_builtins(manifest.points))}
        await connection.execute(UPDATE_POINTS, points)
        await connection.execute(INSERT_POINTS, points)
        await self._into_use(connection, manifest)
        rules = Jsonb(msgspec.to_builtins(manifest.rules))
        await connection.execute(RULES, {"gateway": gateway, "hash": name, "rows": rules})
        ids = [f"{gateway}.{point.device}.{point.key}" for point in manifest.points]
        rows: list[Any] = await (await connection.execute(SERIES, {"ids": ids})).fetchall()
        return [int(row[0]) for row in rows]

    async def _into_use(self, connection: AsyncConnection[Any], manifest: Manifest) -> None:
        named = {
            "gateway": manifest.gateway,
            "sites": [site.key for site in manifest.sites],
            "devices": [f"{manifest.gateway}.{device.key}" for device in manifest.devices],
            "now": to_datetime(self._clock()),
        }
        row: Any = await (await connection.execute(PLANNED, named)).fetchone()
        if row[0]:
            await lock_registry(connection)
            await connection.execute(INTO_USE, named)

    async def _retire(
        self, connection: AsyncConnection[Any], manifest: Manifest, name: str, series: list[int]
    ) -> list[int]:
        now = to_datetime(self._clock())
        gateway = manifest.gateway
        rows: list[Any] = await (
            await connection.execute(RETIRE_POINTS, {"now": now, "gateway": gateway, "series": series})
        ).fetchall()
        keys = [device.key for device in manifest.devices]
        await connection.execute(RETIRE_DEVICES, {"now": now, "gateway": gateway, "keys": keys})
        current = {"gateway": gateway, "hash": name, "software": manifest.software[:200]}
        await connection.execute(
            CURRENT, {**current, "name_zh": manifest.name_zh, "name_en": manifest.name_en}
        )
        return [int(row[0]) for row in rows]

    def _show(self, manifest: Manifest, series: list[int], retired: list[int]) -> None:
        periods = (point.period_s for point in manifest.points)
        self._latest.register(zip(series, periods, strict=True))
        self._latest.retire(retired)


async def _lock(connection: AsyncConnection[Any], gateway: str) -> None:
    await connection.execute("SELECT 1 FROM gateways WHERE id = %s FOR UPDATE", (gateway,))
