"""The map's markers, as columns: one list per field, row by row, so that 50,000 devices stay small."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from central.kernel.shapes import Shape
from central.link.gateways import GatewayState


class MapDevices(Shape):
    """Where each device in use stands: columns of one length, by device id."""

    version: str = Field(description="changes with what is below; `GET /map/marks` tells the present one")
    kinds: list[str]
    sites: list[str]
    id: list[str]
    kind: list[int] = Field(description="place in `kinds`")
    site: list[int] = Field(description="place in `sites`")
    lon: list[float] = Field(description="degrees, WGS 84")
    lat: list[float] = Field(description="degrees, WGS 84")


class OfflineSite(Shape):
    """A site that nothing is heard of: none of its gateways is reached."""

    site: str
    gateways: list[str]
    state: GatewayState = Field(description="of the gateway that was heard last")
    since: datetime | None = Field(description="when one of its gateways was last heard; null: never")


class MapMarks(Shape):
    """What is not calm now: columns of one length. A device that is not named works and has no alarm."""

    at: datetime
    version: str = Field(description="of the devices; another than yours: fetch `GET /map/devices` again")
    id: list[str]
    state: list[int] = Field(description="0 active, 1 stale, 2 fault")
    worst: list[int] = Field(description="worst priority of its active alarms: 1 for P1 to 4; 0: none")
    active: list[int] = Field(description="active alarms")
    unacked: list[int] = Field(description="alarms that wait for somebody")
    offline: list[OfflineSite]


class MapHeat(Shape):
    """How many alarms were raised where: columns of one length, by device id."""

    since: datetime
    device: list[str]
    alarms: list[int]
    weight: list[float] = Field(description="sum over the alarms: P1 8, P2 4, P3 2, P4 1")
