"""Monitoring as the API shows it: sites, devices, points, values, history, the overview."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from central.kernel.shapes import Name, Page, PriorityCode, QualityOut, Shape
from central.systems.monitoring.schemas_alarms import Rule
from central.systems.monitoring.schemas_past import Gap

SiteState = Literal["normal", "alarm", "stale", "offline"]
DeviceState = Literal["active", "stale", "fault", "retired"]
ValueType = Literal["number", "bool", "text"]


class Site(Shape):
    """A place on the map, with its worst alarm."""

    id: str
    name: Name
    kind: str = Field(description="pumping_station, underpass, sluice, air_station, …")
    district: str
    lon: float = Field(description="degrees, WGS 84")
    lat: float = Field(description="degrees, WGS 84")
    devices: int = Field(description="number of devices in use")
    worst_priority: PriorityCode | None = Field(description="of its active alarms")
    active_alarms: int
    unacked_alarms: int
    state: SiteState = Field(
        description="alarm: an alarm is active; offline: no gateway of it is reached; "
        "stale: most of its points are too old; else normal"
    )


class SitePage(Page[Site]):
    """Sites by id."""


class Device(Shape):
    """A device and how it is doing."""

    id: str = Field(description="`gateway.device`")
    key: str
    name: Name
    site: str
    gateway: str
    kind: str
    profile: str = Field(description="device model's profile")
    protocol: str
    vendor: str
    model: str
    state: DeviceState = Field(
        description="stale: no point has a fresh value; fault: it answers, but nothing good; "
        "retired: no gateway declares it any more"
    )
    worst_priority: PriorityCode | None = Field(description="of its active alarms")
    last_time: datetime | None = Field(description="newest source time of its points")


class DevicePage(Page[Device]):
    """Devices by id."""


class SiteDetail(Site):
    """A site with its devices."""

    device_list: list[Device]


class Latest(Shape):
    """The newest reading of a point, with its age and what it is worth."""

    point: str
    value: float | None = Field(description="in the point's unit; null where there is no number")
    text: str | None = Field(description="for points that speak text")
    time: datetime = Field(description="source time")
    received_at: datetime = Field(description="when the centre had committed it")
    quality: QualityOut
    stale: bool = Field(description="older than three of the point's periods")
    age_s: float = Field(description="now minus source time, seconds, as of the answer")


class LatestPage(Page[Latest]):
    """Newest readings by point; a point that was never read is left out."""


class PointBrief(Shape):
    """A point with its newest reading."""

    id: str = Field(description="`gateway.device.point`")
    key: str
    device: str
    name: Name
    unit: str = Field(description="UCUM code; 1 where the number has no unit")
    value_type: ValueType
    decimals: int | None
    min: float | None = Field(description="lower end of the instrument's range")
    max: float | None = Field(description="upper end of the instrument's range")
    period_s: float = Field(description="longest normal time between two readings, seconds")
    writable: bool
    write_min: float | None
    write_max: float | None
    labels: dict[str, Name] = Field(description="words for the values of an enumeration")
    latest: Latest | None


class PointPage(Page[PointBrief]):
    """Points by id."""


class Point(PointBrief):
    """A point with its alarm rules."""

    rules: list[Rule]


class DeviceDetail(Device):
    """A device with its points."""

    points: list[Point]
    open_alarms: int


class Series(Shape):
    """The past of one point as columns in time order: values with quality, or rolled up buckets."""

    point: str
    unit: str
    t: list[int] = Field(description="source time, or start of the bucket; milliseconds since 1970 UTC")
    value: list[float | None] | None = Field(default=None, description="raw values; null without a number")
    quality: list[int] | None = Field(default=None, description="OPC UA StatusCode of each raw reading")
    text: dict[int, str] | None = Field(default=None, description="row -> text, for points that speak text")
    n: list[int] | None = Field(default=None, description="good and uncertain numbers in the bucket")
    bad: list[int] | None = Field(default=None, description="readings of bad quality in the bucket")
    min: list[float | None] | None = None
    max: list[float | None] | None = None
    avg: list[float | None] | None = None
    last: list[float | None] | None = None
    gaps: list[Gap] = Field(default_factory=list, description="where nothing is known of the point")
    truncated: bool = Field(description="there was more than `limit`; ask for a shorter span")


class History(Shape):
    """The past of up to eight points at one resolution."""

    resolution: Literal["raw", "1m", "1h", "1d"]
    series: list[Series]


class SiteCounts(Shape):
    """Sites by condition."""

    total: int
    with_alarm: int


class DeviceCounts(Shape):
    """Devices by condition: online (active), stale, bad (fault)."""

    total: int
    online: int
    stale: int
    bad: int


class PointCounts(Shape):
    """Points by quality; stale and unread are counted beside it."""

    total: int
    good: int
    uncertain: int
    bad: int
    stale: int
    unread: int = Field(description="no reading since they were declared")


class PriorityCounts(Shape):
    """Active alarms by priority."""

    P1: int
    P2: int
    P3: int
    P4: int


class AlarmCounts(Shape):
    """Open alarms by condition."""

    active: int
    unacked: int
    shelved: int
    by_priority: PriorityCounts


class CaseCounts(Shape):
    """Open cases, and those of them past their due time."""

    open: int
    overdue: int


class GatewayCounts(Shape):
    """Gateways by condition; degraded ones are online."""

    total: int
    online: int


class KeyFigure(Shape):
    """One number worth a place on the first screen."""

    point: str
    device: str
    site: str
    name: Name
    value: float | None
    unit: str
    decimals: int | None
    time: datetime
    quality: QualityOut
    stale: bool
    priority: PriorityCode | None = Field(description="of the worst alarm active on it")


class Overview(Shape):
    """The city in numbers."""

    server_time: datetime
    sites: SiteCounts
    devices: DeviceCounts
    points: PointCounts
    alarms: AlarmCounts
    cases: CaseCounts
    gateways: GatewayCounts
    readings_per_s: float | None = Field(
        description="readings committed per second, over the last ten seconds; it is of the whole city,"
        " so null for who sees a part of it"
    )
    key_figures: list[KeyFigure]


class Hello(Shape):
    """The first event of every live stream."""

    server_time: datetime


class LaggedOut(Shape):
    """The stream lost messages; load the page's data again."""

    dropped: int


class LatestBatch(Shape):
    """Newest readings, one per point that changed."""

    items: list[Latest]


class CityMap(Shape):
    """The city's own map, so that no tile server is needed. Layers are GeoJSON (RFC 7946), WGS 84."""

    name: Name
    time_zone: str
    bounds: tuple[float, float, float, float] = Field(description="west, south, east, north, degrees")
    style: str | None = Field(
        description="address of the MapLibre style that the operator set (CITYNERVE_MAP_STYLE); "
        "null: the layers below are the map"
    )
    districts: dict[str, Any]
    roads: dict[str, Any]
    water: dict[str, Any]
    parks: dict[str, Any]
