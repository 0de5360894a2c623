"""Gateways as far as the asker's sight reaches: one is seen by who sees a device of it.

What a gateway is as a whole, its configuration, its orders, its status, may tell of every site that it
serves: that needs all of them in sight. A gateway that serves no site is for those whom nothing limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from central.city.registry import City, Registry
from central.kernel.problem import not_found
from central.link.gateways import Gateways, GatewayView
from central.security.sight import Sight

WHOLE = "*"
"""In `local_manual`: a technician holds the whole gateway."""


class GatewayDesk:
    """Lists gateways, and says which of them somebody may look into or change."""

    def __init__(self, gateways: Gateways, registry: Registry) -> None:
        self._gateways = gateways
        self._registry = registry

    async def list(self, sight: Sight) -> Sequence[GatewayView]:
        """Return the gateways within sight, by id."""
        found = await self._gateways.list()
        if sight.whole:
            return found
        city = await self._registry.city(sight.sites)
        shown = (seen(view, city, sight) for view in found)
        return [view for view in shown if view is not None]

    async def get(self, gateway: str, sight: Sight) -> GatewayView:
        """Return one gateway; Problem 404 where there is none within sight."""
        found = await self._gateways.get(gateway)
        shown = found and seen(found, await self._registry.city(sight.sites), sight)
        if shown is None:
            raise not_found("gateway", gateway)
        return shown

    async def holds(self, gateway: str, sight: Sight) -> bool:
        """Say whether all that a known gateway serves, or served, is within sight."""
        return governs(gateway, await self._registry.city(sight.sites), sight)

    async def require(self, gateway: str, sight: Sight) -> None:
        """Raise Problem 404 for a gateway that is unknown, or not in sight as a whole."""
        known = await self._gateways.get(gateway) is not None
        if not known or not await self.holds(gateway, sight):
            raise not_found("gateway", gateway)


def governs(gateway: str, city: City, sight: Sight) -> bool:
    """Say whether a gateway serves, and served, nothing outside the part of the city that is in sight."""
    return sight.whole or (gateway in city.gateways and gateway not in city.split)


def seen(view: GatewayView, city: City, sight: Sight) -> GatewayView | None:
    """Return a gateway as it looks from a part of the city; None where it is not seen from there."""
    if sight.whole:
        return view
    if view.id not in city.gateways:
        return None
    points, devices = city.gateways[view.id]
    held = tuple(key for key in view.local_manual if key == WHOLE or f"{view.id}.{key}" in city.devices)
    return replace(view, points=points, devices=devices, local_manual=held)
