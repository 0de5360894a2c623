"""What a person asks of the alarm list, and what that means for the registry and for that person's sight."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from central.city.registry import City
from central.kernel.shapes import Asked, PriorityCode
from central.live.alarm_query import AlarmQuery, Sort, StateFilter, words
from central.security.principal import Principal
from protocols.model.alarm import AlarmKind, Overlay

ME = "me"


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_aware)]
Key = Annotated[str, Field(max_length=200)]


class AlarmFilter(Asked):
    """Which alarms; what is left out does not narrow."""

    state: StateFilter = Field(
        default="open", description="open: not closed yet; unacked: waiting for somebody; active: still there"
    )
    priority: list[PriorityCode] = Field(default=[], max_length=4, description="any of these")
    site: Key | None = None
    area: Key | None = Field(default=None, description="district of the site")
    device: Key | None = None
    device_kind: Key | None = Field(default=None, description="kind of the device, such as pump")
    gateway: Key | None = None
    category: Key | None = None
    rule: Key | None = Field(default=None, description="`device.rule`, or the rule's own key on any device")
    cause: Key | None = Field(default=None, description="as an alarm's `cause` says it")
    kind: AlarmKind | None = Field(default=None, description="kind of condition")
    text: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="words, each found in a name, rule, point, device or site; 中文 or English"
    )
    overlay: Overlay | None = Field(default=None, description="what hides it, put there by either side")
    assignee: Key | None = Field(default=None, description="a user name; `me`; `-` for nobody")
    since: Moment | None = Field(default=None, description="raised at or after it (UTC without a zone)")
    shelved: bool | None = None
    folded: bool | None = Field(default=None, description="in a folded storm, or not")
    fold: int | None = Field(default=None, ge=1, lt=1 << 63, description="in this folded storm")


class AlarmListQuery(AlarmFilter):
    """A page of the list."""

    sort: Sort = Field(
        default="newest", description="newest first, or P1 first and of one priority the oldest first"
    )
    limit: int = Field(default=100, ge=1, le=1000, description="how many items at most")
    cursor: str | None = Field(default=None, max_length=512, description="`next_cursor` of the page before")


def query_of(asked: AlarmFilter, who: Principal, city: City) -> AlarmQuery:
    """Return the filter as the board understands it, narrowed to what the person may see."""
    sites = who.sight.sites
    if asked.area is not None:
        there = frozenset(site.id for site in city.sites.values() if site.district == asked.area)
        sites = there if sites is None else there & sites
    devices = None
    if asked.device_kind is not None:
        devices = frozenset(item.id for item in city.devices.values() if item.kind == asked.device_kind)
    said = words(asked.text)
    query = AlarmQuery(
        state=asked.state,
        priority=tuple(asked.priority),
        site=asked.site,
        device=asked.device,
        gateway=asked.gateway,
        category=asked.category,
        rule=asked.rule,
        cause=asked.cause,
        kind=asked.kind,
        text=asked.text,
        overlay=asked.overlay.value if asked.overlay else None,
        assignee=who.username if asked.assignee == ME else asked.assignee,
        since=asked.since,
        shelved=asked.shelved,
        folded=asked.folded,
        fold=asked.fold,
        sites=sites,
        devices=devices,
        sites_named=[_named(word, city, "sites") for word in said],
        devices_named=[_named(word, city, "devices") for word in said],
    )
    if isinstance(asked, AlarmListQuery):
        return replace(query, sort=asked.sort, limit=asked.limit, cursor=asked.cursor)
    return query


def _named(word: str, city: City, what: Literal["sites", "devices"]) -> frozenset[str]:
    records = city.sites.values() if what == "sites" else city.devices.values()
    return frozenset(item.id for item in records if word in f"{item.name_zh} {item.name_en}".lower())
