"""One gateway as its page shows it, what may be asked of it, and the packages it may install."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from central.kernel.shapes import Asked, Page, Shape
from central.link.gateways import GatewayView, NewCode
from central.link.schemas import ConfigState, Gateway
from central.link.statuses import StatusView
from central.link.wishes import MAX_PROBATION_S, MIN_PROBATION_S, PUSH_EXPIRY_S
from protocols.model.clock import to_datetime


class NameIn(Asked):
    """A name to give."""

    zh: str = Field(min_length=1, max_length=100)
    en: str = Field(min_length=1, max_length=100)


class NewGateway(Asked):
    """A gateway to expect."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="its key, as in its own file")
    name: NameIn | None = None


class EnrolmentCode(Shape):
    """A one-time code for the technician, shown once."""

    id: str
    enrolment_code: str
    expires_at: datetime

    @classmethod
    def of(cls, code: NewCode) -> EnrolmentCode:
        """Show a code."""
        return cls(id=code.gateway, enrolment_code=code.enrolment_code, expires_at=code.expires_at)


class RunningConfiguration(Shape):
    """Which configuration runs, which one is wanted, and why they differ."""

    running: int = Field(description="number of the version, counted by the gateway")
    digest: str = Field(description="SHA-256 of text and own profiles, hexadecimal")
    since: datetime
    wanted: str = Field(description="digest of the configuration it should run; empty where it is the same")
    state: ConfigState
    why: str


class Storage(Shape):
    """The gateway's memory, in bytes. Today's sums begin at its midnight UTC."""

    used_bytes: int
    limit_bytes: int | None
    free_bytes: int
    left_s: float | None = Field(description="how long it lasts if the centre stays away, seconds")
    thinned: int = Field(description="old readings thinned to make room")
    dropped: int = Field(description="readings lost because there was no room")
    written_today: int
    sent_today: int
    why: str


class Backlog(Shape):
    """What waits at the gateway, and how fast it goes."""

    batches: int
    readings: int
    bytes: int
    oldest: datetime | None = Field(description="source time of the oldest that waits")
    readings_per_s: float
    eta_s: float | None = Field(description="seconds until it is sent; null while it does not shrink")


class Status(Shape):
    """What a gateway said of itself last."""

    received_at: datetime
    software: str
    started_at: datetime
    configuration: RunningConfiguration
    storage: Storage
    backlog: Backlog
    clock_synced: bool
    clock_offset_ms: float | None = Field(
        description="the centre's clock minus the gateway's, as it measured"
    )
    audit_count: int = Field(description="entries of its local audit trail")
    audit_head: str
    token_at: datetime | None

    @classmethod
    def of(cls, view: StatusView) -> Status:
        """Show a status."""
        told = view.status
        config, backlog, offset = told.config, told.backlog, told.clock_offset_us
        return cls(
            received_at=view.received_at,
            software=told.software,
            started_at=to_datetime(told.started_us),
            configuration=RunningConfiguration(
                running=config.running,
                digest=config.digest,
                since=to_datetime(config.since_us),
                wanted=config.wanted,
                state=config.state,
                why=config.why,
            ),
            storage=Storage.model_validate(told.storage),
            backlog=Backlog(
                batches=backlog.batches,
                readings=backlog.readings,
                bytes=backlog.bytes,
                oldest=None if backlog.oldest_us is None else to_datetime(backlog.oldest_us),
                readings_per_s=backlog.readings_per_s,
                eta_s=backlog.eta_s,
            ),
            clock_synced=told.clock_synced,
            clock_offset_ms=None if offset is None else offset / 1000,
            audit_count=told.audit_count,
            audit_head=told.audit_head,
            token_at=None if told.token_us is None else to_datetime(told.token_us),
        )


class GatewayDetail(Shape):
    """One gateway and what it said last; no status before its first."""

    gateway: Gateway
    status: Status | None
    audit_warned_at: datetime | None = Field(description="when its audit trail stopped to fit")

    @classmethod
    def of(cls, view: GatewayView, told: StatusView | None) -> GatewayDetail:
        """Show a gateway."""
        return cls(
            gateway=Gateway.of(view),
            status=None if told is None else Status.of(told),
            audit_warned_at=None if told is None else told.audit_warned_at,
        )


class PushedConfiguration(Asked):
    """A whole configuration for a gateway."""

    text: str = Field(min_length=1, description="the gateway file, YAML")
    profiles: dict[str, str] = Field(default_factory=dict, description="own device profiles by id, YAML")
    note: str = Field(default="", max_length=500, description="why, for those who come after")
    probation_s: float = Field(
        default=120.0,
        ge=MIN_PROBATION_S,
        le=MAX_PROBATION_S,
        description="seconds within which uplink and devices must prove well, or the gateway goes back",
    )
    base: str = Field(
        default="",
        max_length=64,
        description="digest that the text was made from; another one running refuses the push",
    )
    expires_in_s: float = Field(
        default=PUSH_EXPIRY_S, ge=30, le=7 * 86_400, description="not begun after so many seconds"
    )


class Configuration(Shape):
    """A configuration as a gateway ran and sent it."""

    digest: str
    text: str
    profiles: dict[str, str]
    masked: int = Field(description="values that the gateway withheld as secrets")
    received_at: datetime


class PushedText(Shape):
    """The text of a push."""

    id: str
    text: str
    profiles: dict[str, str]
    note: str
    probation_s: float
    base: str


class WantedVersion(Asked):
    """A staged software version."""

    version: str = Field(min_length=1, max_length=100)


class Package(Shape):
    """A staged software package."""

    id: str
    version: str
    file_name: str
    size: int = Field(description="bytes")
    sha256: str
    staged_at: datetime
    staged_by: str


class PackagePage(Page[Package]):
    """Packages, newest first."""
