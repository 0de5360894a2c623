"""Alarms as the API shows them: rules, occurrences with their journal and evidence, and people's answers."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from central.kernel.shapes import Asked, Name, Page, PriorityCode, QualityOut, Shape
from protocols.model.alarm import AlarmEvent, AlarmKind, AlarmState, Overlay


class Rule(Shape):
    """An alarm rule as the gateway declared it. Limits in the point's unit, delays in seconds."""

    id: str
    point: str
    kind: AlarmKind
    limit: float = Field(description="for no_data: seconds without a good reading")
    priority: PriorityCode
    name: Name
    deadband: float
    on_delay_s: float
    off_delay_s: float
    latching: bool
    ack_required: bool
    rtn_ack: bool
    category: str
    response: Name | None = Field(description="what the operator should do")
    declaration: str = Field(description="hash of the gateway's declaration that holds this version")


class Alarm(Shape):
    """One occurrence of an alarm. `state` is its ISA-18.2 base state, `display` the one to show."""

    id: str
    rule_id: str
    name: Name
    point: str
    device: str
    site: str
    gateway: str
    kind: AlarmKind
    priority: PriorityCode
    category: str
    state: AlarmState
    active: bool
    acked: bool
    shelved_until: datetime | None
    limit: float = Field(description="in `unit`")
    deadband: float = Field(description="in `unit`")
    unit: str = Field(description="UCUM code of the point's unit")
    raised_at: datetime = Field(description="source time")
    cleared_at: datetime | None = Field(description="source time")
    acked_at: datetime | None
    acked_by: str | None
    raise_value: float | None
    last_value: float | None
    event_id: str | None = Field(description="the event that it opened or joined")
    case_id: str | None = Field(description="the case of that event")
    late: bool = Field(description="it reached the centre after an outage")
    overlays: list[Overlay] = Field(description="what hides it: out of service, by design, shelved")
    display: str = Field(description="the first overlay, else the state")
    group: str = Field(description="key of its first-out group at the gateway, else empty")
    first_out: bool = Field(description="it was the first of its group")
    realarms: int = Field(description="how often it was annunciated again, still active")
    reactivations: int = Field(description="how often it became active again, while latched")
    labels: dict[str, Name] = Field(description="words for the values of the point, where it has them")
    assignee: str | None = Field(description="the user who sees to it")
    covers: list[int] = Field(description="what the centre has laid over it; see /alarms/covers")
    muted_by: str = Field(description="the gateway whose outage mutes it, else empty")
    fold: int | None = Field(description="the folded storm that it stands in; see /alarms/folds")
    cause: str = Field(description="to group by: `gateway:…` that is down, first-out `group:…`, or `rule:…`")


class AlarmPage(Page[Alarm]):
    """Alarms in the order asked for; `total` up to 1000, else null: `/alarms/facets` counts them all."""


class AlarmFacets(Shape):
    """How many alarms the filter lets through, by value; the most first."""

    total: int
    priority: dict[str, int]
    state: dict[str, int]
    site: dict[str, int]
    area: dict[str, int] = Field(description="district of the site; empty where that has none")
    category: dict[str, int]
    kind: dict[str, int] = Field(description="kind of condition")
    assignee: dict[str, int] = Field(description="`-`: nobody")
    overlay: dict[str, int] = Field(description="the overlay that is shown; empty: none")


class JournalEntry(Shape):
    """One step of an occurrence."""

    at: datetime = Field(description="when it happened: source time for the gateway's steps")
    recorded_at: datetime = Field(description="when the centre stored it")
    event: AlarmEvent | str
    from_: str = Field(alias="from", serialization_alias="from")
    to: str
    actor: str = Field(description="user name, or who decided by itself: gateway, system")
    comment: str
    value: float | None
    quality: QualityOut | None
    late: bool


class EvidenceSample(Shape):
    """A stored reading around the moment at which the alarm was raised."""

    time: datetime
    value: float | None
    quality: QualityOut


class AlarmDetail(Alarm):
    """An occurrence with what it rests on: rule version, samples, and every step since."""

    rule: Rule
    journal: list[JournalEntry]
    evidence: list[EvidenceSample] = Field(description="raw readings from two minutes before to two after")
    response: Name | None = Field(description="what the operator should do")


class EarlierAlarm(Shape):
    """An occurrence at the same point that was raised before."""

    id: str
    rule_id: str
    name: Name
    priority: PriorityCode
    state: AlarmState
    raised_at: datetime = Field(description="source time")
    cleared_at: datetime | None = Field(description="source time; null: it has not ended")
    lasted_s: float | None = Field(description="from raised to cleared, seconds; null: it has not ended")


class EarlierAlarms(Shape):
    """What there was at the point of an alarm before it."""

    point: str
    count: int = Field(description="how many occurrences, of any rule, that the centre still keeps")
    median_s: float | None = Field(description="median of how long the ended ones lasted, seconds")
    items: list[EarlierAlarm] = Field(description="the last ten, the newest first")


class NearCamera(Shape):
    """A camera near an alarm; where it has no place of its own it stands where its site does."""

    id: str
    name: Name
    site: str
    lon: float = Field(description="degrees, WGS 84")
    lat: float = Field(description="degrees, WGS 84")
    distance_m: float = Field(description="from the alarm's device along the ground, metres")


class NearCameras(Shape):
    """The nearest cameras to an alarm, the nearest first."""

    items: list[NearCamera]


class Acknowledge(Asked):
    """Why, where there is something to say."""

    comment: str = Field(default="", max_length=1000)


class Shelve(Asked):
    """For how long, and why."""

    minutes: int = Field(ge=1, le=1440)
    reason: str = Field(min_length=1, max_length=1000)


class Suspend(Asked):
    """By which permit (工作票) somebody works on the instrument."""

    permit: str = Field(min_length=1, max_length=1000)
