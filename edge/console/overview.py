"""The gateway on one screen: itself, its uplink, its memory, its clock, and how many things are wrong."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.adoption import UNWANTED
from edge.config.bind import SOFTWARE
from edge.console.answers import Words, answer, words
from edge.console.devices import silent_devices
from edge.console.layout import Layout
from edge.health import Process
from edge.house import House
from edge.house.memory import memory
from protocols.wire.handshake import BacklogStatus, ConfigStatus, StorageStatus

_FRESH_S: Final = 1.0


class Uplink(msgspec.Struct, frozen=True, kw_only=True):
    """The road to the centre. url is None for a gateway that works alone."""

    state: str
    url: str | None
    reason: str
    enrolled: bool


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's clock; offset_us is the centre's minus ours, None before it was measured."""

    synced: bool
    offset_us: int | None


class DeviceCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many devices there are, how many do not answer, and how many of all joined by themselves.

    refused: how many others spoke and may not join, though no rule turns them away by their name.
    """

    total: int
    offline: int
    adopted: int
    refused: int


class AlarmCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many alarms hold now, and how many nobody has acknowledged; without those put aside."""

    open: int
    unacked: int


class OverviewView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the first screen shows. cpu_pct is of one core, rss_mb is 10**6 bytes."""

    gateway: str
    name: Words
    software: str
    now_us: int
    uptime_s: float
    cpu_pct: float
    rss_mb: float
    config: ConfigStatus
    uplink: Uplink
    storage: StorageStatus
    backlog: BacklogStatus
    clock: ClockView
    local_manual: tuple[str, ...]
    devices: DeviceCount
    alarms: AlarmCount


class _Measured(NamedTuple):
    """What costs a look at the disk or needs a span: the same for several pages that ask within a second."""

    backlog: BacklogStatus
    storage: StorageStatus
    cpu_pct: float
    rss_mb: float
    uptime_s: float


class Overview:
    """Makes the overview of this moment; its measurements are at most a second old."""

    def __init__(self, house: House, layout: Layout) -> None:
        self._house = house
        self._layout = layout
        self._process = Process()
        self._measured_at = 0.0
        self._measured: _Measured | None = None
        self._one = asyncio.Lock()

    async def view(self) -> OverviewView:
        """Return the overview. Raises StorageError."""
        async with self._one:
            now = asyncio.get_running_loop().time()
            if self._measured is None or now - self._measured_at >= _FRESH_S:
                self._measured = await self._measure()
                self._measured_at = now
            return self._view(self._measured)

    async def _measure(self) -> _Measured:
        backlog, storage = await memory(self._house)
        cpu, rss, uptime = self._process.look()
        return _Measured(backlog, storage, round(cpu, 1), round(rss, 1), round(uptime, 1))

    def _view(self, measured: _Measured) -> OverviewView:
        house = self._house
        entry = house.plan.loaded.entry
        return OverviewView(
            gateway=house.plan.gateway,
            name=words(entry.gateway.name),
            software=SOFTWARE,
            now_us=house.clock(),
            uptime_s=measured.uptime_s,
            cpu_pct=measured.cpu_pct,
            rss_mb=measured.rss_mb,
            config=house.settings.status(),
            uplink=Uplink(
                state=house.road.state,
                url=entry.centre.url if entry.centre else None,
                reason=house.road.reason or ("not-enrolled" if entry.centre and not house.sender else ""),
                enrolled=house.sender is not None,
            ),
            storage=measured.storage,
            backlog=measured.backlog,
            clock=ClockView(synced=house.timekeeper.synced, offset_us=house.timekeeper.offset_us),
            local_manual=tuple(sorted(house.commands.held)),
            devices=DeviceCount(
                total=len(entry.devices),
                offline=silent_devices(house, self._layout),
                adopted=len(house.plan.loaded.adopted),
                refused=sum(one.code not in UNWANTED for one in house.adopter.refused()),
            ),
            alarms=_alarms(house),
        )


def _alarms(house: House) -> AlarmCount:
    shown = [alarm for alarm in house.pipeline.alarm_views() if not alarm.overlays]
    return AlarmCount(
        open=sum(alarm.active for alarm in shown), unacked=sum(not alarm.acked for alarm in shown)
    )


def routes(overview: Overview) -> list[Route]:
    """GET /api/overview."""

    async def view(_: Request) -> Response:
        return answer(await overview.view())

    return [Route("/api/overview", view)]
