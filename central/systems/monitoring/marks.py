"""What the map shows of each device, in columns: where it stands (seldom new), what is not calm (often).

The two are apart so that a screen fetches 50,000 places once and then only what differs from "works".
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from sqlalchemy import case, func, select

from central.city.kept import PerCity
from central.city.records import City, DeviceRecord, SiteRecord
from central.city.registry import Registry
from central.live.alarm_tally import Tally
from central.live.alarms import AlarmRow
from central.live.latest import LatestBoard
from central.security.sight import Sight
from central.store.base import Database
from central.store.reach import at_sites
from central.systems.monitoring.condition import judge_devices
from central.systems.monitoring.gateways import GatewayDesk
from central.systems.monitoring.schemas_map import MapDevices, MapHeat, MapMarks, OfflineSite
from protocols.model.clock import Clock, to_datetime

UNREACHED: Final = frozenset({"pending", "offline", "revoked"})
STATES: Final = {"active": 0, "stale": 1, "fault": 2}
WEIGHTS: Final = {"P1": 8.0, "P2": 4.0, "P3": 2.0, "P4": 1.0}
DECIMALS: Final = 6
"""Of degrees: a tenth of a metre."""


class MapDesk:
    """Answers the map as far as the asker's sight reaches."""

    def __init__(
        self,
        *,
        registry: Registry,
        latest: LatestBoard,
        gateways: GatewayDesk,
        tally: Tally,
        database: Database,
        clock: Clock,
    ) -> None:
        self._registry = registry
        self._latest = latest
        self._gateways = gateways
        self._tally = tally
        self._database = database
        self._clock = clock
        self._columns = PerCity(_columns)

    async def devices(self, sight: Sight) -> MapDevices:
        """Return where every device in use within sight stands."""
        return self._columns.of(await self._registry.city(sight.sites))

    async def marks(self, sight: Sight) -> MapMarks:
        """Return what within sight is not calm."""
        city = await self._registry.city(sight.sites)
        states = {
            device: STATES[condition.state]
            for device, condition in judge_devices(city, self._latest).items()
            if condition.state != "active"
        }
        alarms = await self._alarms(sight)
        ids = [device for device in city.devices if device in states or device in alarms]
        calm = (0, 0, 0)
        return MapMarks(
            at=to_datetime(self._clock()),
            version=self._columns.of(city).version,
            id=ids,
            state=[states.get(device, 0) for device in ids],
            worst=[alarms.get(device, calm)[0] for device in ids],
            active=[alarms.get(device, calm)[1] for device in ids],
            unacked=[alarms.get(device, calm)[2] for device in ids],
            offline=await self._offline(city, sight),
        )

    async def heat(self, sight: Sight, hours: int) -> MapHeat:
        """Return how many alarms were raised at each device within sight in the last hours."""
        since = to_datetime(self._clock()) - timedelta(hours=hours)
        weight = func.sum(case(WEIGHTS, value=AlarmRow.priority, else_=1.0))
        statement = (
            select(AlarmRow.device, func.count(), weight)
            .where(AlarmRow.raised_at >= since, *at_sites(AlarmRow.site, sight.sites))
            .group_by(AlarmRow.device)
            .order_by(AlarmRow.device)
        )
        async with self._database.session() as session:
            rows = (await session.execute(statement)).all()
        return MapHeat(
            since=since,
            device=[row[0] for row in rows],
            alarms=[row[1] for row in rows],
            weight=[float(row[2]) for row in rows],
        )

    async def _alarms(self, sight: Sight) -> dict[str, tuple[int, int, int]]:
        """Return device -> (worst active priority, active, unacknowledged), without what an overlay hides."""
        piles = await self._tally.by_device(sight.sites)
        return {
            device: (0 if pile.worst is None else int(pile.worst[1:]), pile.active, pile.unacked)
            for device, pile in piles.items()
        }

    async def _offline(self, city: City, sight: Sight) -> list[OfflineSite]:
        """Return the sites whose every device stands behind a gateway that is not reached."""
        unreached = {view.id: view for view in await self._gateways.list(sight) if view.state in UNREACHED}
        found = []
        for site in city.sites if unreached else ():
            owned = {device.gateway for device in city.devices_of.get(site, []) if not device.retired}
            if not owned or not owned <= unreached.keys():
                continue
            heard = [unreached[gateway] for gateway in sorted(owned)]
            last = max(heard, key=lambda view: (view.last_seen is not None, view.last_seen or view.id))
            found.append(
                OfflineSite(site=site, gateways=sorted(owned), state=last.state, since=last.last_seen)
            )
        return found


def _columns(city: City) -> MapDevices:
    devices = [device for device in city.live_devices if device.site in city.sites]
    kinds = sorted({device.kind for device in devices})
    sites = list(city.sites)
    kind_row = {kind: row for row, kind in enumerate(kinds)}
    site_row = {site: row for row, site in enumerate(sites)}
    places = [_place(city.sites[device.site], device) for device in devices]
    columns = {
        "kinds": kinds,
        "sites": sites,
        "id": [device.id for device in devices],
        "kind": [kind_row[device.kind] for device in devices],
        "site": [site_row[device.site] for device in devices],
        "lon": [lon for lon, _ in places],
        "lat": [lat for _, lat in places],
    }
    version = hashlib.blake2b(repr(columns).encode(), digest_size=8).hexdigest()
    return MapDevices.model_validate({"version": version, **columns})


def _place(site: SiteRecord, device: DeviceRecord) -> tuple[float, float]:
    """Return where a device stands: at a place of its own, else at its site's."""
    if device.lon is None or device.lat is None:
        return round(site.lon, DECIMALS), round(site.lat, DECIMALS)
    return round(device.lon, DECIMALS), round(device.lat, DECIMALS)
