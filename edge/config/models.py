"""The gateway file, as pydantic reads it: one model per section, in the order a technician writes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from edge.config.acting import ActionEntry, InterlockEntry
from edge.config.adopting import AdoptionEntry
from edge.config.conditions import ConditionEntry, GroupEntry
from edge.config.keeping import StorageEntry
from edge.config.picturing import PicturesEntry
from edge.config.serving import PageEntry
from edge.config.updating import UpdatesEntry
from protocols.model.alarm import AlarmKind, OnBad, Priority
from protocols.model.device import Key, PeriodClass, Text
from protocols.model.strict import Strict

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class GatewayEntry(Strict):
    """Who this gateway is. Its id is the one the centre enrolled."""

    id: Key = Field(description="the gateway's key, such as gw-north")
    name: Text = Field(description="its name in both languages: {zh: …, en: …}")
    site: Key | None = Field(default=None, description="site it stands at; the first one where not given")


class CentreEntry(Strict):
    """Where readings go. Without this section the gateway works on its own and keeps what it reads."""

    url: str = Field(pattern=r"^https?://[^/\s]+(/.*)?$", description="http(s)://host:port of the centre")
    ca_file: str | None = Field(default=None, description="PEM file of the authority that signed the centre")
    pin: str | None = Field(
        default=None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="SHA-256 of the public key of that authority, or of the centre's own certificate",
    )
    rotate_days: Annotated[float, Field(ge=1, le=3650)] = Field(
        default=90, description="days after which the gateway exchanges its token by itself"
    )

    @model_validator(mode="after")
    def _pinned(self) -> CentreEntry:
        if self.pin is not None and not self.url.startswith("https:"):
            raise ValueError("a pin needs a certificate; write `url: https://…`, or remove the pin")
        return self


class Periods(Strict):
    """Seconds between two readings of a point, by the class its profile gives it."""

    fast: Seconds = 1
    normal: Seconds = 5
    slow: Seconds = 60

    def seconds(self, period: PeriodClass) -> float:
        """Return the seconds of a class."""
        return float(getattr(self, period))


class BatchEntry(Strict):
    """When a batch is closed, written and sent: at so many seconds or readings, whichever is first."""

    seconds: Annotated[float, Field(gt=0, le=60)] = 0.25
    readings: Annotated[int, Field(ge=1, le=65_536)] = 8192


class SiteEntry(Strict):
    """A place on the map; its key is unique in the whole city. Degrees, WGS 84."""

    key: Key
    name: Text
    kind: str = Field(min_length=1, description="what stands there, such as pumping_station")
    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    district: str = ""


class ConnectionEntry(Strict):
    """One line: a Modbus TCP host, an OPC UA server, a broker, a camera's web server."""

    key: Key
    protocol: str = Field(description="what the line speaks: the name of an installed driver")
    settings: dict[str, Any] = Field(default_factory=dict, description="what the protocol's driver needs")


class AlarmEntry(Strict):
    """A rule of this device. With the key of a profile's rule it replaces the fields that are written."""

    key: Key
    disabled: bool = False
    point: str | None = None
    kind: AlarmKind | None = None
    limit: float | None = None
    priority: Priority | None = None
    name: Text | None = None
    deadband: float | None = Field(default=None, ge=0)
    on_delay_s: float | None = Field(default=None, ge=0, le=86_400)
    off_delay_s: float | None = Field(default=None, ge=0, le=86_400)
    latching: bool | None = None
    ack_required: bool | None = None
    rtn_ack: bool | None = None
    category: str | None = None
    response: Text | None = None
    on_bad: OnBad | None = None
    setpoint: float | None = None
    reference: str | None = Field(default=None, description="a point of this device, or device.point")
    window_s: float | None = Field(default=None, gt=0, le=86_400)
    per: Literal["s", "min", "h"] | None = None
    realarm_s: float | None = Field(default=None, ge=0, le=604_800)
    max_shelve_s: float | None = Field(default=None, ge=0, le=604_800)
    parent: str | None = Field(default=None, description="an alarm of this device, or device.alarm")
    suppress_when: str | None = None


class DeviceEntry(Strict):
    """A device behind a connection, of the model that its profile describes."""

    key: Key
    site: Key
    name: Text
    connection: Key
    profile: str
    params: dict[str, Any] = Field(default_factory=dict)
    periods: dict[str, PeriodClass | Seconds] = Field(
        default_factory=dict, description="point key -> class or seconds, where it differs from the profile"
    )
    alarms: tuple[AlarmEntry, ...] = ()
    cameras: tuple[Key, ...] = Field(
        default=(),
        description="cameras that see it, for evidence; left out: those of its site, or the nearest",
    )
    picture_s: Annotated[float, Field(ge=5, le=86_400)] | None = Field(
        default=None, description="of a camera: its own seconds between two pictures for the wall"
    )


class GatewayFile(Strict):
    """A whole gateway."""

    gateway: GatewayEntry
    centre: CentreEntry | None = None
    state_dir: str = Field(description="folder for buffer.db and credentials.json")
    profiles: str | None = Field(default=None, description="folder with own device profiles, searched first")
    periods: Periods = Periods()
    batch: BatchEntry = BatchEntry()
    page: PageEntry = PageEntry()
    storage: StorageEntry = StorageEntry()
    pictures: PicturesEntry | None = None
    updates: UpdatesEntry | None = None
    sites: tuple[SiteEntry, ...] = Field(min_length=1)
    connections: tuple[ConnectionEntry, ...] = ()
    devices: tuple[DeviceEntry, ...] = ()
    adoptions: tuple[AdoptionEntry, ...] = ()
    conditions: tuple[ConditionEntry, ...] = ()
    groups: tuple[GroupEntry, ...] = ()
    interlocks: tuple[InterlockEntry, ...] = ()
    actions: tuple[ActionEntry, ...] = ()

    @model_validator(mode="after")
    def _ordered(self) -> GatewayFile:
        if not self.periods.fast <= self.periods.normal <= self.periods.slow:
            raise ValueError("periods are out of order; make fast <= normal <= slow")
        return self


LIMIT_KINDS: frozenset[str] = frozenset({"hihi", "hi", "lo", "lolo"})
AlarmSource = Literal["profile", "gateway"]
