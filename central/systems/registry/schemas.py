"""The registry as the API shows it: things with both layers, search, imports, attachments."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from central.city.lifecycle import Lifecycle
from central.kernel.shapes import Asked, Name, Page, Shape

KindName = Literal["site", "gateway", "device", "point"]
Plural = Literal["sites", "gateways", "devices", "points"]
Standing = Literal["sites", "gateways", "devices"]
Registered = Literal["sites", "devices"]
Reason = Annotated[str, Field(max_length=1000, description="why, for those who come after")]


class Contact(Shape):
    """Somebody to call about a thing: personal data, shown to those who see its site."""

    name: str
    role: str = ""
    phone: str = ""
    email: str = ""


class Thing(Shape):
    """One line of the registry."""

    kind: KindName
    id: str
    name: Name = Field(description="in force: what people wrote, else what the gateway declares")
    type: str = Field(description="kind of site or device; empty for gateways, the unit for points")
    site: str | None = Field(description="where it belongs; its own id for a site")
    gateway: str | None = None
    device: str | None = None
    district: str = Field(description="of its site")
    department: str = Field(description="owner, of its site; empty: nobody's")
    grid_cell: str = Field(description="单元网格 code, its own or its site's")
    lon: float | None = Field(description="degrees, WGS 84; its own or its site's")
    lat: float | None = Field(description="degrees, WGS 84; its own or its site's")
    lifecycle: Lifecycle | None = Field(description="null for points, which live as their device does")
    tags: list[str]
    declared: bool = Field(description="whether a gateway has declared it")
    devices: int = Field(default=0, description="for sites and gateways: devices that are registered")


class ThingPage(Page[Thing]):
    """Things of one kind, by id."""


class Facets(Shape):
    """What lists can be filtered by, as it occurs within sight."""

    types: list[str]
    districts: list[str]
    departments: list[DepartmentOut]
    tags: list[str]


class DepartmentOut(Shape):
    """A department that owns sites."""

    id: str
    name: Name


class AttachmentOut(Shape):
    """A photo or document; its content is at `/registry/attachments/{id}`."""

    id: str
    name: str
    media_type: str
    size: int = Field(description="bytes")
    sha256: str
    note: str
    created_at: datetime
    created_by: str
    inline: bool = Field(description="whether a browser may show it in the page; others are downloaded")


class ThingDetail(Thing):
    """A thing with both layers and everything that people wrote."""

    address: str = ""
    vendor: str = ""
    model: str = ""
    serial: str = ""
    note: str
    own_place: bool = Field(description="false: it stands where its site does")
    own_grid_cell: str
    contacts: list[Contact]
    lifecycle_at: datetime | None = Field(description="since when it is in that state; null: not known")
    moves: list[Lifecycle] = Field(description="states that it can move to")
    declaration: dict[str, Any] | None = Field(description="what the gateway declares; null: nothing yet")
    written: dict[str, Any] = Field(description="fields in which people's words stand over the gateway's")
    revision: int = Field(description="number of the last change; hand it back when changing")
    open_alarms: int
    attachments: list[AttachmentOut]


class ContactIn(Asked):
    """Somebody to call."""

    name: str
    role: str = ""
    phone: str = ""
    email: str = ""


class Fields(Asked):
    """Fields to write; null takes back what people wrote. Which a kind has: see docs/registry.md."""

    name_zh: str | None = None
    name_en: str | None = None
    kind: str | None = None
    district: str | None = None
    department: str | None = None
    address: str | None = None
    site: str | None = None
    vendor: str | None = None
    model: str | None = None
    serial: str | None = None
    grid_cell: str | None = None
    lon: float | None = Field(default=None, description="degrees, WGS 84")
    lat: float | None = Field(default=None, description="degrees, WGS 84")
    tags: list[str] | None = None
    contacts: list[ContactIn] | None = None
    note: str | None = None


class NewThing(Asked):
    """A planned site or device. A device's id is `gateway.key`, as its gateway will declare it."""

    id: str = Field(max_length=200)
    fields: Fields
    lifecycle: Lifecycle = Lifecycle.PLANNED
    reason: Reason = ""


class ChangeThing(Asked):
    """A change of fields."""

    fields: Fields
    revision: int | None = Field(
        default=None,
        ge=0,
        description="`revision` that was read; refused with 409 where it is another by now",
    )
    reason: Reason = ""


class MoveThing(Asked):
    """A move to another state of its life."""

    lifecycle: Lifecycle
    since: AwareDatetime | None = Field(default=None, description="left out: now; not in the future")
    reason: str = Field(min_length=1, max_length=1000)


class HistoryEntry(Shape):
    """A change: who, when, why, and the fields before and after. Numbers of people are masked."""

    number: int
    at: datetime
    actor: str = Field(description="user name, `gateway:…` or `cli:…`")
    action: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str


class HistoryPage(Page[HistoryEntry]):
    """Changes, newest first."""


class SearchHit(Shape):
    """A thing that was found, with where it is."""

    kind: KindName
    id: str
    name: Name
    type: str
    site: str | None
    place: Name | None = Field(description="name of its site, of a point: of its device too")
    lifecycle: Lifecycle | None
    match: Literal["code", "prefix", "word", "part", "place"]


class SearchGroup(Shape):
    """The best hits of a kind."""

    kind: KindName
    items: list[SearchHit]
    total: int = Field(description="all that fit, within sight")


class SearchResult(Shape):
    """What was found, by kind; kinds without a hit are left out."""

    query: str
    groups: list[SearchGroup]


class MistakeOut(Shape):
    """A mistake at its place: line of a CSV file or number of a GeoJSON feature; 0: the whole file."""

    line: int
    column: str
    problem: Name


class StepOut(Shape):
    """What a line would do, or did."""

    line: int
    id: str
    outcome: Literal["added", "changed"]
    before: dict[str, Any]
    after: dict[str, Any]


class ImportReport(Shape):
    """What a file would change, or changed. With mistakes nothing is applied."""

    applied: bool
    added: int
    changed: int
    unchanged: int
    mistake_count: int
    mistakes: list[MistakeOut] = Field(description="the first 500")
    steps: list[StepOut] = Field(description="the first 500")
    encoding: str = Field(description="`utf-8` or, as spreadsheets in China save it, `gb18030`")


Facets.model_rebuild()
