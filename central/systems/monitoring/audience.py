"""What one listener of the live feed may hear: the bus's messages, as far as the listener's sight reaches."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from central.casebook.schemas import Case, Event
from central.city.registry import City, Registry
from central.kernel.bus import Message
from central.link.command_rows import CommandView
from central.link.gateways import GatewayView
from central.link.order_rows import OrderView
from central.link.schemas import Command, Gateway, Order
from central.live.alarms import AlarmView
from central.security.sight import Sight
from central.systems.monitoring.alarm_desk import DeskChange
from central.systems.monitoring.alarms import AlarmDesk
from central.systems.monitoring.gateways import governs, seen
from central.systems.monitoring.overview import OverviewDesk, differs
from central.systems.monitoring.schemas import Overview
from central.systems.monitoring.schemas_desk import DeskNews


class Audience:
    """One listener's sight, applied twice: before a message waits in the queue, and as it goes out.

    What is out of sight never waits: it cannot make the listener lag, and how much of it there is shows
    nowhere. What says nothing new to this sight is not sent either: that it came would tell of the rest.
    """

    def __init__(self, sight: Sight, registry: Registry, alarms: AlarmDesk, overview: OverviewDesk) -> None:
        self._sight = sight
        self._registry = registry
        self._alarms = alarms
        self._overview = overview
        self._gateways: dict[str, GatewayView] = {}
        self._counted: Overview | None = None

    def hears(self, message: Message) -> bool:
        """Say whether a message is about something within sight."""
        match message.payload:
            case _ if self._sight.whole:
                return True
            case AlarmView(site=site) | Event(site=site) | Case(site=site):
                return self._sight.sees(site)
            case GatewayView(id=gateway):
                return gateway in self._city.gateways
            case OrderView(gateway=gateway):
                return governs(gateway, self._city, self._sight)
            case CommandView(device=device):
                return device in self._city.devices
            case DeskChange(sites=sites):
                return any(self._sight.sees(site) for site in sites)
            case Overview():
                return True
            case _:
                return False

    async def alarms(self, changed: Sequence[AlarmView]) -> list[bytes]:
        """Return alarms as JSON; what is out of sight was never queued."""
        return await self._alarms.lines(changed)

    async def shape(self, payload: object) -> BaseModel | None:
        """Return what is said of a message's payload; None where it is no news within sight."""
        match payload:
            case GatewayView():
                return self._gateway(payload)
            case CommandView():
                return Command.of(payload)
            case OrderView():
                return Order.of(payload)
            case DeskChange(what=what):
                return DeskNews(what=what)
            case Overview() if not self._sight.whole:
                return await self._numbers(payload)
            case BaseModel():
                return payload
            case _:
                raise TypeError(f"{type(payload).__name__} has no shape in the live feed; add it here")

    @property
    def _city(self) -> City:
        return self._registry.known.within(self._sight.sites)

    def _gateway(self, told: GatewayView) -> Gateway | None:
        view = seen(told, self._city, self._sight)
        if view is None or (not self._sight.whole and self._gateways.get(view.id) == view):
            return None
        self._gateways[view.id] = view
        return Gateway.of(view)

    async def _numbers(self, told: Overview) -> Overview | None:
        now = await self._overview.part(self._sight, told.server_time)
        if not differs(now, self._counted):
            return None
        self._counted = now
        return now
